"""Trainings of many weights, numbers of labels and draws of labels: what each is worth, and which one is chosen."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from hf_arae.evaluation.entailment import mean_and_interval
from hf_arae.metrics.numbers import Number

Run = Mapping[str, Any]
ERROR = "validation_classification_error"
TEST_ERROR = "classification_error"

NUMBERS = {
    ERROR: Number(
        "Error on validation images (%)", "How many validation images are labelled wrongly; lower is better."
    ),
    "error_alone": Number("Error of the ConvNet (%)", "The same error of runs with the weight 0 of reconstruction."),
    "error_difference": Number(
        "Difference of errors (points)",
        "The error less that of weight 0, on the same draws of labels and on average over these; below 0 is better.",
    ),
}


def _mean(values: Sequence[float], name: str) -> dict[str, float | None]:
    """A mean and the ends of its 95 % interval, as columns; `None` where one run has no interval."""
    middle, half = mean_and_interval(values)
    known = math.isfinite(half)
    return {
        name: middle,
        f"{name}_low": middle - half if known else None,
        f"{name}_high": middle + half if known else None,
    }


def _by_draw(runs: Iterable[Run], labels: int | str, weight: float, number: str) -> dict[int, float]:
    wanted = (run for run in runs if (run["labelled_images"], run["weight"]) == (labels, weight))
    return {run["seed"]: run[number] for run in wanted if run.get(number) is not None}


def compare_weights(runs: Sequence[Run], number: str = ERROR) -> list[dict[str, Any]]:
    """A row for each number of labels and weight.

    Args:
        runs: with `labelled_images`, `weight`, `seed`, and errors.
        number: which error is compared.

    Returns:
        `labelled_images`, `weight`, `draws`; the mean error over draws and, where there are several, the ends of its
        95 % interval; and where there are runs of weight 0 on the same draws, the `error_difference` from them, with
        its own.
    """
    rows = []
    for labels in dict.fromkeys(run["labelled_images"] for run in runs):
        for weight in sorted({run["weight"] for run in runs if run["labelled_images"] == labels}):
            own = _by_draw(runs, labels, weight, number)
            if not own:
                continue
            row = {"labelled_images": labels, "weight": weight, "draws": len(own)} | _mean(list(own.values()), number)
            alone = _by_draw(runs, labels, 0, number)
            if weight and (both := own.keys() & alone.keys()):
                row |= _mean([own[draw] - alone[draw] for draw in sorted(both)], "error_difference")
            rows.append(row)
    return rows


def choose_weights(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The weight above 0 of the lowest mean validation error for each number of labels, and its test errors.

    Returns:
        A row for each number of labels: `labelled_images`, the chosen `weight`, `validation_error`, that of weight 0
        as `validation_error_alone`, and of the test split the columns of `compare_weights`, with `error_alone`, the
        error of weight 0, where these were measured.
    """
    found = []
    on_validation, on_test = compare_weights(runs), compare_weights(runs, TEST_ERROR)
    for labels in dict.fromkeys(row["labelled_images"] for row in on_validation):
        own = [row for row in on_validation if row["labelled_images"] == labels]
        tried, alone = [row for row in own if row["weight"]], [row for row in own if not row["weight"]]
        if not tried:
            continue
        best = min(tried, key=lambda row: row[ERROR])
        tested = {row["weight"]: row for row in on_test if row["labelled_images"] == labels}
        row = {"labelled_images": labels, "weight": best["weight"], "validation_error": best[ERROR]}
        if alone:
            row["validation_error_alone"] = alone[0][ERROR]
        if best["weight"] in tested:
            row |= tested[best["weight"]]
        if 0 in tested:
            row["error_alone"] = tested[0][TEST_ERROR]
        found.append(row)
    return found


def draw_weights(rows: Sequence[Mapping[str, Any]], picture: str | os.PathLike, number: str = ERROR) -> bool:
    """Draws errors against weights, a curve for each number of labels (thesis, Figure 6.4).

    Args:
        rows: of `compare_weights`.
        picture: the file to write; its ending names the format.
        number: the error of `rows`.

    Returns:
        Whether it was drawn: not without matplotlib, or where there are no rows.
    """
    if find_spec("matplotlib") is None or not rows:
        return False
    from matplotlib.figure import Figure  # without pyplot: no window system is asked for

    figure = Figure(figsize=(5.6, 4), layout="constrained")
    axes = figure.subplots()
    weights = sorted({row["weight"] for row in rows})
    for labels in dict.fromkeys(row["labelled_images"] for row in rows):
        own = [row for row in rows if row["labelled_images"] == labels]
        halves = [0 if row[f"{number}_high"] is None else row[f"{number}_high"] - row[number] for row in own]
        places = [weights.index(row["weight"]) for row in own]
        axes.errorbar(places, [row[number] for row in own], halves, marker="o", capsize=3, label=f"{labels} labels")
    axes.set_xticks(range(len(weights)), [f"{weight:g}" for weight in weights])
    axes.set_xlabel("weight of reconstruction")
    axes.set_ylabel("error on validation images (%)")
    axes.legend(fontsize="small")
    figure.savefig(picture, dpi=120)
    return True
