"""How results look at the prompt and in a notebook: lists as tables, a bar over what takes long."""

from __future__ import annotations

import html
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any
from unicodedata import category

from transformers.utils import logging

_MAX_ROWS = 30  # of a table; the list holds all of them
_MIN_WIDTH = 20  # characters of a column whose texts are wrapped
_SECONDS = 3  # before a bar appears
_JOINERS = "\u200c\u200d"


class ShownList(list):
    """A list that is shown as a table: of texts, of dictionaries, of named tuples, or of lists of these.

    In everything else it is a list: it is equal to one, `json` and `datasets` take it for one, slices are plain.
    """

    def __repr__(self) -> str:
        return _text_table(self) if self else "[]"

    def _repr_html_(self) -> str:
        return _html_table(self)


def shown(results: Iterable[Any]) -> ShownList:
    """The same list, shown as a table, and so are the lists in it."""
    return ShownList(shown(item) if isinstance(item, list) else item for item in results)


def progress(items: Iterable[Any] | None = None, *, total: int, description: str) -> Any:
    """A bar over `items`, or one to `update`: only after seconds, only where someone watches, gone when all is done.

    `transformers.utils.logging.disable_progress_bar()` switches it off.
    """
    watched = "ipykernel" in sys.modules or sys.stderr.isatty()  # a log file is not filled with bars
    return logging.tqdm(items, total=total, desc=description, delay=_SECONDS, leave=False, disable=not watched)


def _rows(items: list[Any]) -> Iterator[tuple[tuple[int, ...], Mapping[str, Any]]]:
    """The places of each row in the lists around it, and its cells by column."""
    for place, item in enumerate(items):
        if isinstance(item, list):
            for places, cells in _rows(item) if item else [((), {})]:
                yield (place, *places), cells
        elif isinstance(item, Mapping):
            yield (place,), item
        elif isinstance(item, tuple) and hasattr(item, "_asdict"):
            yield (place,), item._asdict()
        else:
            yield (place,), {"text": item}


def _count(items: list[Any]) -> int:
    return sum(max(1, _count(item)) if isinstance(item, list) else 1 for item in items)


def _grid(items: list[Any]) -> tuple[list[str], list[list[str]], list[bool], int]:
    """Header, lines of cells, which columns stand to the right, and how many columns are places."""
    rows = list(islice(_rows(items), _MAX_ROWS))
    depth = max((len(places) for places, _ in rows), default=1)
    columns = list(dict.fromkeys(name for _, cells in rows for name in cells))
    lines, before = [], ()
    for places, cells in rows:
        # An outer place is said once, at the head of its rows.
        heads = [
            "" if level < len(places) - 1 and before[: level + 1] == places[: level + 1] else str(place)
            for level, place in enumerate(places)
        ]
        lines.append([*heads, *[""] * (depth - len(places)), *(_cell(cells.get(name)) for name in columns)])
        before = places
    right = [True] * depth + [
        all(isinstance(cells.get(name), (int, float, type(None))) for _, cells in rows) for name in columns
    ]
    return [*[""] * depth, *map(_cell, columns)], lines, right, depth


def _cell(value: Any) -> str:
    """On one line, and without what would steer a terminal."""
    if value is None:
        return ""
    return visible(f"{value:.3f}" if isinstance(value, float) else str(value))


def visible(text: str) -> str:
    """A text for the terminal: on one line, and without what would steer it, which is written as Python escapes it.

    Spaces of all scripts, and the joiners that some scripts and emoji need, stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in _JOINERS or category(one) == "Zs" else repr(one)[1:-1] for one in text
    )


def _text_table(items: list[Any]) -> str:
    header, lines, right, _ = _grid(items)
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    widest = widths.index(max(widths))
    room = shutil.get_terminal_size((119, 24)).columns - sum(widths) - 2 * (len(widths) - 1) + widths[widest]
    widths[widest] = min(widths[widest], max(room, _MIN_WIDTH))
    text = []
    for line in [header, *lines]:
        cells = [
            textwrap.wrap(cell, width, break_on_hyphens=False) or [""]
            for cell, width in zip(line, widths, strict=True)
        ]
        for number in range(max(map(len, cells))):
            parts = [cell[number] if number < len(cell) else "" for cell in cells]
            aligned = (
                part.rjust(width) if is_right else part.ljust(width)
                for part, width, is_right in zip(parts, widths, right, strict=True)
            )
            text.append("  ".join(aligned).rstrip())
    if left := _count(items) - len(lines):
        text.append(f"... and {left} more")
    return "\n".join(text)


def _html_table(items: list[Any]) -> str:
    header, lines, right, depth = _grid(items)

    def row(cells: list[str], head: bool = False) -> str:
        text = ""
        for number, (cell, is_right) in enumerate(zip(cells, right, strict=True)):
            name = "th" if head or number < depth else "td"
            text += f'<{name} style="text-align: {"right" if is_right else "left"}">{html.escape(cell)}</{name}>'
        return f"<tr>{text}</tr>"

    left = _count(items) - len(lines)
    more = f"<p>... and {left} more</p>" if left else ""
    body = "\n".join(map(row, lines))
    return f"<table>\n<thead>\n{row(header, head=True)}\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>{more}"


__all__ = ["ShownList", "progress", "shown", "visible"]
