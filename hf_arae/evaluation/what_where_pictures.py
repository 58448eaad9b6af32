"""Pictures of what and where: reconstructions in rows, places of maxima, scatter plots."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from hf_arae.evaluation.image_pictures import image_grid
from hf_arae.evaluation.what_where import AXES, Pooling, Response, fires

_GAP, _HEADER = 12, 16  # pixels between blocks, and above them for their titles
_POINTS = 500  # images that a scatter plot shows, the first ones


def side_by_side(blocks: Mapping[str, Image.Image]) -> Image.Image:
    """Pictures beside one another on white, each under its title.

    Args:
        blocks: by title, each of any size and kind.
    """
    shown = list(blocks.values())
    width = sum(one.width for one in shown) + _GAP * (len(shown) - 1)
    whole = Image.new("RGB", (width, _HEADER + max(one.height for one in shown)), "white")
    draw, left = ImageDraw.Draw(whole), 0
    for title, one in blocks.items():
        draw.text((left + one.width // 2, _HEADER // 2), title, (60, 60, 60), anchor="mm")
        whole.paste(one.convert("RGB"), (left, _HEADER))
        left += one.width + _GAP
    return whole


def reconstruction_rows(rows: Mapping[str, Sequence[Tensor]], columns: int, scale: int = 2) -> Image.Image:
    """Blocks of images, one above another within a block (thesis, Figure 6.2).

    Args:
        rows: by the title of a block, pixels `(images, channels, height, width)` in [0, 1] of each of its rows.
        columns: images of a row that are shown, the first ones.
        scale: each pixel becomes a square of so many.
    """
    return side_by_side(
        {
            title: image_grid(torch.cat([row[:columns] for row in own]), min(columns, len(own[0])), scale)
            for title, own in rows.items()
        }
    )


def where_map(coordinates: Tensor, what: Tensor, pooling: Pooling) -> np.ndarray:
    """Where the maxima of one pooling stood in an image: a point a map and square, as bright as its what.

    Args:
        coordinates: `(maps, 2, height, width)` in [-1, 1], of one image.
        what: `(maps, height, width)`, of the same.
        pooling: the one that it is.

    Returns:
        Brightness in [0, 1] of each pixel that the pooling read, `(before, before)`: the sum of what over maps, by the
        greatest sum.
    """
    squares = torch.arange(pooling.after, device=what.device)
    half = (pooling.size - 1) / 2
    across = squares * pooling.size + half * (1 + coordinates[:, 0])
    down = squares[:, None] * pooling.size + half * (1 + coordinates[:, 1])
    place = down.round().long() * pooling.before + across.round().long()
    flat = torch.zeros(pooling.before**2, device=what.device)
    flat.index_add_(0, place.flatten(), what.float().clamp_min(0).flatten())
    return (flat / flat.max().clamp_min(1e-9)).view(pooling.before, pooling.before).cpu().numpy()


def draw_shifts(
    still: Response, moved: Mapping[tuple[str, int], Response], column: int, picture: str | os.PathLike
) -> bool:
    """Draws what and where of moved images against those of the same before (thesis, Figure 6.3).

    Four panels: what and where of images that were moved horizontally, and vertically; where is the place along that
    axis. Circles are of images that were moved to the right or downwards, triangles of the others.

    Args:
        still: to images.
        moved: to the same, by axis and pixels.
        column: the map and position that is shown, see `shown_map`.
        picture: the file to write; its ending names the format.

    Returns:
        Whether it was drawn: not without matplotlib.
    """
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure  # without pyplot: no window system is asked for

    figure = Figure(figsize=(14, 3.8), layout="constrained")
    panels = figure.subplots(1, 2 * len(AXES))
    for number, axis in enumerate(AXES):
        for kind, axes in enumerate(panels[2 * number : 2 * number + 2]):
            ends = []
            for (own, distance), response in moved.items():
                if own != axis:
                    continue
                rows = fires(still, response)[:, column].nonzero()[:, 0][:_POINTS]
                before, after = (
                    (one.what[:, column] if kind == 0 else one.where[:, column, number])[rows].numpy()
                    for one in (still, response)
                )
                marker, colour = ("o", "C0") if distance > 0 else ("^", "C1")
                style = {"marker": marker, "edgecolors": colour, "facecolors": "none", "linewidths": 0.8}
                axes.scatter(before, after, 14, label=f"{distance:+d} pixels", **style)
                ends += [before, after]
            joined = np.concatenate(ends) if ends else np.zeros(0)
            if len(joined):
                line = [joined.min(), joined.max()]
                axes.plot(line, line, color="0.6", linewidth=0.8)
            what = ("what", "where")[kind]
            axes.set_title(f"{what}, moved {'horizontally' if number == 0 else 'vertically'}", fontsize="medium")
            axes.set_xlabel(f"{what} before")
            axes.set_ylabel(f"{what} after")
            if ends:
                axes.legend(fontsize="small")
    figure.savefig(picture, dpi=110)
    return True


__all__ = ["draw_shifts", "reconstruction_rows", "side_by_side", "where_map"]
