"""JSON that is JSON: it has no NaN and no infinity, which Python would write all the same."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def to_json(value: Any, **options: Any) -> str:
    """As `json.dumps`, with `null` in place of each number that is not finite.

    Args:
        options: those of `json.dumps`.
    """
    return json.dumps(_plain(value), allow_nan=False, **options)


def exact(numbers: Mapping[str, float]) -> dict[str, float | str]:
    """The numbers by name, those that are not finite as text, so that `restored` gives the same ones back."""
    return {name: value if math.isfinite(value) else str(value) for name, value in numbers.items()}


def restored(numbers: Mapping[str, float | str]) -> dict[str, float]:
    """The numbers that `exact` was given."""
    return {name: float(value) if isinstance(value, str) else value for name, value in numbers.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
