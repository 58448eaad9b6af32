"""Many trainings of GANs beside one another: medians with their uncertainty, and histograms of I'."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

_RESAMPLES = 10_000
_BINS = 20
_COLUMNS = 4  # panels in a row
Run = Mapping[str, Any]


def optimization(run: Run) -> str:
    """How a run was updated, "adam/sgd/0.001": the discriminator's optimizer, the generator's, and the rate."""
    return f"{run['discriminator_optimizer']}/{run['generator_optimizer']}/{run['learning_rate']:g}"


def name_of(run: Run) -> str:
    """A run's name for people and files."""
    name = f"{run['game']}-g{run['generator_depth']}x{run['generator_size']}"
    name += f"-d{run['discriminator_depth']}x{run['discriminator_size']}-dropout{run['dropout']:g}"
    name += f"-{optimization(run).replace('/', '-')}"
    if run["beta1"] is not None:
        name += f"-beta{run['beta1']:g}"
    if run["margin"] is not None:
        name += f"-m{run['margin']:g}-pt{run['pulling_away_weight']:g}"
    return f"{name}-seed{run['seed']}"


def _scores(runs: Iterable[Run]) -> list[float]:
    return [run["i_prime"] for run in runs]


def _of_game(runs: Sequence[Run], game: str) -> list[Run]:
    return [run for run in runs if run["game"] == game]


def _by_way(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The GANs among the runs, by their optimization, where there are several."""
    ways: dict[str, list[Run]] = {}
    for run in _of_game(runs, "gan"):
        ways.setdefault(f"GAN {optimization(run)}", []).append(run)
    return ways if len(ways) > 1 else {}


def compare(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Rows of a table: I' of EBGANs, of GANs, and of GANs by their optimization.

    Args:
        runs: with `game` ("ebgan" or "gan"), `i_prime`, how they were updated, and `diverged` where one did.

    Returns:
        Number, those that diverged, median, quartiles and best of each kind; and how much higher the EBGANs' median
        is, with its 95 % interval.
    """
    ebgans, gans = _of_game(runs, "ebgan"), _of_game(runs, "gan")
    kinds = {"EBGAN": ebgans, "GAN": gans} | _by_way(runs)
    rows = []
    for name, group in kinds.items():
        if not group:
            continue
        low, middle, high = np.percentile(_scores(group), [25, 50, 75])
        row = {"runs": name, "number": len(group), "diverged": sum(bool(run.get("diverged")) for run in group)}
        row |= {"median": float(middle), "lower quartile": float(low), "upper quartile": float(high)}
        row["best"] = max(_scores(group))
        if group is not ebgans and ebgans:
            difference, least, most = median_difference(_scores(ebgans), _scores(group))
            row["EBGAN's median less this"] = f"{difference:.2f} ({least:.2f} to {most:.2f})"
        rows.append(row)
    return rows


def by_depth(runs: Sequence[Run]) -> dict[str, dict[str, list[float]]]:
    """Panels of `draw_histograms`: all runs, and those whose two networks have 4 and 3 layers at most (Figure 3.2)."""
    panels = {}
    for title, most in (("all", None), ("up to 4 layers", 4), ("up to 3 layers", 3)):
        chosen = [
            run for run in runs if most is None or max(run["generator_depth"], run["discriminator_depth"]) <= most
        ]
        panels[title] = {"EBGAN": _scores(_of_game(chosen, "ebgan")), "GAN": _scores(_of_game(chosen, "gan"))}
    return panels


def by_optimization(runs: Sequence[Run]) -> dict[str, dict[str, list[float]]]:
    """Panels of `draw_histograms`: EBGANs beside the GANs of each optimization (Figure 3.3)."""
    ebgans = _scores(_of_game(runs, "ebgan"))
    return {way: {"EBGAN": ebgans, "GAN": _scores(group)} for way, group in _by_way(runs).items()}


def by_margin(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Rows of a table: what came out of each EBGAN, in order of its margin (Figure 3.9)."""
    numbers = ("frechet_distance", "i_prime", "class_entropy", "smallest_class_share")
    ordered = sorted(_of_game(runs, "ebgan"), key=lambda run: (run["pulling_away_weight"], run["margin"], run["seed"]))
    return [
        {"margin": f"{run['margin']:g}", "pulling-away weight": f"{run['pulling_away_weight']:g}"}
        | {name: run[name] for name in numbers if name in run}
        | {"run": name_of(run)}
        for run in ordered
    ]


def median_difference(first: Sequence[float], second: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """The difference of two medians, and its 95 % bootstrap interval over runs.

    Args:
        first, second: a number of each run, not of the same runs; at least one of each.
        seed: of the resampling, 10 000 times.

    Returns:
        The median of the first less that of the second; lower and upper end of the interval.

    Raises:
        ValueError: one of them is empty.
    """
    if not len(first) or not len(second):
        raise ValueError(f"medians of {len(first)} and {len(second)} runs cannot be compared")
    source = np.random.default_rng(seed)

    def medians(values: Sequence[float]) -> np.ndarray:
        values = np.asarray(values, float)
        return np.concatenate(
            [
                np.median(values[source.integers(len(values), size=(part, len(values)))], axis=1)
                for part in np.diff(np.linspace(0, _RESAMPLES, 11).astype(int))
            ]
        )

    low, high = np.percentile(medians(first) - medians(second), [2.5, 97.5])
    return float(np.median(first) - np.median(second)), float(low), float(high)


def draw_histograms(panels: Mapping[str, Mapping[str, Sequence[float]]], picture: str | os.PathLike) -> bool:
    """Draws histograms of I' side by side: the share of runs (%) in each of 20 bins (thesis, Figures 3.2 and 3.3).

    Args:
        panels: by title, the I' of each run of one or several kinds by name; a panel without runs is left out.
        picture: the file to write; its ending names the format.

    Returns:
        Whether it was drawn: not without matplotlib, or where there are no runs.
    """
    shown = {title: {name: runs for name, runs in kinds.items() if len(runs)} for title, kinds in panels.items()}
    shown = {title: kinds for title, kinds in shown.items() if kinds}
    if find_spec("matplotlib") is None or not shown:
        return False
    from matplotlib.figure import Figure  # without pyplot: no window system is asked for

    columns = min(len(shown), _COLUMNS)
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.8 * rows), layout="constrained")
    most = max(max(runs) for kinds in shown.values() for runs in kinds.values())
    edges = np.linspace(0, most or 1, _BINS + 1)
    places = figure.subplots(rows, columns, squeeze=False, sharex=True).flat
    names = list(dict.fromkeys(name for kinds in shown.values() for name in kinds))
    for axes, (title, kinds) in zip(places, shown.items(), strict=False):
        for name, runs in kinds.items():
            weights = np.full(len(runs), 100 / len(runs))
            label, colour = f"{name} ({len(runs)})", f"C{names.index(name) % 10}"
            axes.hist(runs, edges, weights=weights, alpha=0.55, color=colour, label=label)
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel("I' (nats)")
        axes.set_ylabel("share of runs (%)")
        axes.legend(fontsize="small")
    for axes in list(places)[len(shown) :]:
        axes.set_visible(False)
    figure.savefig(picture, dpi=110)
    return True
