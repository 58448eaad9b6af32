"""What-where autoencoders by train_few_labels.py: the modes, the paired ConvNet, more images, and wrong arguments."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from PIL import Image
from transformers import AutoImageProcessor, pipeline
from warm_python import run_python

from hf_arae import SwwaeForImageClassification, SwwaeModel
from hf_arae.data.corpora.glyphs import build_glyphs

SCRIPT = Path(__file__).parents[2] / "examples" / "train_few_labels.py"
ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[1])}
NARROW = ["--family", "swwae", "--layers", "(4)3c-2p-(6)3c-2p-fc", "--image_size", "16"]
NARROW += ["--labelled_images", "24", "--labelled_batch_size", "12", "--per_device_train_batch_size", "16"]
FEW = ["--max_train_samples", "120", "--max_eval_samples", "40", "--use_cpu", "--max_steps", "3", "--eval_steps", "2"]
FEW += ["--save_steps", "2", "--logging_steps", "1", "--disable_tqdm", "--report_to", "none"]


def run(folder: Path, *flags: str) -> subprocess.CompletedProcess:
    return run_python([SCRIPT, *NARROW, *FEW, "--output_dir", folder, *flags], env=ENVIRONMENT)


def train(folder: Path, *flags: str) -> dict:
    done = run(folder, *flags)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "metrics.json").read_text()) | {"stdout": done.stdout}


def log(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]
    return [line for line in lines if "learn/loss" in line]


def test_labels_and_images_are_learnt_from_and_the_convnet_sees_the_same_labels(tmp_path):
    report = train(tmp_path / "swwae")
    numbers = {"classification_error", "calibration_error"}
    assert numbers | {f"validation_{name}" for name in numbers} <= report.keys()
    assert (report["family"], report["labelled_images"]) == ("swwae", 24) and "160 images, 24 l" in report["stdout"]
    model = SwwaeForImageClassification.from_pretrained(tmp_path / "swwae")
    seen = [part.pixels for split, part in build_glyphs(16, sizes={"train": 120, "validation": 40}).items()]
    assert model.config.pixel_mean == pytest.approx([np.concatenate(seen).mean() / 255])
    assert model.config.id2label[0] == "ring"
    found = pipeline("image-classification", model=str(tmp_path / "swwae"))(Image.new("RGB", (30, 40)), top_k=12)
    assert sum(one["score"] for one in found) == pytest.approx(1, abs=1e-4)
    # Before anything was learnt, the loss on labels is the same one: weights and rows are.
    train(tmp_path / "convnet", "--reconstruction_weight", "0", "--middle_weight", "0", "--dropout", "0")
    train(tmp_path / "alone", "--unlabelled", "false", "--no_normalize_pixels", "--dropout", "0", "--no_batch_norm")
    more = ["--no_normalize_pixels", "--dropout", "0", "--no_batch_norm"]
    train(tmp_path / "both", *more)
    first = {name: log(tmp_path / name)[0] for name in ("convnet", "alone", "both")}
    assert "learn/reconstruction" not in first["convnet"] and first["convnet"]["learn/loss"] > 0
    assert first["alone"]["learn/nll"] == pytest.approx(first["both"]["learn/nll"], rel=1e-5)
    assert first["alone"]["learn/reconstruction"] != first["both"]["learn/reconstruction"]
    assert SwwaeModel.from_pretrained(tmp_path / "both").config.pixel_mean is None


def test_without_labels_it_is_an_autoencoder_of_shifted_images_that_goes_on_where_it_was_stopped(tmp_path):
    flags = ["--nll_weight", "0", "--where", "phase", "--shift_x", "3", "--mirror", "--num_channels", "3"]
    flags += ["--normalize_contrast"]
    report = train(tmp_path / "whole", *flags)
    assert report["labelled_images"] == 0 and report["reconstruction_error"] > 0
    assert report["validation_reconstruction_error"] > 0 and "classification_error" not in report
    model = SwwaeModel.from_pretrained(tmp_path / "whole")
    assert model.config.architectures == ["SwwaeModel"] and model.config.layers == "(4)3c-2p-(6)3c-2p"
    assert model.config.pixel_mean == pytest.approx([0.5] * 3, abs=0.05) and len(model.config.pixel_std) == 3
    assert AutoImageProcessor.from_pretrained(tmp_path / "whole").normalize_contrast
    train(tmp_path / "parts", *flags, "--max_steps", "2")
    train(tmp_path / "parts", *flags, "--resume_from_checkpoint", "last", "--resume_with_changes")
    resumed = SwwaeModel.from_pretrained(tmp_path / "parts").state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in model.state_dict().items())


def test_images_of_another_dataset_are_scaled_and_learnt_from(tmp_path):
    for split, images in build_glyphs(20, 3, sizes={"train": 30, "validation": 4}).items():
        pictures = [Image.fromarray(one) for one in images.pixels]
        Dataset.from_dict({"picture": pictures}).to_parquet(tmp_path / "more" / f"{split}.parquet")
    more = ["--unlabelled_dataset_name", str(tmp_path / "more"), "--labelled_images", "all"]
    report = train(tmp_path / "run", *more, "--max_unlabelled_samples", "25", "--bf16")
    assert report["labelled_images"] == 120 and "185 images, 120 labels" in report["stdout"]
    assert "25 images without labels" in report["stdout"] and "scaled to 16 x 16" in report["stdout"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--nll_weight", "0", "--reconstruction_weight", "0", "--middle_weight", "0"], "one of nll_weight"),
        (["--reconstruction_weight", "-0.1"], "reconstruction_weight must lie in [0, inf)"),
        (["--labelled_batch_size", "0"], "labelled_batch_size must be at least 1"),
        (["--labelled_images", "5"], "5 labels do not reach"),
        (["--labelled_images", "9000"], "class"),
        (["--labelled_images", "²"], "labelled_images must be a whole number above 0, or all"),
        (["--labelled_images", "many"], "labelled_images must be a whole number above 0, or all"),
        (["--layers", "(4)3c-2q-fc"], "2q"),
        (["--layers", "(4)3c-32p-fc"], "pools squares larger than its map"),
        (["--layers", "(4)3c-2p"], "layers must end in a linear one"),
        (["--layers", "(4)3c-2p-7fc"], "7 outputs"),
        (["--nll_weight", "0", "--unlabelled", "false"], "unlabelled is false"),
        (["--nll_weight", "0", "--decode_from", "logits"], "decode_from must be features"),
        (["--shift_x", "16"], "shift_x must be below"),
        (["--unlabelled_split", "extra"], "unlabelled_split goes with unlabelled_dataset_name"),
        (["--unlabelled_dataset_name", "nowhere/nothing"], "nowhere/nothing"),
        (["--family", "ebgan"], "there is no flag --layers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_trained_is_refused_in_one_line(flags, message, tmp_path):
    done = run(tmp_path / "run", *flags)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "model.safetensors").exists()
