import numpy as np
import pytest
import torch

from hf_arae.metrics import StyleLeakage

RANDOM = np.random.default_rng(0)
LABELS = np.array([0] * 600 + [1] * 400)
NOISE = RANDOM.normal(size=(1000, 8))


def test_style_in_the_codes_is_found():
    # The style is the sign of a product, which a linear probe would miss.
    codes = NOISE.copy()
    codes[:, 0] = np.where(LABELS == 1, 1, -1) * np.sign(codes[:, 1]) * (1 + np.abs(codes[:, 0]))
    scores = StyleLeakage().compute(predictions=codes, references=LABELS)
    assert scores["majority_share"] == pytest.approx(60)
    assert scores["probe_accuracy"] > 90


def test_codes_without_style_give_about_the_majority_share():
    scores = StyleLeakage().compute(predictions=NOISE, references=LABELS)
    assert scores["probe_accuracy"] == pytest.approx(60, abs=8)


def test_scale_and_kind_of_the_codes_do_not_matter():
    names = ["negative" if label == 0 else "positive" for label in LABELS]
    expected = StyleLeakage().compute(predictions=NOISE.astype(np.float32), references=LABELS)
    codes = torch.tensor(NOISE.astype(np.float32), requires_grad=True)
    assert StyleLeakage().compute(predictions=codes, references=names) == expected
    assert StyleLeakage().compute(predictions=NOISE.tolist(), references=LABELS.tolist()) == expected
    assert StyleLeakage().compute(predictions=1024 * codes, references=torch.tensor(LABELS)) == expected
    metric = StyleLeakage()
    for start in (0, 500):
        batch = slice(start, start + 500)
        metric.add_batch(predictions=codes.detach()[batch], references=LABELS[batch])
    assert metric.compute() == expected


@pytest.mark.parametrize(
    ("codes", "labels", "error", "message"),
    [
        (NOISE[:, 0], LABELS, ValueError, r"shape \(n, d\), got \(1000,\)"),
        (NOISE * np.nan, LABELS, ValueError, "finite"),
        (NOISE, LABELS * 0, ValueError, "at least two labels"),
        (NOISE[:605], LABELS[:605], ValueError, "at least 10 codes each, got {0: 600, 1: 5}"),
        (["a"] * 1000, LABELS, TypeError, "float"),
        (NOISE, LABELS / 2, TypeError, "got float"),
    ],
)
def test_wrong_inputs_are_refused(codes, labels, error, message):
    with pytest.raises(error, match=message):
        StyleLeakage().compute(predictions=codes, references=labels)
