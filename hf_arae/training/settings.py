"""Checks of an objective's settings: a wrong one is refused with its name and what is accepted."""

from __future__ import annotations

from typing import Any


def check_choice(settings: Any, name: str, accepted: tuple[str, ...]) -> None:
    """Raises `ValueError` unless the field `name` is one of `accepted`."""
    value = getattr(settings, name)
    if value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(accepted)}; got {value!r}")


def check_range(settings: Any, interval: str, *names: str) -> None:
    """Raises `ValueError` unless the fields `names` lie in an interval, which is written as in mathematics.

    Args:
        interval: `"[0, 1)"`, for example: a square bracket belongs to it, a round one does not; `inf` is no bound.
    """
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    for name in names:
        value = getattr(settings, name)
        above = value >= low if interval[0] == "[" else value > low
        below = value <= high if interval[-1] == "]" else value < high
        if not (above and below):
            raise ValueError(f"{name} must lie in {interval}, got {value}")
