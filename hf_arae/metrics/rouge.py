"""ROUGE of summaries."""

import unicodedata
from itertools import groupby
from typing import Any

import datasets
import evaluate
import numpy as np

from hf_arae.metrics.interface import InMemoryMetric, check_reference_lists, check_texts
from hf_arae.metrics.numbers import Number
from hf_arae.utils.extras import import_extra

NUMBERS = {
    "rouge1": Number(
        "ROUGE-1 F1",
        "Words that summary and reference share, 0 to 100; higher is closer.",
        in_metadata=True,
    ),
    "rouge2": Number(
        "ROUGE-2 F1",
        "Pairs of neighbouring words that summary and reference share, 0 to 100; higher is closer.",
        in_metadata=True,
    ),
    "rougeL": Number(
        "ROUGE-L F1",
        "The longest sequence of words that summary and reference share, 0 to 100; higher is closer.",
        in_metadata=True,
    ),
}

_TYPES = ("rouge1", "rouge2", "rougeL")
_FIRST_SYMBOL = 0x2190  # arrows; emoji and other pictures come after them, signs of trade and degrees before


class Rouge(InMemoryMetric):
    """Mean F1 of ROUGE-1, ROUGE-2 and ROUGE-L over sentences, in 0..100, higher is better (`rouge_score`).

    Words in ASCII are those of `rouge_score`: letters and digits, in lower case. Words with other letters, which it
    would leave out, are whole, without a stem: what stands between white space and marks. Emoji are words too.

    ```python
    metric = Rouge()
    metric.compute(predictions=["bank keeps rates"], references=[["bank keeps interest rates", "rates stay"]])
    # {"rouge1": 85.71, "rouge2": 40.0, "rougeL": 85.71}
    ```

    `compute` takes
        predictions: list of n str; may be empty strings.
        references: list of n str, or list of n lists of str (the best reference counts, for each type by itself).
        use_stemmer: whether words are compared by their Porter stems, as in the published lead-8 baseline of Gigaword.
    and returns `{"rouge1": float, "rouge2": float, "rougeL": float}`.

    Raises:
        TypeError: an item is not a str (or, in references, a list of str).
        ValueError: there are no predictions, a list of references is empty, or the numbers differ.
    """

    def _info(self) -> evaluate.MetricInfo:
        value = datasets.Value("string")
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries",
            features=[
                datasets.Features({"predictions": value, "references": datasets.List(value)}),
                datasets.Features({"predictions": value, "references": value}),
            ],
        )

    def _compute(self, predictions: Any, references: Any, use_stemmer: bool = True) -> dict[str, float]:
        texts = check_texts("predictions", predictions)
        reference_lists = check_reference_lists(references)
        scorer = import_extra("rouge_score.rouge_scorer").RougeScorer(_TYPES, tokenizer=_Words(use_stemmer))
        scores = [scorer.score_multi(refs, text) for text, refs in zip(texts, reference_lists, strict=True)]
        return {kind: 100 * float(np.mean([score[kind].fmeasure for score in scores])) for kind in _TYPES}


class _Words:
    """A tokenizer of `rouge_score`'s."""

    def __init__(self, use_stemmer: bool):
        self._english = import_extra("rouge_score.tokenizers").DefaultTokenizer(use_stemmer)

    def tokenize(self, text: str) -> list[str]:
        if text.isascii():
            return self._english.tokenize(text)
        words = []
        for kind, letters in groupby(_with_kinds(text), key=lambda pair: pair[0]):
            word = "".join(letter for _, letter in letters)
            if kind:
                words += self._english.tokenize(word) if word.isascii() else [word]
        return words


def _with_kinds(text: str) -> list[tuple[str, str]]:
    """Each character in lower case, with "L" in a word, "S" in a run of pictures and "" between them."""
    kind, pairs = "", []
    for letter in unicodedata.normalize("NFC", text).lower():
        category = unicodedata.category(letter)
        if category[0] == "L" or category == "Nd":
            kind = "L"
        elif category[0] == "S" and ord(letter) >= _FIRST_SYMBOL:
            kind = "S"
        elif category[0] != "M" and letter not in "\u200c\u200d":  # marks and joiners belong to what is before them
            kind = ""
        pairs.append((kind, letter))
    return pairs
