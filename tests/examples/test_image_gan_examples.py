"""The examples that train EBGANs and ladders: tiny runs, what their results can do, and wrong arguments."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from PIL import Image
from transformers import pipeline
from warm_python import run_python

from hf_arae import EbganForImageClassification, EbganModel
from hf_arae.data.corpora.glyphs import build_glyphs

ROOT = Path(__file__).parents[2]
FEW = ["--max_train_samples", "240", "--max_eval_samples", "40", "--image_size", "16", "--use_cpu"]
QUIET = ["--disable_tqdm", "--report_to", "none", "--max_steps", "4", "--eval_steps", "2", "--save_steps", "0"]


def run(script: str, *arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return run_python([ROOT / "examples" / script, *arguments, *FEW, *QUIET], env=environment)


@pytest.fixture(scope="module")
def judges(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("judges")


@pytest.mark.parametrize("game", ["ebgan", "gan"])
def test_a_gan_is_measured_and_its_pictures_are_drawn(game, judges, tmp_path):
    settings = ["--generator_layers", "20", "--discriminator_layers", "12", "--per_device_train_batch_size", "32"]
    more = ["--estimate_margin"] if game == "ebgan" else ["--measure_anomalies", "--left_out_class", "ring"]
    settings += ["--game", game, "--num_samples", "40", "--judge_dir", str(judges)]
    done = run("train_image_gan.py", *settings, *more, "--output_dir", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert ("estimated margin" in done.stdout) == (game == "ebgan")
    report = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {"frechet_distance", "real_frechet_distance", "i_prime", "judge_accuracy"} <= report.keys()
    assert report["updates"] == 4 and report["measured_split"] == "test"
    assert list((tmp_path / "run" / "pictures").glob("*.png"))
    log = (tmp_path / "run" / "training_log.jsonl").read_text()
    assert ("eval/auroc_noise" in log) == ("eval/auroc_left_out_class" in log) == (game == "gan")
    assert ("\n240 images, " in f"\n{done.stdout}") == (game == "ebgan")
    model = EbganModel.from_pretrained(tmp_path / "run")
    assert model.sample(3, seed=0).shape == (3, 1, 16, 16)
    assert model.rebuilds_images == (game == "ebgan")


def test_few_labels_are_learnt_alone_and_against_a_generator(tmp_path):
    settings = ["--discriminator_layers", "20-12", "--generator_layers", "16", "--per_device_train_batch_size", "32"]
    settings += ["--labelled_images", "24", "--labelled_batch_size", "24"]
    for name, more in (("ladder", []), ("against", ["--adversarial_weight", "5", "--margin_decay_steps", "2"])):
        done = run("train_few_labels.py", *settings, *more, "--output_dir", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        report = json.loads((tmp_path / name / "metrics.json").read_text())
        assert {"classification_error", "calibration_error", "validation_classification_error"} <= report.keys()
        assert report["labelled_images"] == 24 and "280 images, 24 labels" in done.stdout
        model = EbganForImageClassification.from_pretrained(tmp_path / name)
        assert model.draws_images == (name == "against") and model.config.id2label[0] == "ring"
        lines = [json.loads(line) for line in (tmp_path / name / "training_log.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines if "eval/classification_error" in line] == [2, 4]
    classify = pipeline("image-classification", model=str(tmp_path / "ladder"))
    found = classify(Image.new("RGB", (30, 40)), top_k=12)
    assert len(found) == 12 and sum(one["score"] for one in found) == pytest.approx(1, abs=1e-4)
    assert torch.isfinite(torch.tensor([one["score"] for one in found])).all()


def test_test_images_without_labels_are_no_reason_to_fail_after_a_training(tmp_path):
    for split, images in build_glyphs(16, sizes={"train": 80, "validation": 40, "test": 20}).items():
        rows = {"image": [Image.fromarray(one[..., 0]) for one in images.pixels], "label": images.labels.tolist()}
        columns = {name: rows[name] for name in rows if (split, name) != ("test", "label")}
        Dataset.from_dict(columns).to_parquet(tmp_path / "data" / f"{split}.parquet")
    settings = ["--dataset_name", str(tmp_path / "data"), "--labelled_images", "12", "--labelled_batch_size", "12"]
    settings += ["--discriminator_layers", "12", "--per_device_train_batch_size", "32"]
    done = run("train_few_labels.py", *settings, "--output_dir", str(tmp_path / "run"))
    assert done.returncode == 0 and "No test image has a label" in done.stdout, done.stderr
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["measured_split"] == "validation"


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("train_image_gan.py", ["--left_out_class", "circle"], "the classes are ring, "),
        ("train_image_gan.py", ["--margin", "0"], "margin must lie in (0, inf)"),
        ("train_image_gan.py", ["--generator_layers", "(8)4c"], "layer 1 of '(8)4c' is '(8)4c'"),
        ("train_image_gan.py", ["--backbone", "ladder"], "EbganLadderObjective"),
        ("train_image_gan.py", ["--game", "gan", "--estimate_margin"], "--game ebgan alone"),
        ("train_image_gan.py", ["--per_device_train_batch_size", "1"], "at least 2, got 1"),
        ("train_few_labels.py", ["--labelled_images", "5"], "5 labels do not reach"),
        ("train_few_labels.py", ["--labelled_images", "9000"], "9000 labels"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(script, arguments, message, judges, tmp_path):
    more = ["--judge_dir", str(judges), "--num_samples", "6"] if "gan" in script else []
    done = run(script, *arguments, *more, "--output_dir", str(tmp_path / "run"))
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
