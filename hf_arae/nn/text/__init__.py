"""Layers of text models."""
