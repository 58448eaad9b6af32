"""Word overlap between a sentence and its transfer."""

import math
from collections import Counter
from typing import Any
from unicodedata import category

import datasets
import evaluate

from hf_arae.metrics.interface import InMemoryMetric, check_texts, labelled_texts
from hf_arae.metrics.numbers import Number

NUMBERS = {
    "word_overlap": Number(
        "Words shared with the source (%)",
        "Of the words that do not tell the label, the share that output and source have in common; higher keeps more.",
    ),
}

# Function words carry no content. Negations are left in: fit() finds them where they carry style.
_STOP_WORDS = """
    a about after all also am an and are as at be because been before being both but by can could did do does doing
    down each few for from further had has have having he her here hers herself him himself his how i if in into is it
    its itself just me more most my myself of off on once only or other our ours ourselves out over own same she should
    so some such than that the their theirs them themselves then there these they this those through to too under until
    up us very was we were what when where which while who whom why will with would you your yours yourself yourselves
    's 'm 're 've 'd 'll
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

# A word whose odds differ by more than e^1.5 = 4.5 between the labels is a word of style. On Yelp this takes "good"
# and "never", and leaves "food" and "manager".
_MIN_LOG_ODDS = 1.5
_FIRST_SYMBOL = 0x2190  # arrows; emoji come after them


class ContentPreservation(InMemoryMetric):
    """Word overlap of John et al. 2019: mean Jaccard index of content words, in 0..100, higher is better.

    For each pair it is the number of words in both sentences over the number of words in either, after removing
    punctuation, stop words and, once `fit` was called, words of style. Two sentences without a content word agree.

    ```python
    metric = ContentPreservation()
    metric.compute(predictions=["the pizza was great ."], references=["the pizza was cold ."])
    # {"word_overlap": 33.33}
    ```

    `compute` takes
        predictions: list of n str, tokens separated by spaces.
        references: list of n str, the source sentences.
    and returns `{"word_overlap": float}`.

    Raises:
        TypeError: an item is not a str.
        ValueError: there are no predictions, or the numbers differ.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.style_words: frozenset[str] = frozenset()

    def fit(
        self, train: datasets.Dataset, text_column: str = "text", label_column: str = "label"
    ) -> "ContentPreservation":
        """Derive `style_words` from a labelled training split, and return self.

        A word is one of style if, for some label, |log (c + 1) / (N + V) - log (c' + 1) / (N' + V)| > 1.5, with c its
        count among the label's N words, c' its count among the N' words of the other labels, and V the vocabulary's
        size. Adding one keeps words that were seen a few times only.

        Args:
            train: the training split, at least two labels.
            text_column: column of str, tokens separated by spaces.
            label_column: column of int or str.

        Raises:
            TypeError: `train` is not a `datasets.Dataset`, or a column holds something else.
            ValueError: `train` is empty or lacks a column, or there are fewer than two labels.
        """
        texts, labels = labelled_texts("train", train, text_column, label_column)
        by_label: dict[int | str, Counter[str]] = {label: Counter() for label in labels}
        if len(by_label) < 2:
            raise ValueError(f"train needs at least two labels to find the words of style, got {list(by_label)}")
        for text, label in zip(texts, labels, strict=True):
            by_label[label].update(_words(text))
        everywhere = sum(by_label.values(), Counter())

        def log_share(count: int, total: int) -> float:
            return math.log((count + 1) / (total + len(everywhere)))

        style_words, size = set(), everywhere.total()
        for counts in by_label.values():
            inside, outside = counts.total(), size - counts.total()
            for word, count in everywhere.items():
                here, elsewhere = counts[word], count - counts[word]
                if abs(log_share(here, inside) - log_share(elsewhere, outside)) > _MIN_LOG_ODDS:
                    style_words.add(word)
        self.style_words = frozenset(style_words)
        return self

    def _info(self) -> evaluate.MetricInfo:
        value = datasets.Value("string")
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="John et al. 2019, Disentangled Representation Learning for Non-Parallel Text Style Transfer",
            features=datasets.Features({"predictions": value, "references": value}),
        )

    def overlaps(self, predictions: Any, references: Any) -> list[float]:
        """The Jaccard index of each pair, in 0..1; see `compute`, which takes the mean of them."""
        texts = check_texts("predictions", predictions)
        sources = check_texts("references", references)
        removed = STOP_WORDS | self.style_words
        return [
            _jaccard(set(_words(text)) - removed, set(_words(source)) - removed)
            for text, source in zip(texts, sources, strict=True)
        ]

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        overlaps = self.overlaps(predictions, references)
        return {"word_overlap": 100 * sum(overlaps) / len(overlaps)}


def _jaccard(ours: set[str], theirs: set[str]) -> float:
    return len(ours & theirs) / len(ours | theirs) if ours or theirs else 1.0


def _words(text: str) -> list[str]:
    return [token for token in text.lower().split() if any(map(_tells, token))]


def _tells(character: str) -> bool:
    """Whether it is a letter, a digit or a picture such as an emoji, and no punctuation mark."""
    return character.isalnum() or (ord(character) >= _FIRST_SYMBOL and category(character) == "So")
