"""Checks of settings: a wrong one is refused with its name and what is accepted."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from typing import Any


def check_choice(settings: Any, name: str, accepted: tuple[str, ...]) -> None:
    """Raises `ValueError` unless the field `name` is one of `accepted`."""
    value = getattr(settings, name)
    if value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(accepted)}; got {value!r}")


def check_range(settings: Any, interval: str, *names: str, whole: bool = False) -> None:
    """Raises `ValueError` unless the fields `names` are numbers in an interval.

    A field that a dataclass declares as `int` must hold a whole number. NaN lies in no interval.

    Args:
        settings: a dataclass, or any object with these attributes.
        interval: `"[0, 1)"`, for example: a square bracket belongs to it, a round one does not; `inf` is no bound,
            and is not accepted either.
        whole: they must all be whole numbers.
    """
    declared = {field.name: field.type for field in fields(settings)} if is_dataclass(settings) else {}
    for name in names:
        check_number(name, getattr(settings, name), interval, whole or declared.get(name) in (int, "int"))


def check_widths(settings: Any, *names: str) -> None:
    """Raises `ValueError` unless the fields `names` are lists of widths of layers, which may be empty."""
    for name in names:
        widths = getattr(settings, name)
        if not isinstance(widths, (list, tuple)):
            raise ValueError(f"{name} must be a list of whole numbers, got {widths!r}")
        for width in widths:
            check_number(f"each of {name}", width, WIDTHS, True)


# Far beyond what can be trained, and small enough for the error to come before the memory or the patience ends.
WIDTHS = "[1, 1000000]"
LAYERS = "[1, 1000]"
VOCABULARY = "[1, 100000000]"


def check_number(name: str, value: Any, interval: str, whole: bool = False) -> None:
    """Raises `ValueError`, which names the value, unless it is a number in an interval; see `check_range`."""
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        raise ValueError(f"{name} must be a {'whole ' if whole else ''}number in {interval}, got {value!r}")
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    above = value >= low if interval[0] == "[" else value > low
    below = value <= high if interval[-1] == "]" else value < high
    if not (above and below):
        raise ValueError(f"{name} must lie in {interval}, got {value}")


def check_tells_apart(num_labels: int, problem_type: str | None) -> None:
    """Makes sure that a config is one of a classifier that chooses one of several labels.

    Raises:
        ValueError: there are fewer than two labels, of which nothing is to be learned, or the problem is another one.
    """
    if num_labels < 2:
        raise ValueError(f"num_labels must be at least 2, for labels to be told apart; got {num_labels}")
    if problem_type not in (None, "single_label_classification"):
        raise ValueError(f"problem_type must be single_label_classification, or None; got {problem_type!r}")
