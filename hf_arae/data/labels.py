"""What a label or a column is called, however a file writes it."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from datasets import ClassLabel
from datasets.features.features import FeatureType

_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u2060\u00ad"))  # byte order mark, spaces without width, soft hyphen
_WHOLE = re.compile(r"([+-]?(?:0|[1-9][0-9]*))\.0+", re.ASCII)
_EXACT = 2**53  # beyond it a float no longer tells neighbouring integers apart
_NUMBERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")
_LABEL_TYPES = ("string", "large_string", "string_view", "bool", "null", *_NUMBERS)


@lru_cache(maxsize=4096)
def clean_name(name: str) -> str:
    """A column's or a text label's name without what cannot be seen: blanks around it, marks without width.

    White space within it, such as a no-break space, becomes one space, and letters with accents get their usual form.
    """
    name = name.encode(errors="replace").decode()  # half of a surrogate pair cannot be written anywhere
    return " ".join(unicodedata.normalize("NFC", name.translate(_INVISIBLE)).split())


def label_name(value: Any) -> str | None:
    """What a label that is a string, a number or a truth value is called; None where there is none.

    A whole float is called as the integer is (1.0 is "1", also as text), since one empty cell makes floats of a
    column of integers. "01" stays "01", and words such as "None" and "NA" are words.

    Raises:
        ValueError: a float that is not a whole number, or a value of another type; says so.
    """
    if isinstance(value, str):
        name = clean_name(value)
        whole = _WHOLE.fullmatch(name)
        return (str(int(whole[1])) if whole and len(name) < 1000 else name) or None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float):
        if not math.isfinite(value) or not value.is_integer() or abs(value) > _EXACT:
            raise ValueError(f"the label {value!r} is no whole number; write such labels as text")
        return str(int(value))
    if isinstance(value, (bool, int)):
        return str(value)
    raise ValueError(f"a label must be a string, a number or a truth value, not {type(value).__name__}")


class LabelNames:
    """Names the values of a label column.

    Args:
        kind: the column's type; a `ClassLabel` has names of its own, and -1 for no label.
    """

    def __init__(self, kind: FeatureType):
        self._names = kind.names if isinstance(kind, ClassLabel) else None
        self._known: dict[Any, str | None] = {}

    def __call__(self, value: Any) -> str | None:
        """As `label_name`."""
        if value not in self._known:
            if self._names is None:
                self._known[value] = label_name(value)
            else:
                self._known[value] = None if value is None or value < 0 else self._names[value]
        return self._known[value]


def label_order(kind: FeatureType, present: Iterable[str]) -> list[str]:
    """The labels that occur, in the order of their ids: a `ClassLabel`'s own, else sorted, as numbers if all are."""
    if isinstance(kind, ClassLabel):
        present = set(present)
        return [name for name in kind.names if name in present]
    return sorted_names(present)


def sorted_names(names: Iterable[str]) -> list[str]:
    """Labels in the order of their ids: by number if all are numbers."""
    names = set(names)
    try:
        return sorted(names, key=lambda name: (int(name), name))
    except ValueError:
        return sorted(names)


def left_out_classes(kind: FeatureType, names: Sequence[str]) -> list[str]:
    """The classes of a `ClassLabel` that are not among `names`, as those without rows are."""
    return [name for name in kind.names if name not in names] if isinstance(kind, ClassLabel) else []


def is_label_type(kind: FeatureType) -> bool:
    """Whether a column of this kind can hold labels."""
    return isinstance(kind, ClassLabel) or getattr(kind, "dtype", "") in _LABEL_TYPES


def check_label_type(kind: FeatureType, column: str, split: str) -> None:
    """Raises a ValueError if labels cannot be of this kind."""
    if not is_label_type(kind):
        raise ValueError(
            f"Column {column!r} of the {split} split holds {kind}; labels must be ClassLabel, integers or strings "
            "(truth values and whole floats count as well)."
        )
