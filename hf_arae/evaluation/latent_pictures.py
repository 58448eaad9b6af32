"""Pictures of the code space: its statistics over trainings (thesis, Figure 4.2), and a map of codes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from torch import Tensor

from hf_arae.utils.extras import import_extra

_PANELS = {
    "l2 norm of codes": ("code_norm", "drawn_norm"),
    "sum of the coordinates' variances": ("code_variance", "drawn_variance"),
    "cosine of neighbours": ("neighbour_cosine", "random_cosine"),
}
_STYLES = {"drawn": ("--", ", drawn"), "random": (":", ", random pairs")}
_MAX_LABELS = 10  # as many colours as a person tells apart
_LONGEST_NAME = 24  # characters of a model's name in a legend; of a longer one, such as a whole path, the end is shown


def _short(model: str) -> str:
    return _as_written(model if len(model) <= _LONGEST_NAME else f"...{model[3 - _LONGEST_NAME :]}")


def _as_written(text: str) -> str:
    """Text whose dollar signs are no formulas to matplotlib."""
    return text.replace("$", r"\$")


def draw_code_curves(log_files: Mapping[str, str | os.PathLike], picture: str | os.PathLike) -> bool:
    """Draws norms, variances and neighbours' cosine over trainings, a colour a model (thesis, Figure 4.2).

    Lines are of sentences' codes, dashed ones of codes that the model draws for new sentences, dotted ones of random
    pairs: where all codes share a direction, neighbours are near each other like any two.

    Args:
        log_files: by a model's name, its run's `training_log.jsonl` with the metrics of a `TextGenerationEvaluator`.
        picture: the file to write; its ending names the format.

    Returns:
        Whether it was drawn: not without matplotlib, or where no log has any of the numbers.
    """
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure  # without pyplot: no window system is asked for

    figure = Figure(figsize=(13, 4), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(1, 3), _PANELS.items(), strict=True):
        for number, (model, log_file) in enumerate(log_files.items()):
            lines = [json.loads(line) for line in Path(log_file).read_text(encoding="utf-8").splitlines()]
            for name in names:
                points = [
                    (line["step"], line[f"eval/{name}"]) for line in lines if line.get(f"eval/{name}") is not None
                ]
                if points:
                    style, suffix = _STYLES.get(name.split("_")[0], ("-", ""))
                    axes.plot(*zip(*points, strict=True), style, color=f"C{number}", label=f"{_short(model)}{suffix}")
        axes.set_title(title)
        axes.set_xlabel("updates")
        axes.set_ylim(bottom=0)  # so that lines which differ by a hundredth are seen to have met
        if axes.lines:
            below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13)}  # where no line is hidden
            axes.legend(fontsize="small", ncols=2, **below)
    if not any(axes.lines for axes in figure.axes):
        return False
    figure.savefig(picture, dpi=120)
    return True


def map_codes(codes: Tensor, seed: int = 0) -> np.ndarray:
    """Places of codes `(rows, code_size)` in two dimensions, `(rows, 2)`, by t-SNE.

    Args:
        codes: at least 4; some 2 000 rows take about 10 seconds.
        seed: of t-SNE, which begins at the principal components.

    Raises:
        ImportError: scikit-learn is not installed.
        ValueError: there are fewer than 4 rows.
    """
    if len(codes) < 4:
        raise ValueError(f"a map needs at least 4 codes, got {len(codes)}")
    tsne = import_extra("sklearn.manifold").TSNE
    return tsne(perplexity=min(30, (len(codes) - 1) / 3), init="pca", random_state=seed).fit_transform(codes.numpy())


def draw_code_maps(
    codes: Mapping[str, Tensor], labels: Sequence[str] | None, picture: str | os.PathLike, seed: int = 0
) -> bool:
    """Draws the codes of the same sentences under several models in two dimensions (t-SNE), a panel a model.

    Args:
        codes: by a model's name, `(rows, code_size)`.
        labels: of each row, told by colours; `None` leaves all in one. At most 10 different ones.
        picture: the file to write; its ending names the format.
        seed: see `map_codes`.

    Returns:
        Whether it was drawn: not without matplotlib.

    Raises:
        ImportError: scikit-learn is not installed.
        ValueError: there are fewer than 4 rows, or more than 10 labels.
    """
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    names = sorted(set(labels)) if labels is not None else []
    if len(names) > _MAX_LABELS:
        raise ValueError(f"a map shows at most {_MAX_LABELS} labels, got {len(names)}")
    figure = Figure(figsize=(5 * len(codes), 5), layout="constrained")
    for axes, (model, cloud) in zip(figure.subplots(1, len(codes), squeeze=False)[0], codes.items(), strict=True):
        places = map_codes(cloud, seed)
        for number, name in enumerate(names or [None]):
            rows = [row for row in range(len(cloud)) if name is None or labels[row] == name]
            axes.scatter(*places[rows].T, s=5, color=f"C{number}", label=name and _as_written(name))
        axes.set_title(_as_written(model))
        axes.set_xticks([])
        axes.set_yticks([])
        if names:
            axes.legend(markerscale=3)
    figure.savefig(picture, dpi=120)
    return True
