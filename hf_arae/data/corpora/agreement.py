"""The built-in made-up language of agreement: which word depends on which is known, and most of it is far apart.

It needs no network and no files. A text is one long line of words that mean nothing, with two kinds of bonds in it:

- an *opener* and its *closer*, two words each, of the same kind: `bal em ... ad lab`. The word after the closer
  agrees with the opener's last word (`bal em ... ad lab hem`), the word before the opener with the closer's first one
  (`gad bal em ... ad lab`);
- a *subject* and its *verb*, of the same class: `sarva ... sarvet`. The word after the verb agrees with the subject's
  gender (`sarva ... sarvet ha`), the word before the subject with the verb's mood (`thet sarva ... sarvet`).

So who reads on from a closer or a verb has to look back at what it belongs to, wherever that stands, and who reads
backwards from an opener or a subject has to look ahead. Bonds cross each other; nothing in between helps, and it does
not help to know all words that came before without their order: which of several endings belongs to a closer, only
the word beside the ending tells. Of each kind of opener a text has one at most, and one subject; but nouns of any
class stand about as *attractors*, behind a preposition that says that they are no subjects.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

SPLIT_SIZES = {"train": 12_000, "validation": 500, "test": 500}
_WORDS = {"brackets": 2, "clauses": 1}  # of each half of a bond
BONDS = tuple(_WORDS)

_KINDS = ["bal", "dor", "fen", "gim"]
_CLASSES = ["sarv", "telk", "vond"]
_ENDINGS = ("em", "ol", "is")  # of openers
_AFTER_CLOSER = ("hem", "hol", "his")
_CLOSINGS = ("ad", "eg", "ir")  # of closers
_BEFORE_OPENER = ("gad", "geg", "gir")
_GENDERS = ("a", "o", "u")
_MOODS = ("et", "yx")
_PRONOUNS = ("ha", "ho", "hu")  # after a verb, by the subject's gender
_DETERMINERS = ("thet", "thyx")  # before a subject, by the verb's mood
_PREPOSITIONS = ("ap", "ek", "un")
_FILLERS = [first + second for first in ("bra", "cle", "dri") for second in ("b", "n", "s", "t")]
_FURTHEST = 7  # words and groups of words, about, from one half of a bond to the other
_MOST_OPEN = 3  # bonds at a time


def _next(source: random.Random, filler: int) -> int:
    """A filler's number, from the one before it: one of two."""
    return (2 * filler + source.randint(1, 2)) % len(_FILLERS)


