"""How much of the style can still be read from the codes."""

from collections import Counter
from typing import Any

import datasets
import evaluate
import numpy as np

from hf_arae.metrics.interface import InMemoryMetric, check_labels, check_vectors
from hf_arae.metrics.numbers import Number
from hf_arae.utils.extras import import_extra

NUMBERS = {
    "probe_accuracy": Number(
        "Attribute that a fresh probe reads from the codes (%)",
        "How often a new classifier tells the label from a code; it has `majority_share` where nothing is left.",
        in_metadata=True,
    ),
    "majority_share": Number(
        "Share of the most frequent attribute (%)",
        "What a probe of the codes has for nothing.",
    ),
}

MIN_CODES_A_LABEL = 10


class StyleLeakage(InMemoryMetric):
    """Held-out accuracy of a fresh probe on frozen codes, in 0..100; codes without style give the majority share.

    An adversary that was trained against says little, since the encoder has learned to deceive it. Hence a new
    perceptron (one hidden layer of 128, early stopping) is trained on a fixed, stratified 80 % of the codes,
    standardised, and scored on the other 20 %.

    ```python
    metric = StyleLeakage()
    labels = [row % 2 for row in range(200)]
    codes = [[float(label), 1.0] for label in labels]  # the first coordinate is the label
    metric.compute(predictions=codes, references=labels)
    # {"probe_accuracy": 100.0, "majority_share": 50.0}
    ```

    `compute` takes
        predictions: codes, (n, d) array, tensor or list of lists of float.
        references: n labels, int or str; at least two different ones, each on at least 10 codes.
    and returns `{"probe_accuracy": float, "majority_share": float}`, both in 0..100; the majority share is that of the
    most frequent label among the held-out codes.

    Raises:
        TypeError: the codes are not numbers, or a label is neither int nor str.
        ValueError: the codes are not finite or not (n, d), the numbers differ, or a label has too few codes.
    """

    def _info(self) -> evaluate.MetricInfo:
        code = datasets.List(datasets.Value("float32"))
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="",
            features=[
                datasets.Features({"predictions": code, "references": datasets.Value("int64")}),
                datasets.Features({"predictions": code, "references": datasets.Value("string")}),
            ],
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        codes = check_vectors("predictions", predictions)
        names, labels = np.unique(check_labels("references", references), return_inverse=True)
        counts = np.bincount(labels)
        if len(names) < 2 or counts.min() < MIN_CODES_A_LABEL:
            raise ValueError(
                f"references must hold at least two labels with at least {MIN_CODES_A_LABEL} codes each, got "
                f"{dict(zip(names.tolist(), counts.tolist(), strict=True))}"
            )
        split = import_extra("sklearn.model_selection").train_test_split
        train, test, train_labels, test_labels = split(codes, labels, test_size=0.2, stratify=labels, random_state=0)
        probe = import_extra("sklearn.pipeline").make_pipeline(
            import_extra("sklearn.preprocessing").StandardScaler(),
            import_extra("sklearn.neural_network").MLPClassifier((128,), early_stopping=True, random_state=0),
        )
        probe.fit(train, train_labels)
        majority = Counter(test_labels.tolist()).most_common(1)[0][1]
        return {
            "probe_accuracy": 100 * float(probe.score(test, test_labels)),
            "majority_share": 100 * majority / len(test_labels),
        }
