"""Losses that families share, as pure functions."""
