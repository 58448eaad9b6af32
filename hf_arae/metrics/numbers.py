"""What the numbers of metrics and evaluators are called, for people: in cards, and in legends under tables.

A file of `hf_arae.metrics` or `hf_arae.evaluation` names the numbers that it gives in a dictionary `NUMBERS`.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NamedTuple

_ROOMS = ("hf_arae.metrics", "hf_arae.evaluation")


class Number(NamedTuple):
    """A number's name for people.

    Args:
        label: a few words, with the unit.
        meaning: a sentence that says what is measured, and which direction is better where one is.
        in_metadata: a model card lists it among the results in its metadata, and not in its table alone.
    """

    label: str
    meaning: str
    in_metadata: bool = False


@cache
def known_numbers() -> dict[str, Number]:
    """Returns every number that has a name. Not to be changed.

    Raises:
        ValueError: two files mean different things by one name.
    """
    found: dict[str, Number] = {}
    for room in _ROOMS:
        for module in iter_modules(import_module(room).__path__, f"{room}."):
            for name, number in getattr(import_module(module.name), "NUMBERS", {}).items():
                if found.setdefault(name, number) != number:
                    raise ValueError(f"{module.name} means something else by {name!r} than another file does")
    return found


def label_of(name: str) -> str:
    """Returns what a number is called, or its name itself where no file says it."""
    return known_numbers()[name].label if name in known_numbers() else name


def legend(table: Iterable[str] | Iterable[Mapping[str, Any]]) -> str:
    """Returns what the columns of a table mean, as a Markdown list; nothing of columns that no file names.

    Args:
        table: names of numbers, or the rows of the table.
    """
    names = [name for row in table for name in ([row] if isinstance(row, str) else row)]
    known = {name: known_numbers()[name] for name in names if name in known_numbers()}
    return "\n".join(f"- `{name}`: {number.label}. {number.meaning}" for name, number in known.items())
