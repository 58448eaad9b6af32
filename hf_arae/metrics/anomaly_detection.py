"""How well a score tells anomalies from what is normal."""

from typing import Any

import datasets
import evaluate
import numpy as np

from hf_arae.metrics.interface import InMemoryMetric, check_vectors
from hf_arae.metrics.numbers import Number
from hf_arae.utils.extras import import_extra

NUMBERS = {
    "auroc": Number(
        "AUROC of the anomaly score (%)",
        "How often an anomaly has a higher score than a normal example; 50 is chance.",
        in_metadata=True,
    ),
    "aupr": Number(
        "AUPR of the anomaly score (%)",
        "The mean precision at finding anomalies; chance has their share among all examples.",
    ),
    "fpr_at_95": Number(
        "False alarms at 95 % of the anomalies found (%)",
        "The share of normal examples above the threshold that finds 95 % of the anomalies; lower is better.",
    ),
}


class AnomalyDetection(InMemoryMetric):
    """AUROC, AUPR and false alarms of an anomaly score, all in 0..100, by scikit-learn.

    ```python
    metric = AnomalyDetection()
    metric.compute(predictions=[0.1, 0.4, 0.35, 0.8], references=[0, 0, 1, 1])
    # {"auroc": 75.0, "aupr": 83.33, "fpr_at_95": 50.0}
    ```

    `compute` takes
        predictions: n scores, higher for what is less normal: an energy, or an error of reconstruction.
        references: n of 0 (normal) or 1 (anomaly), at least one of each.
    and returns
        auroc: area under the receiver operating characteristic; 50 is chance.
        aupr: average precision, the anomalies being the positives; chance has their share.
        fpr_at_95: share of normal examples whose score is at or above the threshold that at least 95 % of the
            anomalies reach; lower is better.

    Raises:
        TypeError: the scores are not numbers.
        ValueError: a score is not finite, a reference is neither 0 nor 1, or all are the same; the numbers differ.
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="Hendrycks and Gimpel 2017, A Baseline for Detecting Misclassified and Out-of-Distribution "
            "Examples",
            features=datasets.Features(
                {"predictions": datasets.Value("float32"), "references": datasets.Value("int64")}
            ),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        scores = check_vectors("predictions", predictions, dimensions=1)
        labels = check_vectors("references", references, dimensions=1)
        if not np.isin(labels, (0, 1)).all():
            raise ValueError("references must be 0 (normal) or 1 (anomaly)")
        if len(np.unique(labels)) < 2:
            raise ValueError("references must hold normal examples and anomalies, at least one of each")
        measures = import_extra("sklearn.metrics")
        false_alarms, found, _ = measures.roc_curve(labels, scores, drop_intermediate=False)
        return {
            "auroc": 100 * float(measures.roc_auc_score(labels, scores)),
            "aupr": 100 * float(measures.average_precision_score(labels, scores)),
            "fpr_at_95": 100 * float(false_alarms[np.argmax(found >= 0.95)]),
        }
