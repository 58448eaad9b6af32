"""The best of many rewritings: by label, by how usual the sentence is, by likeness to the source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

import torch
from torch import Tensor

WEIGHTS = ("style", "fluency", "content")


@dataclass
class Candidates:
    """Different rewritings of one sentence.

    Args:
        words: token ids of each, without `<bos>` and `<eos>`.
        style: log-odds of the wanted label under the classifier, `(n,)`: the mean of the whole sentence's, and of the
            least of its clauses' and its own.
        fluency: how usual it is for the wanted label, in nats a word, `(n,)`; see the model's `fluency`.
        content: likeness to the source, in 0..1, `(n,)`; see `overlap`.
    """

    words: list[list[int]]
    style: Tensor
    fluency: Tensor
    content: Tensor

    @classmethod
    def none(cls) -> Candidates:
        """No rewriting."""
        return cls([], *torch.zeros(3, 0))

    def with_others(self, others: Candidates) -> Candidates:
        """These and other rewritings of the same sentence."""
        pairs = ((self.style, others.style), (self.fluency, others.fluency), (self.content, others.content))
        return Candidates(self.words + others.words, *map(torch.cat, pairs))

    def scores(self, weights: Mapping[str, float], style_limit: float) -> Tensor:
        """What the choice is made by, `(n,)`: the weighted sum, in which `style` counts up to a limit."""
        return (
            weights["style"] * self.style.clamp(max=style_limit)
            + weights["fluency"] * self.fluency
            + weights["content"] * self.content
        )

    def best(self, weights: Mapping[str, float], style_limit: float, number: int = 1) -> list[list[int]]:
        """The words of the best ones, the best first; fewer than `number` where there are fewer."""
        if not self.words:
            return []
        order = self.scores(weights, style_limit).argsort(descending=True, stable=True)
        return [self.words[row] for row in order[:number].tolist()]


def overlap(one: Sequence[int], other: Sequence[int]) -> float:
    """Likeness of two sentences, in 0..1, 1 for the same: what they share of words, and of pairs of neighbours.

    It is the mean of two coefficients of Dice: twice what both have, over the sum of what each has. Neighbours count
    the sentence's begin and end as words. With them, one long change costs less than many scattered ones.
    """
    neighbours = [pairwise((None, *words, None)) for words in (one, other)]
    return (_dice(one, other) + _dice(*neighbours)) / 2


def repetitions(words: Sequence[int]) -> int:
    """How often a word stands beside itself, or but one word away: "not not", "service and service"."""
    return sum(one == other for step in (1, 2) for one, other in zip(words, words[step:], strict=False))


def _dice(one: Iterable[Hashable], other: Iterable[Hashable]) -> float:
    counts = Counter(one), Counter(other)
    total = counts[0].total() + counts[1].total()
    return 2 * (counts[0] & counts[1]).total() / total if total else 1.0


def checked_weights(weights: Mapping[str, float] | None, default: Mapping[str, float]) -> dict[str, float]:
    """The weights of a choice: those that are given, over the model's own.

    Raises:
        TypeError: they are no dictionary.
        ValueError: a name is unknown, a weight is negative or no finite number, or all are 0.
    """
    if weights is not None and not isinstance(weights, Mapping):
        raise TypeError(f"weights must be a dictionary of {', '.join(WEIGHTS)}, got {weights!r}")
    given = dict(weights or {})
    if unknown := sorted(set(given) - set(WEIGHTS)):
        raise ValueError(f"weights has {', '.join(map(repr, unknown))}; accepted: {', '.join(WEIGHTS)}")
    for name, weight in given.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not isfinite(weight) or weight < 0:
            raise ValueError(f"weights[{name!r}] must be a number of at least 0, got {weight!r}")
    chosen = {**default, **given}
    if not any(chosen.values()):
        raise ValueError("weights are all 0: nothing is left to choose by")
    return chosen
