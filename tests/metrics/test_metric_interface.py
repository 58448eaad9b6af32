"""What holds for every metric: lazy import, `evaluate.load`, `evaluate.combine`, batches and refusals."""

import subprocess
import sys
from pathlib import Path

import datasets
import evaluate
import numpy as np
import pytest
from warm_python import run_python

import hf_arae.metrics
from hf_arae.metrics import Bleu, Diversity, ExactMatch, Rouge, StyleLeakage, SummaryShape, TransferAccuracy

FOLDER = Path(hf_arae.metrics.__file__).parent
LOADABLE = ["bleu", "rouge", "exact_match", "transfer_accuracy", "style_leakage", "diversity", "content_preservation"]
LOADABLE += ["summary_shape", "frechet_distance", "precision_recall", "class_diversity", "anomaly_detection"]
LOADABLE += ["calibration_error", "reconstruction_quality"]


def test_import_brings_no_optional_package():
    code = (
        "import sys, hf_arae.metrics as m; "
        "print([p for p in ('sklearn', 'sacrebleu', 'rouge_score') if p in sys.modules]); "
        "[getattr(m, name)() for name in m.__all__ if name != 'Perplexity']; "
        "print([p for p in ('sacrebleu', 'rouge_score') if p in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n[]\n"


def test_missing_package_says_how_to_install_it():
    code = """
import sys
for package in ("sacrebleu", "rouge_score", "sklearn"):
    sys.modules[package] = None
import hf_arae.metrics as m
for metric, predictions in (
    (m.Bleu, ["a"] * 20), (m.Rouge, ["a"] * 20), (m.Diversity, ["a"] * 20), (m.StyleLeakage, [[0.0]] * 20)
):
    try:
        metric().compute(predictions=predictions, references=["a", "b"] * 10)
    except ImportError as error:
        print(error)
"""
    packages = ["sacrebleu", "rouge_score", "sacrebleu", "scikit-learn"]
    assert run_python(["-c", code]).stdout.splitlines() == [
        f"{package} is not installed: pip install {package}, or hf_arae[metrics]" for package in packages
    ]


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"it has .*Bleu"):
        hf_arae.metrics.Meteor  # noqa: B018


@pytest.mark.parametrize("name", LOADABLE)
def test_loads_by_path(name):
    metric = evaluate.load(str(FOLDER / f"{name}.py"))
    assert metric.name == name
    assert type(metric).__name__ == name.title().replace("_", "")


def test_loaded_metric_computes():
    metric = evaluate.load(str(FOLDER / "bleu.py"))
    assert metric.compute(predictions=["a b c d"], references=["a b c d"])["bleu"] == pytest.approx(100)


@pytest.mark.parametrize("load", [False, True])
def test_combine(load):
    members = [str(FOLDER / "bleu.py"), str(FOLDER / "rouge.py")] if load else [Bleu(), Rouge()]
    combined = evaluate.combine(members)
    scores = combined.compute(predictions=["a b c d", "e"], references=["a b c d", "e"])
    assert scores == pytest.approx({"bleu": 100, "rouge1": 100, "rouge2": 50, "rougeL": 100})
    combined.add(prediction="a b c d", reference="a b c d")
    combined.add_batch(predictions=["e"], references=["e"])
    assert combined.compute() == scores


def test_combine_with_a_metric_without_references():
    scores = evaluate.combine([ExactMatch(), Diversity()]).compute(predictions=["a", "b"], references=["a", "c"])
    assert scores["exact_match"] == 50
    assert scores["distinct_sentences"] == 100


def test_batches_equal_one_call_and_are_forgotten_after_it():
    metric = ExactMatch()
    metric.add_batch(predictions=["a", "b"], references=["a", "c"])
    metric.add(prediction="d", reference="d")
    assert len(metric) == 3
    assert metric.compute(predictions=["e"], references=["x"]) == {"exact_match": 50}
    assert len(metric) == 0


def test_arrays_and_columns_are_accepted():
    column = datasets.Dataset.from_dict({"text": ["a", "b"]})["text"]
    assert ExactMatch().compute(predictions=column, references=np.array(["a", "c"])) == {"exact_match": 50}


def test_nothing_is_written(tmp_path):
    metric = ExactMatch(cache_dir=str(tmp_path / "cache"))
    metric.compute(predictions=["a"], references=["a"])
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("metric", [Bleu, Rouge, ExactMatch, TransferAccuracy, StyleLeakage, SummaryShape])
@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ({"predictions": [], "references": []}, ValueError, "predictions are empty"),
        ({}, ValueError, "predictions are missing"),
        ({"predictions": ["a"]}, ValueError, "references are missing"),
        ({"predictions": ["a", "b"], "references": ["a"]}, ValueError, "got 2 predictions and 1 references"),
        ({"predictions": "a b", "references": ["a", "b"]}, TypeError, "predictions must be a list .* got str"),
        ({"predictions": {"a": 1}, "references": ["a"]}, TypeError, "got dict"),
        ({"predictions": ["a"], "references": (r for r in "a")}, TypeError, "got generator"),
    ],
)
def test_wrong_collections_are_refused(metric, inputs, error, message):
    with pytest.raises(error, match=message):
        metric().compute(**inputs)


@pytest.mark.parametrize("metric", [Bleu, Rouge, ExactMatch, SummaryShape])
def test_items_that_are_not_text_are_refused(metric):
    with pytest.raises(TypeError, match="predictions must hold str, got NoneType at position 1"):
        metric().compute(predictions=["a", None], references=["a", "b"])
    with pytest.raises(TypeError, match=r"references must hold str.* at position 1"):
        metric().compute(predictions=["a", "b"], references=["a", 3])


@pytest.mark.parametrize("metric", [Bleu, Rouge])
def test_wrong_reference_lists_are_refused(metric):
    with pytest.raises(ValueError, match="references at position 1 is an empty list"):
        metric().compute(predictions=["a", "b"], references=[["a"], []])
    with pytest.raises(TypeError, match="at position 0"):
        metric().compute(predictions=["a"], references=[["a", 3]])


def test_unknown_input_and_many_processes_are_refused():
    with pytest.raises(TypeError, match="sources"):
        ExactMatch().add_batch(predictions=["a"], references=["a"], sources=["a"])
    with pytest.raises(ValueError, match="num_process=2"):
        ExactMatch(num_process=2)
