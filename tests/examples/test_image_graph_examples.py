"""Graphs over images: pre-training, their pictures, and their comparison in classifiers, as scripts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from transformers import AutoModel, AutoModelForImageClassification
from warm_python import run_python

from hf_arae import GlomoImageForImageClassification, GlomoImageModel

EXAMPLES = Path(__file__).parents[2] / "examples"
ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(EXAMPLES.parent)}
FEW = ["--max_train_samples", "200", "--max_eval_samples", "40", "--use_cpu", "true"]


def call(script: str, *flags: object):
    return run_python([EXAMPLES / f"{script}.py", *FEW, *map(str, flags)], env=ENVIRONMENT)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "glomo-image"
    sizes = ["--image_size", 16, "--patch_size", 4, "--hidden_size", 8, "--num_heads", 2, "--mirror", "true"]
    steps = ["--max_steps", 3, "--eval_steps", 2, "--per_device_train_batch_size", 8]
    done = call("pretrain_image_graphs", *sizes, *steps, "--output_dir", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_pretraining_leaves_graphs_numbers_and_pictures(predictor):
    model = AutoModel.from_pretrained(predictor)
    assert type(model) is GlomoImageModel and model.config.units_size == 4
    report = (predictor / "metrics.json").read_text()
    assert all(name in report for name in ("next_units_nll", "edges", "empty_columns"))
    assert all((predictor / f"graphs_{way}.png").stat().st_size > 1000 for way in ("forward", "backward"))


def test_every_kind_of_graphs_is_run_once_and_more_seeds_are_added(predictor, tmp_path):
    flags = ["--predictor", predictor, "--max_steps", 2, "--split_off", 60, "--labelled", 48, "--mirror", "true"]
    sizes = ["--task_maps", 4, "--task_stages", "(4)1-(6)1", "--output_dir", tmp_path]
    done = call("transfer_image_graphs", *flags, *sizes, "--seeds", 0, "--keep_models", "true")
    assert done.returncode == 0, done.stderr
    runs = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    assert [run["graphs"] for run in runs] == ["none", "uniform", "random", "untrained", "learned"]
    assert all(run["training_rows"] == 48 and 0 <= run["accuracy"] <= 100 for run in runs)
    assert type(AutoModelForImageClassification.from_pretrained(tmp_path / "learned-seed0")) is (
        GlomoImageForImageClassification
    )
    done = call("transfer_image_graphs", *flags, *sizes, "--seeds", 0, 1, "--graphs", "none", "learned")
    assert done.returncode == 0, done.stderr
    assert "2 of the runs" in done.stdout and len((tmp_path / "runs.jsonl").read_text().splitlines()) == 7
    assert [one["graphs"] for one in json.loads((tmp_path / "table.json").read_text())] == ["none", "learned"]
    done = call("transfer_image_graphs", *flags, *sizes, "--split_off", 5000)
    assert done.returncode == 2 and "split_off" in done.stderr
