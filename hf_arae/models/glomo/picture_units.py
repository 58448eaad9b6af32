"""The units of a predictor over images, found in a model that reads images as a sequence of patches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MOST_EXTRA = 8  # tokens that a model may have before its patches: of the class, of a distillation, registers


def reads_pictures(glomo: nn.Module) -> bool:
    """Whether a predictor's units are those of images."""
    return glomo.main_input_name == "pixel_values"


def check_grids(model: nn.Module, glomo: nn.Module) -> None:
    """Makes sure that a model's patches are the predictor's units, as far as the model's config says.

    Raises:
        ValueError: they are not, or images have other channels.
    """
    config, own = getattr(model, "config", None), glomo.config
    image, patch = (getattr(config, name, None) for name in ("image_size", "patch_size"))
    if isinstance(image, int) and isinstance(patch, int) and image // patch != own.units_size:
        raise ValueError(
            f"the grids do not fit: the model reads {image // patch} x {image // patch} patches (image_size {image}, "
            f"patch_size {patch}), and the predictor's graphs are over {own.units_size} x {own.units_size} units"
        )
    channels = getattr(config, "num_channels", own.num_channels)
    if channels != own.num_channels:
        raise ValueError(f"the model reads images of {channels} channels, and the predictor of {own.num_channels}")


def example_pictures(model: nn.Module, glomo: nn.Module, device: torch.device) -> Tensor:
    """Two images that a model reads, of the size that its config says, or else of the predictor's."""
    config = getattr(model, "config", None)
    size = getattr(config, "image_size", None)
    size = size if isinstance(size, int) else glomo.config.image_size
    return torch.zeros(2, glomo.config.num_channels, size, size, device=device)


def check_pictures(kind: str, reads: str, given: Any, glomo: nn.Module) -> Tensor:
    """What a model was given, or an error if these are no images of the predictor's channels.

    Raises:
        ValueError: they are not.
    """
    channels = glomo.config.num_channels
    if not isinstance(given, Tensor) or given.dim() != 4 or given.shape[1] != channels:
        raise ValueError(f"{kind} must be given {reads}, (batch, {channels}, height, width), for its graphs")
    return given


def sized(pixel_values: Tensor, glomo: nn.Module) -> Tensor:
    """Images in the predictor's own size and precision; means over areas, where they are larger."""
    size = glomo.config.image_size
    if pixel_values.shape[2:] != (size, size):
        pixel_values = F.interpolate(pixel_values, (size, size), mode="area")
    return pixel_values.to(glomo.dtype)


__all__ = ["MOST_EXTRA", "check_grids", "check_pictures", "example_pictures", "reads_pictures", "sized"]
