"""What summaries look like beside their documents: how short, how much copied, and from where."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import datasets
import evaluate

from hf_arae.metrics.interface import InMemoryMetric, check_texts
from hf_arae.metrics.numbers import Number

NUMBERS = {
    "mean_length": Number(
        "Mean length (words)",
        "Words a text.",
        in_metadata=True,
    ),
    "compression": Number(
        "Words of the summaries over words of the documents (%)",
        "How short the summaries are beside their documents.",
    ),
    "copy_rate": Number(
        "Words of the summaries that the document has (%)",
        "100 where no summary has a word of its own.",
    ),
    "novel_bigrams": Number(
        "Pairs of neighbouring words that do not stand so in the document (%)",
        "0 where summaries are cut out of their documents as they are.",
    ),
    "prefix_overlap": Number(
        "Words that are the document's at the same place (%)",
        "100 where summaries are the first words of their documents.",
    ),
    "distinct": Number(
        "Summaries that differ from one another (%)",
        "Different summaries over all summaries.",
    ),
    "empty": Number(
        "Summaries without a word (%)",
        "The share of summaries that say nothing.",
    ),
}


class SummaryShape(InMemoryMetric):
    """Lengths, copying and variety of summaries: shows a model that copies the beginning, or writes one thing always.

    ```python
    metric = SummaryShape()
    metric.compute(predictions=["bank keeps rates"], references=["the bank said it keeps rates"])["compression"]
    # 50.0
    ```

    `compute` takes
        predictions: list of n str, the summaries, tokens separated by spaces; may be empty strings.
        references: list of n str, the documents that they summarize, tokenized in the same way.
    and returns
        mean_length: words a summary.
        compression: words of all summaries over words of all documents, in percent.
        copy_rate: words of the summaries that occur in their documents, in 0..100.
        novel_bigrams: pairs of neighbouring words of the summaries that do not stand so in their documents, in 0..100.
        prefix_overlap: words of the summaries that are also their document's word at the same place, in 0..100.
        distinct: different summaries over n, in 0..100; low shows collapse.
        empty: summaries without a word, in 0..100.
    Rates are over all words (bigrams) of all summaries, and 0 where there are none.

    Raises:
        TypeError: an item is not a str.
        ValueError: there are no predictions, or the numbers differ.
    """

    def _info(self) -> evaluate.MetricInfo:
        value = datasets.Value("string")
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="Grusky et al. 2018, Newsroom; See et al. 2017, Get To The Point (novel n-grams)",
            features=datasets.Features({"predictions": value, "references": value}),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        summaries = [tuple(text.split()) for text in check_texts("predictions", predictions)]
        documents = [tuple(text.split()) for text in check_texts("references", references)]
        copied: list[bool] = []
        novel: list[bool] = []
        in_place: list[bool] = []
        for summary, document in zip(summaries, documents, strict=True):
            words, bigrams = set(document), set(pairwise(document))
            copied += [word in words for word in summary]
            novel += [bigram not in bigrams for bigram in pairwise(summary)]
            same = [word == other for word, other in zip(summary, document, strict=False)]
            in_place += same + [False] * (len(summary) - len(same))
        num_words = sum(map(len, summaries))
        return {
            "mean_length": num_words / len(summaries),
            "compression": 100 * num_words / max(1, sum(map(len, documents))),
            "copy_rate": _percent(copied),
            "novel_bigrams": _percent(novel),
            "prefix_overlap": _percent(in_place),
            "distinct": 100 * len(set(summaries)) / len(summaries),
            "empty": _percent([not summary for summary in summaries]),
        }


def _percent(flags: Sequence[bool]) -> float:
    return 100 * sum(flags) / len(flags) if flags else 0.0
