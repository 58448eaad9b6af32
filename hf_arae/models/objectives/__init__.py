"""Objectives that text and image families share: they read batches by the model's own methods alone."""
