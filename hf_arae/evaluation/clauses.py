"""Polarity by clause: a transfer that changes one half of a sentence and leaves the other is not one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hf_arae.evaluation.held_out_judges import HeldOutJudges
from hf_arae.metrics.numbers import Number

NUMBERS = {
    "changed_clauses": Number(
        "Outputs of which no clause has the source's label (%)",
        "The share of outputs of which no clause is given the source's label with a probability of 0.9 or more by the "
        "held-out classifier; higher is better.",
    ),
}

CONFIDENT = 0.9  # from this probability on a clause is taken to have a label
_MARKS = frozenset(",;:.!?")
_CONJUNCTIONS = frozenset(("but", "and"))
# Words that the clauses on both sides must have. "fast and friendly" is one clause, "bad service !" may be one.
_AFTER_MARK, _BEFORE_CONJUNCTION = 2, 3


def split_clauses(text: str) -> list[str]:
    """The clauses of a sentence, in order; together they are the sentence. An empty one has none.

    A clause ends after one of , ; : . ! ? if at least two words are on both sides, and before "but" and "and" if at
    least three are, up to the sentence's ends or the next such place; the conjunction is not counted.

    Args:
        text: words and marks separated by spaces.
    """
    parts: list[tuple[list[str], int]] = [([], 0)]  # the tokens, and how many words both sides of their begin need
    after_mark = False
    for token in text.split():
        if after_mark and not _is_mark(token):
            parts.append(([token], _AFTER_MARK))
        elif token in _CONJUNCTIONS:
            parts.append(([token], _BEFORE_CONJUNCTION))
        else:
            parts[-1][0].append(token)
        after_mark = _is_mark(token)
    clauses: list[list[str]] = []
    for tokens, needed in parts:
        if clauses and min(_num_words(clauses[-1]), _num_words(tokens)) >= needed:
            clauses.append(tokens)
        elif clauses:
            clauses[-1] = clauses[-1] + tokens
        else:
            clauses.append(tokens)
    return [" ".join(tokens) for tokens in clauses if tokens]


def _num_words(tokens: Sequence[str]) -> int:
    counted = tokens[1:] if tokens and tokens[0] in _CONJUNCTIONS else tokens
    return sum(not _is_mark(token) for token in counted)


def _is_mark(token: str) -> bool:
    return _MARKS.issuperset(token)  # "..." and "?!" too


def changed_everywhere(judges: HeldOutJudges, outputs: Sequence[str], labels: Sequence[int]) -> np.ndarray:
    """Whether no clause of an output still has the source's label, `(len(outputs),)`; an empty output has not changed.

    Args:
        judges: their classifier reads each clause.
        outputs: texts, words and marks separated by spaces.
        labels: of the sources.
    """
    clauses = [(row, clause) for row, text in enumerate(outputs) for clause in split_clauses(text)]
    changed = np.array([bool(text.strip()) for text in outputs])
    if clauses:
        probabilities = judges.probabilities([clause for _, clause in clauses])
        for (row, _), several in zip(clauses, probabilities, strict=True):
            changed[row] &= float(several[labels[row]]) < CONFIDENT
    return changed
