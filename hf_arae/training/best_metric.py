"""Which evaluation is the best one: by which of its numbers, and when one number is better than another."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def check_metric_name(name: str | None, evaluator: Callable[..., Any] | None, model: Any) -> None:
    """Refuses a `metric_for_best_model` that no evaluation will have, as far as that is known ahead.

    Args:
        name: the metric; `None` is none.
        evaluator: what evaluates; it may name its metrics by a method `metric_names(model)`.
        model: what will be evaluated.

    Raises:
        ValueError: there is no evaluator, or it has no metric of that name.
    """
    if name is None:
        return
    if evaluator is None:
        raise ValueError(f"metric_for_best_model={name!r} needs an evaluator")
    if hasattr(evaluator, "metric_names"):
        names = evaluator.metric_names(model)
        if name not in names:
            raise ValueError(
                f"metric_for_best_model={name!r} is not among the evaluation's metrics: {', '.join(sorted(names))}"
            )


def is_better(value: float, best: float | None, greater_is_better: bool) -> bool:
    """Whether a score is better than the best one so far (`None`: there is none).

    NaN never is, nor is the infinity that lies in the wrong direction.
    """
    sign = 1 if greater_is_better else -1
    return sign * value > (-math.inf if best is None else sign * best)
