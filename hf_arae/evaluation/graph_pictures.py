"""Pictures of graphs over words (the thesis' Figure 7.3) and over images (Figure 7.4): a heat map a graph."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from torch import Tensor

from hf_arae.utils.extras import import_extra

_CELL = 0.22  # inches
_MOST_WORDS = 80


def draw_graph(graphs: Tensor, tokens: Sequence[str], picture: str | os.PathLike, columns: int = 4) -> None:
    """Draws heat maps of graphs side by side: a row draws from the columns that are dark in it.

    A row of the picture is a column of the graph (the thesis shows G transposed, too), and sums to one.

    Args:
        graphs: `(T, T)`, `(heads, T, T)`, or `(layers, heads, T, T)`, whose layers are then below one another.
        tokens: the T words.
        picture: the file to write; its ending names the format.
        columns: maps side by side, for graphs of one layer.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: there are no graphs, they are not of these tokens, or there are more than 80 tokens.
    """
    count = len(tokens)
    if graphs.dim() not in (2, 3, 4) or not graphs.numel() or graphs.shape[-2:] != (count, count):
        raise ValueError(
            f"graphs over {count} tokens have the shape ({count}, {count}), behind layers and heads if there are any; "
            f"got {tuple(graphs.shape)}"
        )
    if count > _MOST_WORDS:
        raise ValueError(f"{count} tokens are too many to be read in a picture: give at most {_MOST_WORDS}")
    import_extra("matplotlib", "plots")
    from matplotlib.figure import Figure  # without pyplot: no window system is asked for

    maps = graphs.detach().float().cpu().reshape(-1, count, count).numpy()
    columns = graphs.shape[1] if graphs.dim() == 4 else min(columns, len(maps))
    rows = -(-len(maps) // columns)
    side = 1.2 + _CELL * count
    figure = Figure(figsize=(side * columns, side * rows), layout="constrained")
    labels = [token.replace("$", r"\$") for token in tokens]  # no formulas to matplotlib
    size = 7 if count <= 30 else 5
    for number, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if number >= len(maps):
            axes.set_axis_off()
            continue
        axes.imshow(maps[number].T, cmap="Greys", vmin=0, vmax=max(1e-9, float(maps[number].max())))
        axes.set_xticks(range(count), labels, rotation=90, fontsize=size)
        axes.set_yticks(range(count), labels, fontsize=size)
        axes.set_title(_title(number, graphs, columns), fontsize=8)
    figure.savefig(picture, dpi=100)


def draw_sources(graphs: Tensor, places: Sequence[int], picture: str | os.PathLike) -> None:
    """Draws where units of an image draw from: for each of them, a map a head, the darker the more.

    Layers are below one another and heads side by side, as in the thesis' Figure 7.4, and the units' blocks below one
    another. The unit itself is marked.

    Args:
        graphs: `(layers, heads, T, T)`, of one image and direction, T being a square number.
        places: of the units, in raster order; the centre's and the last one's, say.
        picture: the file to write; its ending names the format.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the graphs are not over the units of a square, or there is no such place.
    """
    side = math.isqrt(graphs.shape[-1])
    if graphs.dim() != 4 or not graphs.numel() or side**2 != graphs.shape[-1] or graphs.shape[-2] != side**2:
        raise ValueError(f"graphs over a square image are (layers, heads, T, T); got {tuple(graphs.shape)}")
    if not places or not all(0 <= place < side**2 for place in places):
        raise ValueError(f"places must lie in [0, {side**2}), and there must be one; got {list(places)}")
    import_extra("matplotlib", "plots")
    from matplotlib.figure import Figure

    layers, heads = graphs.shape[:2]
    figure = Figure(figsize=(1.4 * heads, 1.6 * layers * len(places)), layout="constrained")
    axes = figure.subplots(layers * len(places), heads, squeeze=False)
    weights = graphs.detach().float().cpu()
    for block, place in enumerate(places):
        row, column = divmod(place, side)
        for layer in range(layers):
            for head in range(heads):
                one, drawn = axes[block * layers + layer, head], weights[layer, head, :, place].view(side, side)
                one.imshow(drawn.numpy(), cmap="Greys", vmin=0, vmax=max(1e-9, float(drawn.max())))
                one.plot(column, row, "r.", markersize=4)
                one.set_xticks([])
                one.set_yticks([])
                one.set_title(f"{row + 1}, {column + 1}: layer {layer + 1}, head {head + 1}", fontsize=5)
    figure.savefig(picture, dpi=100)


def _title(number: int, graphs: Tensor, columns: int) -> str:
    if graphs.dim() == 4:
        layer, head = divmod(number, columns)
        return f"layer {layer + 1}, head {head + 1}"
    return f"head {number + 1}" if graphs.dim() == 3 else ""


__all__ = ["draw_graph", "draw_sources"]
