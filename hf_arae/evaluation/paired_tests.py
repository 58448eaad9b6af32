"""How sure a number over sentences is, and a difference of two systems: the bootstrap and sign flips, in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hf_arae.utils.extras import import_extra

RESAMPLES = 1_000
_FLIPS = 10_000
_BOUNDS = (2.5, 97.5)  # percentiles: 95 % lie between
_MAX_ORDER = 4


class Interval(NamedTuple):
    """Where a number lies in 95 % of the resamples of the sentences (Efron 1979; Koehn 2004 for BLEU)."""

    low: float
    high: float


class Difference(NamedTuple):
    """A mean less another one, over the sentences that both systems have.

    Args:
        value: the difference.
        interval: 95 % of the paired resamples.
        p: share of sign flips of the sentences' differences that are at least as far from 0 (Fisher's randomization
            test, two-sided); at least 1 / 10 001.
        sentences: so many.
    """

    value: float
    interval: Interval
    p: float
    sentences: int


class Resampling:
    """Draws of sentences and of signs that are the same for all systems, so that they are compared in pairs.

    Args:
        size: number of sentences.
        resamples: draws of as many sentences, with replacement.
        seed: of the draws.

    Raises:
        ValueError: there is no sentence or no resample.
    """

    def __init__(self, size: int, resamples: int = RESAMPLES, seed: int = 0):
        if size < 1 or resamples < 1:
            raise ValueError(f"sentences and resamples must be at least 1, got {size} and {resamples}")
        source = np.random.default_rng(seed)
        self.size = size
        # How often each sentence is in each resample.
        self._counts = source.multinomial(size, np.full(size, 1 / size), resamples).astype(np.float32)
        self._seed = int(source.integers(2**31))

    def mean(self, values: np.ndarray, places: Sequence[int]) -> Interval:
        """The interval of a mean.

        Args:
            values: one a sentence, float or bool.
            places: which of the sentences have them.
        """
        counts = self._counts[:, list(places)]
        drawn = counts.sum(1)
        return _interval((counts @ np.asarray(values, np.float32))[drawn > 0] / drawn[drawn > 0])

    def bleu(self, outputs: Sequence[str], references: Sequence[Sequence[str]], places: Sequence[int]) -> Interval:
        """The interval of [`~hf_arae.metrics.bleu.Bleu`]'s number.

        Args:
            outputs: texts, tokens separated by spaces.
            references: of each, at least one.
            places: which of the sentences they are of.
        """
        bleu = import_extra("sacrebleu").BLEU
        longest = max(len(text.split()) for several in references for text in several)
        order = max(1, min(_MAX_ORDER, longest))
        scorer = bleu(tokenize="none", force=True, max_ngram_order=order, effective_order=True)
        found = []
        for output, several in zip(outputs, references, strict=True):
            score = scorer.sentence_score(output, list(several))
            found.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
        totals = np.rint(self._counts[:, list(places)] @ np.asarray(found, np.float32)).astype(int).tolist()
        values = [
            bleu.compute_bleu(
                row[:order],
                row[order : 2 * order],
                *row[-2:],
                smooth_method=scorer.smooth_method,
                effective_order=True,
                max_ngram_order=order,
            ).score
            for row in totals
        ]
        return _interval(np.minimum(values, 100.0))

    def difference(
        self, ours: np.ndarray, our_places: Sequence[int], theirs: np.ndarray, their_places: Sequence[int]
    ) -> Difference:
        """Our mean less theirs, over the sentences that both have.

        Raises:
            ValueError: the two have no sentence in common.
        """
        both = sorted(set(our_places) & set(their_places))
        if not both:
            raise ValueError("the two systems have no sentence in common")
        mine, other = dict(zip(our_places, ours, strict=True)), dict(zip(their_places, theirs, strict=True))
        values = np.array([float(mine[place]) - float(other[place]) for place in both], np.float32)
        observed = abs(float(values.sum()))
        changed = values[values != 0]  # others are 0 whatever their sign
        signs = np.random.default_rng(self._seed).integers(0, 2, (_FLIPS, len(changed)), dtype=np.int8)
        flipped = np.abs((2 * signs.astype(np.float32) - 1) @ changed)
        p = (1 + int((flipped >= observed - 1e-4).sum())) / (1 + _FLIPS)
        return Difference(float(values.mean()), self.mean(values, both), p, len(both))


def _interval(values: np.ndarray) -> Interval:
    return Interval(*np.percentile(values, _BOUNDS).tolist())
