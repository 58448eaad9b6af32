"""Many ways to open a sentence for another label: gaps at the words that tell its label, around them, beside them."""

from __future__ import annotations

from collections.abc import Sequence

from hf_arae.data.text.word_kinds import WordKind, clauses
from hf_arae.models.infilling.masks import Gap, gaps_of

_MOST_WORDS = 4  # whose gaps are opened at once
_TELLING = 0.5  # nats from which a word counts as telling, in the set of all that do


def gap_sets(kinds: Sequence[int], telling: Sequence[float]) -> list[list[Gap]]:
    """Different sets of gaps for one sentence, the simplest first; about twenty.

    Words that only the source knows, numbers and unknown ones, are in no gap.

    Args:
        kinds: of the sentence's words, see [`~hf_arae.data.text.word_kinds.WordKind`].
        telling: how much each word tells of the label that is to be changed, in nats.
    """
    length = len(kinds)
    order = sorted(
        (place for place in range(length) if kinds[place] not in (WordKind.MARK, WordKind.FIXED)),
        key=lambda place: -telling[place],
    )
    found: list[list[Gap]] = []

    def add(places: Sequence[int], empty: Sequence[int] = ()) -> None:
        hidden = [False] * length
        for place in places:
            if 0 <= place < length and kinds[place] != WordKind.FIXED:
                hidden[place] = True
        gaps = gaps_of(hidden, empty)
        if gaps and gaps not in found:
            found.append(gaps)

    def inner(places: Sequence[int], *steps: int) -> list[int]:
        beside = (place + step for place in places for step in steps)
        return [place for place in beside if 0 <= place < length and kinds[place] != WordKind.MARK]

    if not order:
        add([], [length - 1 if length and kinds[-1] == WordKind.MARK else length])
        return found
    for count in range(1, min(_MOST_WORDS, len(order)) + 1):
        top = order[:count]
        add(top)
        # "not good" must not become "not great": the negation goes with the word.
        add([*top, *(place for place in inner(top, -1, -2) if kinds[place] == WordKind.NEGATION)])
        add([*top, *inner(top, -1)])
        add([*top, *inner(top, 1)])
        if count < 3:
            add([*top, *inner(top, -1, 1)])
    add(order[1:2])
    clause = next((places for places in clauses(kinds) if order[0] in places), [order[0]])
    add(clause)
    add([place for place in clause if place >= order[0]])
    add([place for place in clause if place <= order[0]])
    add([place for place in clause if place >= min(order[:2])])
    add([place for place in order if telling[place] > _TELLING])
    add(order[:1], [0])
    add([], [order[0]])
    add([], [0])
    return found
