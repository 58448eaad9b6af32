"""Anomaly scores and calibration, on cases with known answers."""

import numpy as np
import pytest

from hf_arae.metrics import AnomalyDetection, CalibrationError

RANDOM = np.random.default_rng(0)


def test_perfect_reversed_and_meaningless_scores():
    labels = [0] * 50 + [1] * 50
    perfect = AnomalyDetection().compute(predictions=np.arange(100.0), references=labels)
    assert perfect == pytest.approx({"auroc": 100, "aupr": 100, "fpr_at_95": 0})
    reversed_ = AnomalyDetection().compute(predictions=-np.arange(100.0), references=labels)
    assert (reversed_["auroc"], reversed_["fpr_at_95"]) == (0, 100)
    equal = AnomalyDetection().compute(predictions=np.zeros(100), references=np.array(labels))
    assert equal == pytest.approx({"auroc": 50, "aupr": 50, "fpr_at_95": 100})


def test_false_alarms_are_counted_where_95_percent_are_found():
    normal, anomalies = np.arange(20) / 20, np.full(20, 0.5)
    anomalies[0] = 0.01  # the one in twenty that may be missed
    scores = np.concatenate([normal, anomalies])
    found = AnomalyDetection().compute(predictions=scores, references=[0] * 20 + [1] * 20)
    assert found["fpr_at_95"] == 50


def test_auroc_is_how_often_an_anomaly_scores_higher():
    scores, labels = RANDOM.normal(size=60), RANDOM.integers(0, 2, 60)
    pairs = [(a > b) + (a == b) / 2 for a in scores[labels == 1] for b in scores[labels == 0]]
    found = AnomalyDetection().compute(predictions=scores, references=labels)
    assert found["auroc"] == pytest.approx(100 * np.mean(pairs))


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        ([0.1, float("nan")], [0, 1]),
        ([0.1, 0.2], [1, 1]),
        ([0.1, 0.2], [0, 2]),
        ([[0.1], [0.2]], [0, 1]),
        ([0.1], [0, 1]),
    ],
)
def test_scores_that_say_nothing_are_refused(scores, labels):
    with pytest.raises(ValueError):
        AnomalyDetection().compute(predictions=scores, references=labels)


def test_a_calibrated_classifier_has_no_error_and_a_boastful_one_has():
    sure = np.full(1000, 0.8)
    shares = np.stack([sure, 1 - sure], 1)
    honest = CalibrationError().compute(predictions=shares, references=[0] * 800 + [1] * 200)
    assert honest == pytest.approx({"calibration_error": 0, "classification_error": 20}, abs=1e-6)
    boastful = CalibrationError().compute(predictions=shares, references=[0] * 500 + [1] * 500)
    assert boastful["calibration_error"] == pytest.approx(30)
    # Gaps of one bin cancel, those of two do not.
    two = CalibrationError().compute(predictions=[[1, 0], [0.6, 0.4]], references=[1, 0])
    assert two["calibration_error"] == pytest.approx(50 * (1 + 0.4))


def test_labels_that_are_no_classes_are_refused():
    with pytest.raises(ValueError):
        CalibrationError().compute(predictions=[[0.5, 0.5]], references=[2])
    with pytest.raises(ValueError):
        CalibrationError().compute(predictions=[[0.5, 0.5]], references=[-100])
    with pytest.raises(ValueError):
        CalibrationError().compute(predictions=[[0.5, 0.4]], references=[0])
