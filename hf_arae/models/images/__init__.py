"""The base of the image families."""
