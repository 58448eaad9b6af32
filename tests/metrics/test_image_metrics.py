"""Metrics of features and probabilities, on numbers that can be reckoned by hand."""

import numpy as np
import pytest
import torch

from hf_arae.metrics import ClassDiversity, FrechetDistance, PrecisionRecall

RANDOM = np.random.default_rng(0)
REAL = RANDOM.normal(size=(400, 4))


def test_frechet_distance_of_gaussians_whose_moments_are_known():
    # Exactly mean 0 and covariance I, so that |mu|^2 + Tr(A + B - 2 (A B)^(1/2)) needs no estimate.
    white = (REAL - REAL.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(REAL.T))).T
    moved = 3 * white + np.array([1, 2, 0, 0])  # 5, and in each of 4 coordinates (3 - 1)^2
    found = FrechetDistance().compute(predictions=moved, references=white[::-1].copy())
    assert found["frechet_distance"] == pytest.approx(5 + 4 * 4, rel=1e-4)
    # Covariances that do not commute with a diagonal one, by scipy's root of their product.
    from scipy.linalg import sqrtm

    mixed = white @ RANDOM.normal(size=(4, 4))
    a, b = np.cov(mixed.T), np.cov((white * [1, 2, 3, 4]).T)
    wanted = np.trace(a + b - 2 * sqrtm(a @ b).real)
    found = FrechetDistance().compute(predictions=mixed, references=white * [1, 2, 3, 4])
    assert found["frechet_distance"] == pytest.approx(wanted, rel=1e-3)


def test_distances_are_about_0_for_one_distribution_and_do_not_touch_the_generators():
    before = torch.random.get_rng_state()
    metric = FrechetDistance()
    same = metric.compute(predictions=REAL, references=REAL)
    assert same["frechet_distance"] == pytest.approx(0, abs=1e-4)
    halves = {"predictions": REAL[:150], "references": torch.tensor(REAL[150:])}  # of different numbers
    near = metric.compute(**halves)
    far = metric.compute(predictions=REAL[:150] + 2, references=REAL[150:])
    assert abs(near["kernel_distance"]) < 0.2 < 3 < far["kernel_distance"]
    assert near["frechet_distance"] < 0.5 < 15 < far["frechet_distance"]
    assert metric.compute(**halves) == near
    assert torch.equal(torch.random.get_rng_state(), before)


def test_precision_and_recall_tell_bad_samples_from_narrow_ones():
    real = np.arange(100.0)[:, None]
    narrow = PrecisionRecall().compute(predictions=real[:20] + 0.1, references=real)
    assert narrow["precision"] == 100
    assert narrow["recall"] == pytest.approx(21, abs=3)  # the ends reach a little further
    assert narrow["coverage"] == pytest.approx(22, abs=3)
    wide = np.concatenate([real + 0.1, 1000 + 50 * real])  # half of them are far from all
    bad = PrecisionRecall().compute(predictions=wide, references=real)
    assert bad["precision"] == 50
    assert bad["recall"] == bad["coverage"] == 100
    assert bad["density"] == pytest.approx(60, abs=3)  # on this grid 6 neighbourhoods hold a point


def test_i_prime_by_hand():
    found = ClassDiversity().compute(predictions=[[0.9, 0.1], [0.1, 0.9]])
    # p(y) is even: (1/2) ln(0.5/0.9) + (1/2) ln(0.5/0.1), and the other way round 0.9 ln(0.9/0.5) + 0.1 ln(0.1/0.5).
    assert found["i_prime"] == pytest.approx(0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(5))
    assert found["inception_score"] == pytest.approx(np.exp(0.9 * np.log(1.8) + 0.1 * np.log(0.2)))
    assert found["smallest_class_share"] == 50
    assert found["class_entropy"] == pytest.approx(np.log(2))


def test_samples_of_one_kind_have_no_diversity():
    one = ClassDiversity().compute(predictions=np.tile([0.999, 0.001, 0.0], (50, 1)))
    assert one["i_prime"] == pytest.approx(0, abs=1e-9)
    assert one["inception_score"] == pytest.approx(1)
    assert (one["smallest_class_share"], one["class_entropy"]) == (0, 0)
    sure = ClassDiversity().compute(predictions=np.eye(10).repeat(3, 0))
    assert sure["inception_score"] == pytest.approx(10)
    assert 20 < sure["i_prime"] < 100  # finite, though a probability is 0
    order = RANDOM.permutation(30)
    assert ClassDiversity().compute(predictions=np.eye(10).repeat(3, 0)[order]) == pytest.approx(sure)


@pytest.mark.parametrize("metric", [FrechetDistance, PrecisionRecall])
def test_features_that_cannot_be_measured_are_refused(metric):
    hole = REAL.copy()
    hole[3, 1] = np.nan
    for samples in (hole, np.inf * REAL, REAL[:, 0], REAL[:, :3], REAL[:1]):
        with pytest.raises(ValueError):
            metric().compute(predictions=samples, references=REAL)
    with pytest.raises(ValueError):
        metric().compute(predictions=REAL, references=hole)
    with pytest.raises(TypeError):
        metric().compute(predictions=["a", "b"], references=REAL)


@pytest.mark.parametrize(
    "given", [[[0.5, 0.6], [0.5, 0.5]], [[1.2, -0.2]] * 2, [[1.0]] * 2, [[0.5, 0.5]], [[float("nan"), 0.5]] * 2]
)
def test_probabilities_that_are_none_are_refused(given):
    with pytest.raises(ValueError):
        ClassDiversity().compute(predictions=given)


def test_too_few_examples_for_a_covariance_are_named(warnings):
    source = np.random.default_rng(0)
    few, many = source.normal(size=(2, 9, 4)).astype(np.float32), source.normal(size=(9, 4)).astype(np.float32)
    FrechetDistance().compute(predictions=many, references=few[0])
    assert "covariance" not in warnings.text
    FrechetDistance().compute(predictions=many, references=few[1][:4])
    assert "covariance of 4 features" in warnings.text
