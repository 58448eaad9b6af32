"""Escaped HTML: texts with words marked, and tables.

Everything typed or written by a model goes through `escape`, and reaches the page as the value of a `gr.HTML` whose
template is the default one. A template of its own would be no protection: gradio evaluates what `{{value}}` has put
into it as JavaScript.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from html import escape
from itertools import groupby

from hf_arae.data.text.detokenization import detokenize
from hf_arae.data.text.tokenization import NUMBER_TOKEN

# Digits stand alone, as some models write "#" for each.
_MAX_PAIRS = 40_000  # of words, that are compared each with each
_WORD = re.compile(r"(?<=\w)['\u2019][^\W\d]+|[^\W\d]+|\d|[^\w\s]")


def readable(text: str) -> str:
    """What a model wrote, joined and capitalised, and with its numbers readable."""
    return with_numbers(detokenize(text))


def with_numbers(text: str) -> str:
    """The text with "[number]" where a model writes that there is one."""
    return text.replace(NUMBER_TOKEN, "[number]")


def shared_words(source: str, text: str) -> tuple[list[bool], list[bool]]:
    """Tells for each word of two texts whether the other one has it too, in the same order.

    Words are compared without case, and "#" equals any digit. The time is that of the texts' lengths: where they are
    long, each word is looked for after the place of the one before.
    """
    words = [["#" if word.isdigit() else word.lower() for word in _WORD.findall(given)] for given in (source, text)]
    shared = [[False] * len(given) for given in words]
    if len(words[0]) * len(words[1]) > _MAX_PAIRS:
        for places in _in_order(*words):
            for flags, place in zip(shared, places, strict=True):
                flags[place] = True
        return shared[0], shared[1]
    for block in SequenceMatcher(None, *words, autojunk=False).get_matching_blocks():
        for flags, start in zip(shared, (block.a, block.b), strict=True):
            flags[start : start + block.size] = [True] * block.size
    return shared[0], shared[1]


def _in_order(source: Sequence[str], text: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Places of like words in both texts, each after the one before; words that come too late are left."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(source):
        places.setdefault(word, []).append(place)
    after = 0
    for place, word in enumerate(text):
        found = places.get(word, ())
        next_one = bisect_left(found, after)
        if next_one < len(found):
            yield found[next_one], place
            after = found[next_one] + 1


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
