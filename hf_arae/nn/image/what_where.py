"""Pooling that keeps what it found and where, unpooling that puts it back, and the networks made of them.

Thesis, chapter 6. A pooling of P cuts maps `(batch, maps, height, width)` into squares of P x P pixels that do not
overlap; rows and columns that are left over are dropped, and zero when they come back. What it passes on is the
"what", `(batch, maps, height // P, width // P)`. The "where" is one of three kinds:

- `"switches"`: the place of the greatest value, as its number in the map, row by row, integers of the shape of the
  what. Of equal values it is the first, row by row.
- `"phase"`: soft maximum and soft place (equations 6.3 and 6.4, after Goroshin et al. 2015), coordinates in [-1, 1],
  `(batch, maps, 2, height // P, width // P)`, that across a row first; gradients go through both.
- `"none"`: there is none, and the greatest value comes back everywhere in its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_arae.nn.batch_norm import ImageBatchNorm
from hf_arae.nn.image.layer_strings import ConvLayer, PoolLayer
from hf_arae.nn.image.networks import with_std
from hf_arae.nn.image.phases import phase_pool, phase_unpool

WHERES = ("switches", "phase", "none")


class EncoderPass(NamedTuple):
    """What the encoder leaves of images.

    Args:
        what: top maps, `(batch, maps, height, width)`.
        wheres: of each pooling, the lowest first; `None` each of the kind `"none"`.
        whats: of each pooling, the lowest first.
        inputs: of each convolution but the first, the lowest first: what the decoder's maps are to be like.
    """

    what: Tensor
    wheres: tuple[Tensor | None, ...]
    whats: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]


def pool(maps: Tensor, size: int, where: str, beta: float = 10.0) -> tuple[Tensor, Tensor | None]:
    """Returns what and where of maps; see the module.

    Args:
        maps: `(batch, maps, height, width)`.
        size: P, at most height and width.
        where: the kind.
        beta: of `"phase"`, >= 0: large, the maximum and its place; 0, the mean and the middle.

    Raises:
        ValueError: the squares are larger than the maps.
    """
    if size > min(maps.shape[-2:]):
        raise ValueError(f"a pooling of {size} is larger than maps of {maps.shape[-2]} x {maps.shape[-1]}")
    if where == "switches":
        return F.max_pool2d(maps, size, return_indices=True)
    if where == "none":
        return F.max_pool2d(maps, size), None
    return phase_pool(maps, size, beta)


def unpool(what: Tensor, where: Tensor | None, size: int, kind: str, output_size: Sequence[int]) -> Tensor:
    """Maps of what and where, the other way from `pool`.

    With `"phase"`, the pixel at (x, y) of a square gets m max(0, 1 - |x - p_x| / s) max(0, 1 - |y - p_y| / s), where s
    is the distance of neighbours: the nearest pixels share m by linear interpolation.

    Args:
        what: `(batch, maps, height, width)`.
        where: as `pool` gave it, of these images or of others.
        size: P.
        kind: of the where.
        output_size: height and width of the maps before pooling.
    """
    height, width = output_size
    if kind == "switches":
        return F.max_unpool2d(what, where, size, output_size=(height, width))
    if kind == "phase":
        return phase_unpool(what, where, size, (height, width))
    maps = F.interpolate(what, scale_factor=float(size), mode="nearest")
    left = (width - maps.shape[3], height - maps.shape[2])
    return F.pad(maps, (0, left[0], 0, left[1])) if any(left) else maps


class WhatWhereEncoder(nn.Module):
    """Convolutions with ReLU, batch norm before it if wanted, and poolings that keep what and where.

    Args:
        channels: of the images.
        layers: in order.
        where: kind of the where.
        beta: of the kind `"phase"`.
        batch_norm: after each convolution.

    Shapes: `(batch, channels, height, width)` to an [`EncoderPass`].
    """

    def __init__(
        self, channels: int, layers: Sequence[ConvLayer | PoolLayer], where: str, beta: float, batch_norm: bool
    ):
        super().__init__()
        self.layers, self.where, self.beta = tuple(layers), where, beta
        self.blocks = nn.ModuleList()
        maps = channels
        for layer in self.layers:
            if not layer.pools:
                self.blocks.append(_block(maps, layer.maps, layer.kernel, batch_norm))
                maps = layer.maps

    def forward(self, images: Tensor) -> EncoderPass:
        # On CPUs, poolings of channels that lie side by side in memory take a tenth of the time.
        maps = images.contiguous(memory_format=torch.channels_last)
        wheres, whats, inputs, blocks = [], [], [], iter(self.blocks)
        for place, layer in enumerate(self.layers):
            if layer.pools:
                maps, where = pool(maps, layer.size, self.where, self.beta)
                wheres.append(where)
                whats.append(maps)
            else:
                if place:
                    inputs.append(maps)
                maps = next(blocks)(maps)
        return EncoderPass(maps, tuple(wheres), tuple(whats), tuple(inputs))


class WhatWhereDecoder(nn.Module):
    """The mirror image of a [`WhatWhereEncoder`]: unpoolings and convolutions, the last of which is linear.

    Args:
        channels, layers, where, batch_norm: of the encoder. Batch norm stands after all convolutions but the last.
        sizes: height and width of the maps before the encoder's first layer and after each.
    """

    def __init__(
        self,
        channels: int,
        layers: Sequence[ConvLayer | PoolLayer],
        where: str,
        batch_norm: bool,
        sizes: Sequence[int],
    ):
        super().__init__()
        self.where = where
        # Each encoder's layer backwards, with the size of its input
        self.layers = tuple(zip(reversed(layers), reversed(list(sizes)[:-1]), strict=True))
        convolutions = [layer for layer in layers if not layer.pools]
        below = [channels, *(layer.maps for layer in convolutions[:-1])]
        pairs = list(zip(convolutions, below, strict=True))[::-1]
        self.blocks = nn.ModuleList(_block(layer.maps, maps, layer.kernel, batch_norm) for layer, maps in pairs[:-1])
        last, maps = pairs[-1]
        linear = nn.Conv2d(last.maps, maps, last.kernel, padding=last.padding)
        self.blocks.append(with_std(linear, (last.maps * last.kernel**2) ** -0.5))

    def forward(self, what: Tensor, wheres: Sequence[Tensor | None]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Images, and the maps that mirror the encoder's `inputs`, in the same order.

        Args:
            what: top maps.
            wheres: of each pooling, the lowest first.
        """
        maps, outputs = what, []
        blocks, wheres = iter(self.blocks), list(wheres)
        for layer, size in self.layers:
            if layer.pools:
                maps = unpool(maps, wheres.pop(), layer.size, self.where, (size, size))
            else:
                maps = next(blocks)(maps)
                outputs.append(maps)
        return outputs[-1], tuple(outputs[-2::-1])


def _block(below: int, above: int, kernel: int, batch_norm: bool) -> nn.Sequential:
    conv = nn.Conv2d(below, above, kernel, padding=kernel // 2, bias=not batch_norm)
    normed = [ImageBatchNorm(above)] if batch_norm else []
    return nn.Sequential(with_std(conv, (2 / (below * kernel**2)) ** 0.5), *normed, nn.ReLU())


__all__ = ["WHERES", "EncoderPass", "WhatWhereDecoder", "WhatWhereEncoder", "pool", "unpool"]
