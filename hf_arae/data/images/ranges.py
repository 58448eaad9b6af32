"""The ranges of pixels as models see them."""

VALUE_RANGES = {"unit": (0.0, 1.0), "signed": (-1.0, 1.0)}

__all__ = ["VALUE_RANGES"]
