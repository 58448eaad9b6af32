"""Stacked what-where autoencoders: a ConvNet, its mirror image, and what tells where each maximum stood."""
