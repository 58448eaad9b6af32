"""Whether a classifier is as often right as it is sure."""

from typing import Any

import datasets
import evaluate
import numpy as np

from hf_arae.metrics.interface import InMemoryMetric, check_labels, check_probabilities
from hf_arae.metrics.numbers import Number

NUMBERS = {
    "calibration_error": Number(
        "Expected calibration error (%)",
        "How far the classifier's confidence is from how often it is right, on average; lower is better.",
        in_metadata=True,
    ),
    "classification_error": Number(
        "Classification error (%)",
        "The share of examples that the classifier puts into another class than theirs; lower is better.",
        in_metadata=True,
    ),
}

_BINS = 15


class CalibrationError(InMemoryMetric):
    """Expected calibration error of a classifier, and its error, both in 0..100; lower is better.

    Examples are put into 15 bins of equal width by the probability of their likeliest class. In each bin it is
    compared with the share that is right, and the gaps are averaged, weighted by the number of examples.

    ```python
    metric = CalibrationError()
    metric.compute(predictions=[[0.8, 0.2], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]], references=[0, 0, 1, 0])
    # {"calibration_error": 17.5, "classification_error": 25.0}
    ```

    `compute` takes
        predictions: probabilities, (n, classes) array, tensor or list of lists of float; rows add up to 1.
        references: n labels, int, each the number of a class.
    and returns
        calibration_error: in 0..100 (Guo et al. 2017).
        classification_error: in 0..100.

    Raises:
        TypeError: the probabilities are not numbers, or a label is no int.
        ValueError: the probabilities are not finite, not (n, classes), negative, or a row does not add up to 1; a
            label is no number of a class, or the numbers differ.
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="Guo et al. 2017, On Calibration of Modern Neural Networks",
            features=datasets.Features(
                {"predictions": datasets.List(datasets.Value("float32")), "references": datasets.Value("int64")}
            ),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        given = check_probabilities("predictions", predictions)
        labels = check_labels("references", references)
        wrong = [label for label in labels if isinstance(label, str) or not 0 <= label < given.shape[1]]
        if wrong:
            raise ValueError(f"references must be numbers of classes, 0 to {given.shape[1] - 1}; got {wrong[0]!r}")
        sure, right = given.max(1), given.argmax(1) == np.array(labels)
        bins = np.clip(np.ceil(sure * _BINS).astype(int) - 1, 0, _BINS - 1)
        gaps = np.bincount(bins, sure - right, minlength=_BINS)  # of a bin: number times gap of the means
        return {
            "calibration_error": 100 * float(np.abs(gaps).sum() / len(given)),
            "classification_error": 100 * float(1 - right.mean()),
        }
