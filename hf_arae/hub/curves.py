"""A training's curves as a picture."""

from __future__ import annotations

import os
from importlib.util import find_spec

from hf_arae.storage.run_files import read_log

_PANELS = {
    "reward of drafts (nats)": ("read/reward", "read/baseline"),
    "reconstruction (nats a token)": ("reconstruct/loss", "read/reconstruction", "eval/reconstruction"),
    "length (words)": ("read/length", "eval/mean_length"),
    "words of the document (%)": ("read/copy_rate", "eval/copy_rate", "eval/prefix_overlap"),
}


def plot_curves(log_file: str | os.PathLike, picture: str | os.PathLike) -> bool:
    """Draws a summarizer's reward, reconstruction, length and copy rate over its training.

    Args:
        log_file: the run's `training_log.jsonl`.
        picture: the file to write; its ending names the format.

    Returns:
        Whether it was drawn: not without matplotlib.
    """
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure  # without pyplot: no window system is asked for

    lines = read_log(log_file)
    figure = Figure(figsize=(9, 6), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(2, 2).flat, _PANELS.items(), strict=True):
        for name in names:
            percent = 100 if name == "read/copy_rate" else 1  # terms of the objective are shares
            points = [(line["step"], percent * line[name]) for line in lines if line.get(name) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), label=name, marker="." if len(points) < 30 else None)
        axes.set_title(title)
        axes.set_xlabel("updates")
        if axes.lines:
            axes.legend()
    figure.savefig(picture, dpi=120)
    return True


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
