"""How varied a set of samples is."""

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Any

import datasets
import evaluate

from hf_arae.metrics.interface import InMemoryMetric, check_texts
from hf_arae.metrics.numbers import Number
from hf_arae.utils.extras import import_extra

NUMBERS = {
    "distinct_1": Number(
        "Distinct words (%)",
        "Different words over all words of the sentences; higher is more varied.",
    ),
    "distinct_2": Number(
        "Distinct bigrams (%)",
        "Different pairs of neighbouring words over all pairs; higher is more varied.",
    ),
    "self_bleu": Number(
        "Self-BLEU among new sentences",
        "BLEU of each new sentence to all the others, 0 to 100; lower is more varied.",
        in_metadata=True,
    ),
    "distinct_sentences": Number(
        "Outputs that differ from one another (%)",
        "Different sentences over all sentences; higher is more varied.",
    ),
    "mean_length": Number(
        "Mean length (words)",
        "Words a text.",
        in_metadata=True,
    ),
}

_MAX_SAMPLES = 500
_MAX_ORDER = 4


class Diversity(InMemoryMetric):
    """Distinct n-grams, BLEU among samples and mean length: shows a generator that repeats itself.

    ```python
    metric = Diversity()
    metric.compute(predictions=["two dogs run .", "two dogs run .", "a man sleeps ."])["distinct_sentences"]
    # 66.67
    ```

    `compute` takes
        predictions: list of n str, n > 1, tokens separated by spaces.
    and returns
        distinct_1, distinct_2: different uni- or bigrams over all of them, in 0..100, higher is more varied (Li et al.
            2016).
        self_bleu: corpus BLEU-4 of each sample with all others as its references, in 0..100, lower is more varied
            (Zhu et al. 2018, there averaged over sentences), with shorter n-grams where no sample has four words; of
            a fixed draw of 500 where n is larger. It grows with the number of samples: compare equal numbers.
        distinct_sentences: different sentences over n, in 0..100.
        mean_length: tokens a sentence.

    Raises:
        TypeError: an item is not a str.
        ValueError: there are fewer than two predictions.
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="Li et al. 2016, A Diversity-Promoting Objective Function; Zhu et al. 2018, Texygen",
            features=datasets.Features({"predictions": datasets.Value("string")}),
        )

    def _compute(self, predictions: Any) -> dict[str, float]:
        sentences = [tuple(text.split()) for text in check_texts("predictions", predictions)]
        if len(sentences) < 2:
            raise ValueError("predictions must be at least two: one sample is not compared with itself")
        drawn = sentences
        if len(sentences) > _MAX_SAMPLES:
            drawn = random.Random(0).sample(sentences, _MAX_SAMPLES)
        return {
            "distinct_1": _distinct(sentences, 1),
            "distinct_2": _distinct(sentences, 2),
            "self_bleu": _self_bleu(drawn),
            "distinct_sentences": 100 * len(set(sentences)) / len(sentences),
            "mean_length": sum(map(len, sentences)) / len(sentences),
        }


def _ngrams(tokens: tuple[str, ...], order: int) -> Iterator[tuple[str, ...]]:
    return zip(*(tokens[start:] for start in range(order)), strict=False)


def _distinct(sentences: list[tuple[str, ...]], order: int) -> float:
    ngrams = [ngram for tokens in sentences for ngram in _ngrams(tokens, order)]
    return 100 * len(set(ngrams)) / len(ngrams) if ngrams else 0.0


def _self_bleu(sentences: list[tuple[str, ...]]) -> float:
    """Corpus BLEU of each sentence against all others, in time linear in their number.

    BLEU clips an n-gram's count by its largest count in a reference. The largest count among all others is the largest
    of all, or the second largest for the one sentence that holds the largest.
    """
    counts = [Counter(g for order in range(1, _MAX_ORDER + 1) for g in _ngrams(s, order)) for s in sentences]
    largest: dict[tuple[str, ...], tuple[int, int]] = {}
    for counter in counts:
        for ngram, count in counter.items():
            first, second = largest.get(ngram, (0, 0))
            largest[ngram] = (count, first) if count > first else (first, max(second, count))

    correct, total = [0] * _MAX_ORDER, [0] * _MAX_ORDER
    for counter in counts:
        for ngram, count in counter.items():
            first, second = largest[ngram]
            total[len(ngram) - 1] += count
            correct[len(ngram) - 1] += min(count, second if count == first else first)
    lengths = [len(tokens) for tokens in sentences]
    scorer = import_extra("sacrebleu").BLEU
    closest = _closest_lengths(lengths)
    return scorer.compute_bleu(correct, total, sum(lengths), closest, smooth_method="exp", effective_order=True).score


def _closest_lengths(lengths: list[int]) -> int:
    """Sum over sentences of the length of that other sentence which is nearest in length (the shorter of two)."""
    ordered, closest = sorted(lengths), 0
    for length in lengths:
        others = ordered.copy()
        place = bisect_left(others, length)
        del others[place]
        neighbours = others[max(place - 1, 0) : place + 1]
        closest += min(neighbours, key=lambda other: (abs(other - length), other))
    return closest
