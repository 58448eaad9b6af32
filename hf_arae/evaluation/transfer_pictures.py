"""A picture of style transfers: how often the label changes against how much of the sentence stays."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

# The panels' horizontal axes.
_AXES = {"source_bleu": "BLEU to the source", "reference_bleu": "BLEU to the human references"}
_ACCURACIES = {
    "transfer_accuracy": "transfer accuracy (%)",
    "held_out_transfer_accuracy": "transfer accuracy by the held-out judge (%)",
}
_MARKERS = {"system": ("o", "C0"), "own": ("D", "C3"), "bound": ("s", "0.45")}
_NEAR, _STEPS = 6, 10  # points between a mark and its name, and how many distances are tried


def draw_trade_off(
    rows: Sequence[Mapping[str, Any]],
    picture: str | os.PathLike,
    bounds: Sequence[str] = (),
    own: Sequence[str] = (),
    accuracy: str = "held_out_transfer_accuracy",
) -> bool:
    """Draws accuracy against BLEU, a panel for each kind of BLEU, all systems named and the frontier drawn.

    On the frontier are the systems that no other one beats in both numbers. The scale of accuracies is a root of what
    is missing to 100 %, so that there is most room where systems differ least.

    Args:
        rows: of the table: `system`, the accuracy, `source_bleu` and, if there is a second panel, `reference_bleu`.
        picture: the file to write; its ending names the format.
        bounds: systems that are no transfers to be beaten, such as copies and people; they make no frontier.
        own: systems with a mark of their own.
        accuracy: which one; `transfer_accuracy` where the rows lack it.

    Returns:
        Whether it was drawn: not without matplotlib.
    """
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # without pyplot: no window system is asked for

    if not any(accuracy in row for row in rows):
        accuracy = "transfer_accuracy"
    panels = [name for name in _AXES if any(name in row for row in rows)]
    figure = Figure(figsize=(8.5 * len(panels), 8), layout="constrained")
    FigureCanvasAgg(figure)
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, name in zip(all_axes, panels, strict=True):
        shown = [row for row in rows if name in row and accuracy in row]
        edge = frontier([(row[name], row[accuracy]) for row in shown if row["system"] not in bounds])
        axes.plot(*zip(*edge, strict=True), "--", color="0.7", zorder=1, label="frontier")
        for row in shown:
            kind = "bound" if row["system"] in bounds else "own" if row["system"] in own else "system"
            marker, color = _MARKERS[kind]
            axes.plot(row[name], row[accuracy], marker, color=color, markersize=6, zorder=3)
        # The nearer to 100, the more room: that is where systems differ by a few points.
        axes.set_yscale("function", functions=(_stretched, _unstretched))
        axes.set_yticks([0, 20, 40, 60, 70, 80, 85, 90, 95, 100])
        axes.set_ylim(max(0, min((row[accuracy] for row in shown), default=0) - 5), 100.5)
        axes.set_xlabel(_AXES[name])
        axes.set_ylabel(_ACCURACIES[accuracy])
        axes.margins(x=0.08)
        axes.grid(alpha=0.25)
        axes.legend(loc="lower left")
    figure.draw_without_rendering()  # the names are placed in the panels' final sizes
    for axes, name in zip(all_axes, panels, strict=True):
        _name_points(axes, [(_short(row["system"]), row[name], row[accuracy]) for row in rows if name in row])
    figure.savefig(picture, dpi=110)
    return True


def frontier(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other one exceeds in both coordinates, from left to right."""
    found: list[tuple[float, float]] = []
    for point in sorted(points, reverse=True):
        if not found or point[1] > found[-1][1]:
            found.append(point)
    return found[::-1]


def _stretched(accuracy: np.ndarray) -> np.ndarray:
    return -np.sqrt(np.clip(102 - accuracy, 0, None))


def _unstretched(height: np.ndarray) -> np.ndarray:
    return 102 - np.square(height)


def _short(system: str) -> str:
    name = Path(system).name if os.sep in system else system
    return name.replace("$", r"\$")  # no formulas


def _name_points(axes: Any, named: Sequence[tuple[str, float, float]]) -> None:
    """Writes each name where it is on no other name and no mark, as near to its own mark as can be."""
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    renderer = axes.figure.canvas.get_renderer()
    frame, points = axes.get_window_extent(renderer), axes.figure.dpi / 72
    marks = [axes.transData.transform((x, y)) for _, x, y in named]
    taken = [Bbox.from_bounds(x - 4 * points, y - 4 * points, 8 * points, 8 * points) for x, y in marks]
    legend = axes.get_legend()
    taken += [legend.get_window_extent(renderer)] if legend else []
    # Those in a crowd first: the others have more places to go.
    crowd = [sum(abs(x - a) < 120 * points and abs(y - b) < 20 * points for a, b in marks) for x, y in marks]
    for at in sorted(range(len(named)), key=lambda at: -crowd[at]):
        name, x, y = named[at]
        best = None
        for step in range(_STEPS):
            far = _NEAR + 11 * step
            for right, up in ((1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1)):
                text = axes.annotate(
                    name,
                    (x, y),
                    (right * (far if up == 0 else far * 0.8), up * far),
                    textcoords="offset points",
                    ha={1: "left", -1: "right", 0: "center"}[right],
                    va={1: "bottom", -1: "top", 0: "center"}[up],
                    fontsize=8.5,
                    arrowprops={"arrowstyle": "-", "color": "0.6", "lw": 0.6} if step else None,
                )
                text.update_positions(renderer)
                box = Text.get_window_extent(text, renderer).expanded(1.01, 1.05)  # without its line
                others = taken[:at] + taken[at + 1 :]
                overlap = sum(_area(box, other) for other in others) + 3 * (box.width * box.height - _area(box, frame))
                cost = overlap + 0.5 * step
                if best is None or cost < best[0]:
                    if best is not None:
                        best[1].remove()
                    best = (cost, text, box)
                else:
                    text.remove()
            if best[0] <= 0.5 * step:
                break
        taken.append(best[2])


def _area(one: Any, other: Any) -> float:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(width, 0) * max(height, 0)
