"""A small residual network over feature maps (He et al. 2016), after Table 7.3's classifiers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

_STAGE = re.compile(r"\(([1-9]\d{0,4})\)([1-9]\d{0,2})")


class Stage(NamedTuple):
    """Blocks of one width.

    Args:
        maps: of each block.
        blocks: how many.
    """

    maps: int
    blocks: int


def read_stages(text: str) -> list[Stage]:
    """The stages of a network: `"(64)2-(128)2"` is two blocks of 64 maps, then two of 128.

    Raises:
        ValueError: it cannot be read.
    """
    found = [_STAGE.fullmatch(part) for part in text.split("-")]
    if None in found:
        raise ValueError(f"stages are written like (64)2-(128)2, the maps and number of their blocks; got {text!r}")
    return [Stage(*map(int, stage.groups())) for stage in found]


class _Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, below: int, maps: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(below, maps, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(maps)
        self.second = nn.Conv2d(maps, maps, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(maps)
        self.shortcut = None
        if stride != 1 or below != maps:
            self.shortcut = nn.Conv2d(below, maps, 1, stride, bias=False)
            self.shortcut_norm = nn.BatchNorm2d(maps)

    def forward(self, maps: Tensor) -> Tensor:
        beside = maps if self.shortcut is None else self.shortcut_norm(self.shortcut(maps))
        return (self.second_norm(self.second(self.first_norm(self.first(maps)).relu())) + beside).relu()


class ResidualNetwork(nn.Module):
    """Residual blocks, and the mean of their last maps over all places.

    Args:
        width: of the features that come in.
        stages: from the second on, each begins by halving height and width.
    """

    def __init__(self, width: int, stages: Sequence[Stage]):
        super().__init__()
        blocks: list[nn.Module] = []
        for number, stage in enumerate(stages):
            for place in range(stage.blocks):
                blocks.append(_Block(width, stage.maps, 2 if number and not place else 1))
                width = stage.maps
        self.blocks = nn.ModuleList(blocks)
        self.output_size = width

    def forward(self, maps: Tensor) -> Tensor:
        """Maps `(batch, width, height, width)` to `(batch, output_size)`."""
        for block in self.blocks:
            maps = block(maps)
        return F.adaptive_avg_pool2d(maps, 1).flatten(1)


__all__ = ["ResidualNetwork", "Stage", "read_stages"]
