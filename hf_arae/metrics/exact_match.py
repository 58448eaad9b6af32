"""Share of sentences that are reconstructed without an error."""

from typing import Any

import datasets
import evaluate

from hf_arae.metrics.interface import InMemoryMetric, check_texts
from hf_arae.metrics.numbers import Number

NUMBERS = {
    "exact_match": Number(
        "Sentences reconstructed to the word (%)",
        "The share of outputs that are their references, word for word; higher is closer.",
        in_metadata=True,
    ),
}


class ExactMatch(InMemoryMetric):
    """Share of predictions with exactly the tokens of their reference, in 0..100, higher is better.

    Beside reconstruction BLEU it shows how much of held-out text an autoencoder keeps: a model that ignores its input
    can score high on transfer accuracy and perplexity alone.

    ```python
    metric = ExactMatch()
    metric.compute(predictions=["a man sleeps .", "two dogs run ."], references=["a man sleeps .", "a dog runs ."])
    # {"exact_match": 50.0}
    ```

    `compute` takes
        predictions: list of n str, tokens separated by spaces (how many spaces does not matter).
        references: list of n str.
    and returns `{"exact_match": float}`.

    Raises:
        TypeError: an item is not a str.
        ValueError: there are no predictions, or the numbers differ.
    """

    def _info(self) -> evaluate.MetricInfo:
        value = datasets.Value("string")
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="",
            features=datasets.Features({"predictions": value, "references": value}),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        texts = check_texts("predictions", predictions)
        targets = check_texts("references", references)
        matches = sum(text.split() == target.split() for text, target in zip(texts, targets, strict=True))
        return {"exact_match": 100 * matches / len(texts)}
