from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from hf_arae.metrics import TransferAccuracy

YELP = Path(__file__).parents[3] / "shared" / "data" / "yelp_sentiment"

TEXTS = [f"{word} {noun} ." for noun in ("food", "staff", "place", "room", "bar") for word in ("good", "bad")]
LABELS = [1, 0] * 5


def toy(labels=LABELS, **columns):
    return Dataset.from_dict({"text": TEXTS, "label": labels, **columns})


def test_counts_predictions_in_the_target_class():
    metric = TransferAccuracy.from_dataset(toy(), toy())
    assert metric.held_out_accuracy == 100
    scores = metric.compute(predictions=["good soup", "bad soup", "good bar", "bad bar"], references=[1, 0, 0, 1])
    assert scores == {"transfer_accuracy": 50.0, "classifier_held_out_accuracy": 100.0}


def test_empty_predictions_are_wrong():
    metric = TransferAccuracy.from_dataset(toy(), toy())
    for label in (0, 1):
        assert metric.compute(predictions=["", " \t"], references=[label, label])["transfer_accuracy"] == 0


def test_punctuation_counts_as_a_word():
    train = Dataset.from_dict({"text": ["it is !", "it is ?"] * 5, "label": [1, 0] * 5})
    metric = TransferAccuracy.from_dataset(train, train)
    assert metric.compute(predictions=["so !", "so ?"], references=[1, 0])["transfer_accuracy"] == 100


def test_without_validation_a_tenth_is_held_out():
    metric = TransferAccuracy.from_dataset(Dataset.from_dict({"text": TEXTS * 4, "label": LABELS * 4}))
    assert metric.held_out_accuracy == 100


def test_label_names():
    features = Features({"text": Value("string"), "label": ClassLabel(names=["negative", "positive"])})
    metric = TransferAccuracy.from_dataset(toy().cast(features), toy().cast(features))
    inputs = {"predictions": ["good bar", "bad bar"]}
    assert metric.compute(**inputs, references=["positive", "negative"])["transfer_accuracy"] == 100
    assert metric.compute(**inputs, references=[1, 0])["transfer_accuracy"] == 100
    with pytest.raises(ValueError, match=r"\['neutral'\].*\[0, 1, 'negative', 'positive'\]"):
        metric.compute(**inputs, references=["positive", "neutral"])


def test_labels_of_str_and_other_column_names():
    data = Dataset.from_dict({"sentence": TEXTS, "style": ["warm", "cold"] * 5})
    metric = TransferAccuracy.from_dataset(data, data, text_column="sentence", label_column="style")
    assert metric.compute(predictions=["good bar"], references=["warm"])["transfer_accuracy"] == 100
    with pytest.raises(ValueError, match="unknown labels"):
        metric.compute(predictions=["good bar"], references=[1])


def test_compute_before_fit_is_refused():
    with pytest.raises(RuntimeError, match="from_dataset"):
        TransferAccuracy().compute(predictions=["a"], references=[1])


@pytest.mark.parametrize(
    ("train", "error", "message"),
    [
        (DatasetDict({"train": toy()}), TypeError, "one split"),
        (toy().rename_column("label", "style"), ValueError, "no column 'label'"),
        (toy().select([]), ValueError, "empty"),
        (toy([1] * 10), ValueError, "at least two labels"),
        (toy([-1] * 10), ValueError, "negative labels"),
        (toy([0.5] * 10), TypeError, "got float"),
        (toy().map(lambda row: {"text": None}), TypeError, "got NoneType"),
    ],
)
def test_wrong_training_split_is_refused(train, error, message):
    with pytest.raises(error, match=message):
        TransferAccuracy.from_dataset(train, toy())


def test_labels_of_a_wrong_type_are_refused():
    metric = TransferAccuracy.from_dataset(toy(), toy())
    with pytest.raises(TypeError, match="references must hold labels, int or str, got float"):
        metric.compute(predictions=["good bar"], references=[1.0])


@pytest.mark.skipif(not YELP.exists(), reason="Yelp is not here")
def test_held_out_accuracy_on_yelp(tmp_path):
    train, validation = (
        Dataset.from_parquet(str(YELP / f"{split}.parquet"), cache_dir=str(tmp_path))
        for split in ("train", "validation")
    )
    assert TransferAccuracy.from_dataset(train, validation).held_out_accuracy >= 96.5
