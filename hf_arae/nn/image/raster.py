"""The units of an image, pixels or square patches, in raster order: row by row, each from left to right."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def patches(pixel_values: Tensor, patch_size: int) -> Tensor:
    """The patches of images in raster order, `(batch, T, channels * patch_size ** 2)`.

    Args:
        pixel_values: `(batch, channels, size, size)`, the size being a multiple of `patch_size`.
        patch_size: height and width of a patch.
    """
    return F.pixel_unshuffle(pixel_values, patch_size).flatten(2).transpose(1, 2)


def window_after(side: int, window: int) -> Tensor:
    """Which units of the window around each unit come after it in raster order.

    Args:
        side: units in a row, and rows.
        window: height and width of the window, odd.

    Returns:
        `(side ** 2, (window ** 2 - 1) / 2)` int64, in raster order; -1 where the window reaches beyond the image.
    """
    reach = window // 2
    steps = [(down, right) for down in range(reach + 1) for right in range(-reach, reach + 1)]
    steps = torch.tensor([step for step in steps if step > (0, 0)]).view(-1, 2)
    places = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    found = places.unsqueeze(1) + steps
    there = ((found >= 0) & (found < side)).all(2)
    return (found[..., 0] * side + found[..., 1]).masked_fill(~there, -1)


class RasterConvolutions(nn.Module):
    """Convolutions over what comes before in raster order, as those of PixelCNN: a key or query network of images.

    A unit sees itself, those to its left, and those above, to either side. It is the sum of two convolutions, over the
    rows above and over its own row's part, so that no weight is ever masked: what comes later enters no sum.

    Args:
        width: of the units and of all layers.
        layers: each with layer normalisation and ReLU.
        kernel_size: height and width, odd and >= 3, of the window whose first half is seen.
        side: units in a row, and rows.
    """

    def __init__(self, width: int, layers: int, kernel_size: int, side: int):
        super().__init__()
        self.side, self.reach = side, kernel_size // 2
        self.above = nn.ModuleList(
            nn.Conv2d(width, width, (self.reach, kernel_size), bias=False) for _ in range(layers)
        )
        self.beside = nn.ModuleList(nn.Conv2d(width, width, (1, self.reach + 1)) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))

    def forward(self, units: Tensor) -> Tensor:
        """Maps `(batch, side ** 2, width)` to the same."""
        reach = self.reach
        for above, beside, norm in zip(self.above, self.beside, self.norms, strict=True):
            grid = units.transpose(1, 2).unflatten(2, (self.side, self.side))
            # Each row's sum over the rows above it: the image, moved down by one row.
            seen = above(F.pad(grid, (reach, reach, reach, 0))[:, :, :-1]) + beside(F.pad(grid, (reach, 0)))
            units = norm(seen.flatten(2).transpose(1, 2)).relu()
        return units


__all__ = ["RasterConvolutions", "patches", "window_after"]
