"""Rows of numbers as a table that a person, a README and a model card can read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path


def markdown_table(rows: Sequence[Mapping[str, str | float]], decimals: int = 1) -> str:
    """Returns a Markdown table; its columns are the rows' keys in order of first appearance, missing cells are empty.

    Numbers are right-aligned, and rounded to `decimals` unless they are of type int. A bar or a line break in a text
    does not end its cell.
    """

    def in_a_cell(text: str) -> str:
        return re.sub(r"(?<!\\)\|", r"\|", " ".join(text.splitlines()))

    columns = list(dict.fromkeys(key for row in rows for key in row))

    def cell(value: str | float | None) -> str:
        if value is None or isinstance(value, (str, int)):
            return "" if value is None else in_a_cell(str(value))
        return f"{value:.{decimals}f}"

    body = [[cell(row.get(column)) for column in columns] for row in rows]
    heads = [in_a_cell(column) for column in columns]
    widths = [max(len(line[at]) for line in [heads, *body]) for at in range(len(columns))]
    numeric = [all(not isinstance(row.get(column), str) for row in rows) for column in columns]

    def line(cells: Sequence[str]) -> str:
        padded = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(cells, widths, numeric, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * (width - 1) + ":") if right else "-" * width for width, right in zip(widths, numeric, strict=True)]
    return "\n".join([line(heads), line(rule), *map(line, body)])


def outputs_name(system: str) -> str:
    """Name of the file that holds a table's system's outputs: of "runs/a (search)" it is outputs-a-search.jsonl."""
    return f"outputs-{re.sub(r'[^a-zA-Z0-9._]+', '-', Path(system).name).strip('-.')}.jsonl"
