"""Several runs of each kind with the same seeds: their differences in pairs, intervals, and a sign test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hf_arae.evaluation.entailment import mean_and_interval


def sign_test(differences: Sequence[float]) -> float:
    """The two-sided p of as many differences of one sign, or more, if each were as likely; zeros do not count."""
    above, below = sum(one > 0 for one in differences), sum(one < 0 for one in differences)
    count = above + below
    tail = sum(math.comb(count, number) for number in range(max(above, below), count + 1))
    return min(1.0, 2 * tail / 2**count)


def paired_table(
    results: Mapping[str, Mapping[Any, float]], references: Sequence[str], number: str
) -> list[dict[str, Any]]:
    """Rows of a table: the mean of each kind of runs, and how much it is above that of others, seeds paired.

    Args:
        results: of each kind, a number by what its runs are paired over: the seed, or task and seed.
        references: the kinds that all others are compared with, as far as they are there.
        number: its name.

    Returns:
        For each kind its name, runs, mean and half the width of its 95 % interval (Student's t); and for each
        reference the mean difference over the pairs that both have, half the width of its interval, how many are above
        0, and the p of a sign test.
    """
    table = []
    for kind, own in results.items():
        if not own:
            continue
        mean, half = mean_and_interval([*own.values()])
        row: dict[str, Any] = {"graphs": kind, "runs": len(own), number: mean}
        row["+-"] = None if math.isnan(half) else half
        for reference in references:
            theirs = results.get(reference, {})
            pairs = [own[key] - theirs[key] for key in own if key in theirs]
            if theirs:
                row[f"less {reference}"] = "" if kind == reference or not pairs else _told(pairs)
        table.append(row)
    return table


def _told(differences: list[float]) -> str:
    mean, half = mean_and_interval(differences)
    if math.isnan(half):  # a single run
        return f"{mean:+.2f}"
    above = f"{sum(one > 0 for one in differences)} of {len(differences)} above"
    return f"{mean:+.2f} +- {half:.2f} ({above}, p {sign_test(differences):.2f})"


__all__ = ["paired_table", "sign_test"]
