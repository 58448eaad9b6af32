"""What kind each word of a vocabulary is, as far as rewriting and judging by clause must know. English rules."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from enum import IntEnum


class WordKind(IntEnum):
    """Kinds of words."""

    WORD = 0
    MARK = 1  # punctuation: it ends a clause
    CONJUNCTION = 2  # begins a clause
    NEGATION = 3
    FIXED = 4  # stands for what only the source knows: a number, an unknown word; or for no word


CONJUNCTIONS = frozenset(["but", "and", "because", "so", "although", "though", "however", "while", "yet", "or"])
NEGATIONS = frozenset(["not", "n't", "never", "no", "nothing", "nobody", "none", "nor", "cannot", "hardly", "without"])
_NUMBERS = frozenset(("_num_", "<num>", "#"))


def word_kind(word: str) -> WordKind:
    """The kind of a word in small letters, as the tokenizer writes it."""
    if word in CONJUNCTIONS:
        return WordKind.CONJUNCTION
    if word in NEGATIONS:
        return WordKind.NEGATION
    if word in _NUMBERS or any(character.isdigit() for character in word):
        return WordKind.FIXED
    if all(unicodedata.category(character)[0] in "PS" for character in word) or word in ("-lrb-", "-rrb-"):
        return WordKind.MARK
    return WordKind.WORD


def word_kinds(words: Iterable[str], special: Iterable[str] = ()) -> list[WordKind]:
    """The kinds of the words of a vocabulary; those of `special`, as the unknown word, are fixed."""
    named = frozenset(special)
    return [WordKind.FIXED if word in named else word_kind(word) for word in words]


def clauses(kinds: Sequence[int]) -> list[list[int]]:
    """The places of the words of each clause: marks stand in none, a conjunction begins one.

    Args:
        kinds: of the sentence's words.
    """
    found: list[list[int]] = [[]]
    for place, kind in enumerate(kinds):
        if kind == WordKind.MARK or (kind == WordKind.CONJUNCTION and found[-1]):
            found.append([])
        if kind != WordKind.MARK:
            found[-1].append(place)
    return [clause for clause in found if clause]
