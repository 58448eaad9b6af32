"""A summarizer's training as a picture."""

from __future__ import annotations

import os
from importlib.util import find_spec

from hf_arae.storage.run_files import read_log

_PANELS = {
    "reward of drafts (nats)": ("reader/reward", "reader/baseline"),
    "reconstruction (nats a token)": ("reconstructor/loss", "reader/reconstruction_loss", "eval/reconstruction"),
    "length (words)": ("reader/length", "eval/mean_length"),
    "words of the document (%)": ("reader/copy_rate", "eval/copy_rate", "eval/prefix_overlap"),
}


def plot_reader_curves(log_file: str | os.PathLike, picture: str | os.PathLike) -> bool:
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
            percent = 100 if name == "reader/copy_rate" else 1  # terms of the objective are shares
            points = [(line["step"], percent * line[name]) for line in lines if line.get(name) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), label=name, marker="." if len(points) < 30 else None)
        axes.set_title(title)
        axes.set_xlabel("updates")
        if axes.lines:
            axes.legend()
    figure.savefig(picture, dpi=120)
    return True


__all__ = ["plot_reader_curves"]
