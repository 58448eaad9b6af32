"""The example on autoencoders of images: a tiny run, and wrong arguments."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import torch
from datasets import ClassLabel, Dataset, Features
from datasets import Image as ImageFeature
from PIL import Image
from transformers import AutoImageProcessor, AutoModel
from warm_python import run_python

from hf_arae.data.corpora.glyphs import build_glyphs

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return run_python([ROOT / "examples" / "train_image_autoencoder.py", *arguments], env=environment)


def test_a_run_is_measured_and_drawn_and_loads(tmp_path):
    data = ["--max_train_samples", "300", "--max_eval_samples", "60", "--image_size", "16", "--num_samples", "60"]
    sizes = ["--encoder_sizes", "16", "--decoder_sizes", "16", "--code_size", "8", "--latent_size", "4"]
    steps = ["--max_steps", "6", "--eval_steps", "3", "--save_steps", "0", "--per_device_train_batch_size", "32"]
    more = ["--minus_label", "tee", "--plus_label", "plus", "--binarize", "stochastic", "--encoder_steps", "2"]
    where = ["--output_dir", str(tmp_path / "run"), "--judge_dir", str(tmp_path / "judges")]
    done = run(*data, *sizes, *steps, *more, *where, "--disable_tqdm", "true", "--report_to", "none")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert report["preset"] == "arae_image-glyphs" and report["updates"] == 6 and report["draws_images"] is True
    assert {"image_nll", "frechet_distance", "gaussian_frechet_distance", "nll_20_flips", "like_cosine"} <= set(report)
    lines = [json.loads(line) for line in (tmp_path / "run" / "training_log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "eval/code_norm" in line] == [3, 6]
    assert (tmp_path / "run" / "pictures" / "new-images.png").is_file()
    model = AutoModel.from_pretrained(tmp_path / "run")
    pictures = AutoImageProcessor.from_pretrained(tmp_path / "run").post_process(model.sample(2, seed=0))
    assert [picture.size for picture in pictures] == [(16, 16)] * 2
    assert not model.training and torch.isfinite(model.encode(torch.zeros(1, 1, 16, 16))).all()


def test_a_test_split_without_the_left_out_class_is_refused_before_training(tmp_path):
    for split, images in build_glyphs(16, sizes={"train": 80, "validation": 40, "test": 40}).items():
        images = images.without_class("ring") if split == "test" else images
        rows = {"image": [Image.fromarray(one[..., 0]) for one in images.pixels], "label": images.labels}
        features = Features({"image": ImageFeature(), "label": ClassLabel(names=images.label_names)})
        Dataset.from_dict(rows, features).to_parquet(tmp_path / "data" / f"{split}.parquet")
    where = ["--dataset_name", str(tmp_path / "data"), "--image_size", "16", "--judge_dir", str(tmp_path / "judges")]
    where += ["--output_dir", str(tmp_path / "run")]
    done = run(*where, "--measure_anomalies", "--left_out_class", "ring", "--disable_tqdm", "--report_to", "none")
    assert done.returncode == 2 and "0 of " in done.stderr and "'ring'" in done.stderr, done.stderr
    assert not (tmp_path / "judges").exists() and not (tmp_path / "run" / "training_log.jsonl").exists()


def test_wrong_arguments_are_refused_in_a_line():
    for arguments, said in (
        (["--minus_label", "tee"], "minus_label and plus_label"),
        (["--family", "ae"], "arae_image"),
        (["--minus_label", "tee", "--plus_label", "plus", "--left_out_class", "tee"], "'tee' is left out"),
        (["--binarize", "dither"], "stochastic"),
        (["--critic_batch_norm", "true", "--max_train_samples", "10"], "critic_batch_norm"),
    ):
        done = run(*arguments)
        assert done.returncode == 2 and said in done.stderr, done.stderr
