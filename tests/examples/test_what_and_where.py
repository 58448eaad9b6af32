"""Figures 6.2 and 6.3 on tiny data: tables and pictures, runs that go on, and flags that are refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image
from warm_python import run_python

from hf_arae import SwwaeModel

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "what_and_where.py"
ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
TINY = ["--max_train_samples", "60", "--max_eval_samples", "12", "--image_size", "16", "--ground_size", "20"]
TINY += [
    "--per_device_train_batch_size",
    "8",
    "--max_steps",
    "2",
    "--use_cpu",
    "--disable_tqdm",
    "--report_to",
    "none",
]
TINY += ["--layers", "(3)3c", "--poolings", "2", "5", "--shift_layers", "(3)3c-2p-(4)3c-10p", "--train_shift", "2"]


def made(folder: Path, *flags: str) -> str:
    done = run_python([SCRIPT, *TINY, "--output_dir", folder, *flags], env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_figures_are_made_and_what_has_ended_is_not_trained_again(tmp_path):
    text = made(tmp_path)
    assert text.count("2 updates") == 7
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    pictures = {"reconstructions.png", "shifts.png"}
    pictures |= {f"what-of-rows-where-of-columns-{size}-{way}.png" for size in (2, 5) for way in ("switches", "phase")}
    assert names == pictures | {f"{name}.{kind}" for name in ("reconstructions", "shifts") for kind in ("md", "json")}
    rows = json.loads((tmp_path / "reconstructions.json").read_text())
    assert [(row["pooling"], row["where"]) for row in rows] == [
        (size, where) for size in (2, 5) for where in ("none", "switches", "phase")
    ]
    for row in rows:
        without = next(one for one in rows if one["pooling"] == row["pooling"] and one["where"] == "none")
        assert row["psnr_gain"] == pytest.approx(row["psnr"] - without["psnr"])
    moved = json.loads((tmp_path / "shifts.json").read_text())
    assert [(row["axis"], row["pixels"]) for row in moved] == [
        (axis, pixels) for axis in ("horizontal", "vertical") for pixels in (3, -3)
    ]
    assert Image.open(tmp_path / "reconstructions.png").width > 3 * 8 * 2 * 20
    assert SwwaeModel.from_pretrained(tmp_path / "shifts").config.where == "phase"
    assert json.loads((tmp_path / "pooling-5-switches" / "metrics.json").read_text())["updates"] == 2
    # Again, with one more pooling: the others are as they were.
    trained = tmp_path / "pooling-2-none" / "checkpoint-2" / "manifest.json"
    before = trained.stat().st_mtime_ns
    made(tmp_path, "--figures", "reconstructions", "--poolings", "2", "4", "5")
    assert trained.stat().st_mtime_ns == before
    again = json.loads((tmp_path / "reconstructions.json").read_text())
    assert [row for row in again if row["pooling"] != 4] == rows
    # Other settings are another figure.
    done = run_python([SCRIPT, *TINY, "--output_dir", tmp_path, "--max_steps", "3"], env=ENVIRONMENT)
    assert done.returncode == 2 and "max_steps" in done.stderr


@pytest.mark.parametrize(
    "flags",
    [
        ["--figures", "6.2"],
        ["--wheres", "phases"],
        ["--poolings", "1"],
        ["--poolings", "21"],
        ["--ground_size", "12"],
        ["--reconstruction_weight", "0", "--middle_weight", "0"],
        ["--max_steps", "-1"],
        ["--shift_layers", "(3)3c-2p-10fc"],
        ["--shift", "40"],
        ["--train_shift", "40"],
    ],
)
def test_wrong_figures_are_refused_before_anything_is_made(tmp_path, flags):
    done = run_python([SCRIPT, *TINY, "--output_dir", tmp_path / "figures", *flags], env=ENVIRONMENT)
    assert done.returncode == 2 and not (tmp_path / "figures").exists()
