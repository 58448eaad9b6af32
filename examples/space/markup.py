"""Escaped HTML: texts with words marked, and tables.

Everything typed or written by a model goes through `escape`, and reaches the page as the value of a `gr.HTML` whose
template is the default one. A template of its own would be no protection: gradio evaluates what `{{value}}` has put
into it as JavaScript.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from html import escape
from itertools import groupby

# Digits stand alone, as some models write "#" for each.
_WORD = re.compile(r"(?<=\w)['\u2019][^\W\d]+|[^\W\d]+|\d|[^\w\s]")


def shared_words(source: str, text: str) -> tuple[list[bool], list[bool]]:
    """Tells for each word of two texts whether the other one has it too, in the same order.

    Words are compared without case, and "#" equals any digit.
    """
    words = [["#" if word.isdigit() else word.lower() for word in _WORD.findall(given)] for given in (source, text)]
    shared = [[False] * len(given) for given in words]
    for block in SequenceMatcher(None, *words, autojunk=False).get_matching_blocks():
        for flags, start in zip(shared, (block.a, block.b), strict=True):
            flags[start : start + block.size] = [True] * block.size
    return shared[0], shared[1]


def mark(text: str, flags: Sequence[bool], tag: str) -> str:
    """Escapes a text and puts a tag around each run of flagged words; `flags` has one for each of its words."""
    places = [match.span() for match in _WORD.finditer(text)]
    pieces, done = [], 0
    for flagged, run in groupby(zip(places, flags, strict=True), key=lambda pair: pair[1]):
        if flagged:
            run = [place for place, _ in run]
            start, end = run[0][0], run[-1][1]
            pieces += [escape(text[done:start]), f"<{tag}>{escape(text[start:end])}</{tag}>"]
            done = end
    return "".join([*pieces, escape(text[done:])])


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts, which are escaped; the first column is narrow."""
    head = "".join(f"<th scope='col'>{escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table class='texts'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def note(text: str) -> str:
    """A remark in small letters."""
    return f"<p class='note'>{escape(text)}</p>"
