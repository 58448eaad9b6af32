"""ROUGE of summaries."""

from typing import Any

import datasets
import evaluate
import numpy as np

from hf_arae.metrics._checks import InMemoryMetric, check_reference_lists, check_texts, import_extra

_TYPES = ("rouge1", "rouge2", "rougeL")


class Rouge(InMemoryMetric):
    """Mean F1 of ROUGE-1, ROUGE-2 and ROUGE-L over sentences, in 0..100, higher is better (`rouge_score`).

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
        TypeError: if an item is not a str (or, in references, a list of str).
        ValueError: if there are no predictions, a list of references is empty, or the numbers differ.
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
        scorer = import_extra("rouge_score.rouge_scorer").RougeScorer(_TYPES, use_stemmer=use_stemmer)
        scores = [scorer.score_multi(refs, text) for text, refs in zip(texts, reference_lists, strict=True)]
        return {kind: 100 * float(np.mean([score[kind].fmeasure for score in scores])) for kind in _TYPES}