def _leading_to(source: random.Random, words: tuple[str, ...], word: str) -> list[str]:
    """Two fillers that tell which of some words comes next."""
    last = words.index(word) * (len(_FILLERS) // len(words)) + source.randint(0, 1)
    first = source.choice([one for one in range(len(_FILLERS)) if (last - 2 * one) % len(_FILLERS) in (1, 2)])
    return [_FILLERS[first], _FILLERS[last], word]


def _leading_from(source: random.Random, words: tuple[str, ...], word: str) -> list[str]:
    """Two fillers that follow from which of some words came before."""
    first = words.index(word) * (len(_FILLERS) // len(words)) + source.randint(0, 1)
    return [word, _FILLERS[first], _FILLERS[_next(source, first)]]


@dataclass
class _Open:
    """A bond whose second half is still to come.

    Args:
        kind: of `BONDS`.
        first: place of its first word.
        rest: the words of its second half, and those after it.
        due: so many words and groups later it may come.
    """

    kind: str
    first: int
    rest: list[str]
    due: int


def _bond(source: random.Random, kind: str, stem: str, length: int) -> tuple[list[str], _Open]:
    """The words that begin a bond, behind `length` words of a text, and what is to come."""
    if kind == "brackets":
        ending, closing = source.choice(_ENDINGS), source.choice(_CLOSINGS)
        begin = [*_leading_to(source, _BEFORE_OPENER, "g" + closing), stem, ending]
        rest = [closing, stem[::-1], *_leading_from(source, _AFTER_CLOSER, "h" + ending)]
    else:
        gender, mood = source.choice(_GENDERS), source.choice(_MOODS)
        begin = [*_leading_to(source, _DETERMINERS, "th" + mood), stem + gender]
        rest = [stem + mood, *_leading_from(source, _PRONOUNS, "h" + gender)]
    words = _WORDS[kind]
    return begin, _Open(kind, length + len(begin) - words, rest, source.randint(3, _FURTHEST))


def _write(source: random.Random) -> tuple[list[str], dict[str, list[list[int]]]]:
    """A text, and its bonds by their kind, see `build_agreement`."""
    words: list[str] = []
    bonds: dict[str, list[list[int]]] = {kind: [] for kind in BONDS}
    ahead = [("brackets", kind) for kind in source.sample(_KINDS, source.randint(2, 3))]
    ahead += [("clauses", stem) for stem in source.sample(_CLASSES, 1)]
    source.shuffle(ahead)
    opened: list[_Open] = []
    filler = source.randrange(len(_FILLERS))
    while ahead or opened:
        due = [one for one in opened if one.due <= 0]
        if due:
            one = source.choice(due)
            opened.remove(one)
            last = _WORDS[one.kind] - 1
            bonds[one.kind].append([one.first, one.first + last, len(words), len(words) + last])
            words += one.rest
            filler = _FILLERS.index(words[-1])
        elif ahead and len(opened) < _MOST_OPEN and source.random() < 0.4:
            begun, one = _bond(source, *ahead.pop(), len(words))
            words += begun
            opened.append(one)
        elif source.random() < 0.2:
            noun = source.choice(_CLASSES) + source.choice(_GENDERS)
            words += [source.choice(_PREPOSITIONS), noun]
        else:
            filler = _next(source, filler)
            words.append(_FILLERS[filler])
        for one in opened:
            one.due -= 1
    return words, bonds


def build_agreement(sizes: dict[str, int] | None = None, seed: int = 0) -> DatasetDict:
    """Makes texts of the language, the same ones for the same sizes and seed.

    Args:
        sizes: number of rows by split; `SPLIT_SIZES` if `None`.
        seed: of the draws.

    Returns:
        Splits with the columns `text`, words separated by spaces; and `brackets` and `clauses`, for each bond of that
        kind four places, the text's first word being 0: of the first and last word of its first half (opener or
        subject), and of its second half (closer or verb). A closer's last word needs the opener's last one; read
        backwards, an opener's first word needs the closer's first one.
    """
    features = Features({"text": Value("string")} | {kind: List(List(Value("int64"))) for kind in BONDS})
    return DatasetDict(
        {
            split: Dataset.from_list([{"text": " ".join(words), **bonds} for words, bonds in texts], features=features)
            for split, texts in _splits(sizes, seed)
        }
    )


def build_agreement_judgements(sizes: dict[str, int] | None = None, seed: int = 0) -> DatasetDict:
    """Texts of the language to be judged: in half of them no bond holds.

    In those, openers have each other's endings, and the subject has another noun's gender, so that each word after a
    closer or a verb disagrees with the opener or subject. Words side by side tell nothing, nor do all words without
    their order: only who knows what belongs together can judge. Texts that cannot be broken so, as their openers have
    the same endings, say, are of neither half.

    Args:
        sizes: number of rows by split, by default 2 000, 500 and 500.
        seed: of the draws; other texts than `build_agreement`'s.

    Returns:
        Splits with the columns `text` and `label`: "wrong" or "right", in turn.
    """
    sizes = {"train": 2_000, "validation": 500, "test": 500} if sizes is None else sizes
    features = Features({"text": Value("string"), "label": ClassLabel(names=["wrong", "right"])})
    found = {}
    for split, size in sizes.items():
        source = random.Random(f"{seed} judgements {split}")
        rows: list[dict[str, str | int]] = []
        while len(rows) < size:
            words, bonds = _write(source)
            broken = _broken(source, words, bonds)
            if broken is not None:
                label = len(rows) % 2
                rows.append({"text": " ".join(words if label else broken), "label": label})
        found[split] = Dataset.from_list(rows, features=features)
    return DatasetDict(found)


def _broken(source: random.Random, words: list[str], bonds: dict[str, list[list[int]]]) -> list[str] | None:
    """The same words but for endings and genders that changed places, and no bond holds; `None` if that cannot be."""
    places = [ending for _, ending, *_ in bonds["brackets"]]
    own = [words[place] for place in places]
    orders = [one for one in permutations(own) if all(new != old for new, old in zip(one, own, strict=True))]
    subject = bonds["clauses"][0][0]
    others = [
        place + 1
        for place, word in enumerate(words)
        if word in _PREPOSITIONS and words[place + 1][-1] != words[subject][-1]
    ]
    if not orders or not others:
        return None
    broken = words.copy()
    for place, ending in zip(places, source.choice(orders), strict=True):
        broken[place] = ending
    other = source.choice(others)
    for place, theirs in ((subject, other), (other, subject)):
        broken[place] = words[place][:-1] + words[theirs][-1]
    return broken


def _splits(
    sizes: dict[str, int] | None, seed: int
) -> Iterator[tuple[str, list[tuple[list[str], dict[str, list[list[int]]]]]]]:
    for split, size in (SPLIT_SIZES if sizes is None else sizes).items():
        source = random.Random(f"{seed} texts {split}")
        yield split, [_write(source) for _ in range(size)]


__all__ = ["BONDS", "build_agreement", "build_agreement_judgements"]
