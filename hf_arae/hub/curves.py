"""A training's curves as a picture."""

from __future__ import annotations

import os
from importlib.util import find_spec

from hf_arae.storage.run_files import read_log


def plot_run_curves(log_file: str | os.PathLike, picture: str | os.PathLike) -> bool:
    """Draws the loss of each phase of any training, and every number of its evaluations that changes.

    Args:
        log_file: the run's `training_log.jsonl`.
        picture: the file to write; its ending names the format.

    Returns:
        Whether it was drawn: not without matplotlib, or from a log of fewer than two lines of anything.
    """
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure  # without pyplot: no window system is asked for

    lines = read_log(log_file)
    curves: dict[str, list[tuple[int, float]]] = {}
    for line in lines:
        for name, value in line.items():
            if (name.endswith("/loss") or name.startswith("eval/")) and isinstance(value, (int, float)):
                curves.setdefault(name, []).append((line["step"], value))
    curves = {name: points for name, points in curves.items() if len({value for _, value in points}) > 1}
    if not curves:
        return False
    columns = min(4, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(3 * columns, 2.2 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    ordered = sorted(curves.items(), key=lambda curve: "eval/" in curve[0])
    for axes, (name, points) in zip(panels, ordered, strict=False):
        axes.plot(*zip(*points, strict=True), marker="." if len(points) < 30 else None)
        axes.set_title(name.removeprefix("eval/").replace("_", " "), fontsize="small", parse_math=False)
        axes.tick_params(labelsize="x-small")
    for axes in panels[len(curves) :]:
        axes.axis("off")
    figure.supxlabel("updates", fontsize="small")
    figure.savefig(picture, dpi=100)
    return True
