"""The search of weights: the same table however often it is killed, pairs, the chosen weight, and wrong grids."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from warm_python import run_python

from hf_arae.evaluation.weight_search import choose_weights, compare_weights, draw_weights

SCRIPT = Path(__file__).parents[2] / "examples" / "search_swwae_weights.py"
ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[1])}
PRESET = """script: train_few_labels
family: swwae
layers: (4)3c-2p-(6)3c-2p-fc
image_size: 16
labelled_batch_size: 12
per_device_train_batch_size: 16
max_train_samples: 120
max_eval_samples: 40
max_steps: 6
save_steps: 1
"""


def command(folder: Path, *flags: str) -> list:
    preset = folder / "tiny.yaml"
    preset.write_text(PRESET)
    grid = ["--weights", "0", "0.5", "--labelled_images", "24", "--seeds", "0", "1"]
    return [SCRIPT, "--training", preset, "--output_dir", folder / "found", *grid, "--use_cpu", *flags]


def search(folder: Path, *flags: str) -> subprocess.CompletedProcess:
    done = run_python(command(folder, *flags), env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return done


def runs(folder: Path) -> list[dict]:
    found = [
        json.loads(line) for line in (folder / "found" / "runs.jsonl").read_text().splitlines() if line[-1] == "}"
    ]
    return sorted(({**run, "seconds": 0} for run in found), key=lambda run: (run["seed"], run["weight"]))


def test_a_search_that_is_killed_finds_what_one_finds_that_is_not(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    done = search(whole)
    assert {path.name for path in (whole / "found").iterdir()} == {"runs.jsonl", "table.json", "weights.png"}
    assert "paired differences from weight 0" in done.stdout and "chosen on validation images" in done.stdout
    # Killed in its second run, which has a checkpoint; and the line of the first is not whole.
    arguments, table = [sys.executable, *map(str, command(killed))], killed / "found" / "runs.jsonl"
    with subprocess.Popen(arguments, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (table.exists() and list(killed.glob("found/run-*/checkpoint-*"))):
            time.sleep(0.01)
        process.kill()
    table.write_text(table.read_text()[:-20])
    search(killed)
    assert runs(killed) == runs(whole) and len(runs(whole)) == 4
    assert not list(killed.glob("found/run-*"))
    # All is there now, and another weight adds to it.
    again = search(killed, "--weights", "0", "0.1", "--seeds", "0")
    assert "1 of the runs" in again.stdout and len(runs(killed)) == 5


def run(labels: str, weight: float, seed: int, error: float, test: float) -> dict:
    errors = {"validation_classification_error": error, "classification_error": test}
    return {"labelled_images": labels, "weight": weight, "seed": seed} | errors


FOUND = [run("100", 0.0, seed, 10 + seed, 11.0) for seed in range(3)]
FOUND += [run("100", 0.1, seed, 8 + seed, 10.5) for seed in range(3)]
FOUND += [run("100", 0.4, seed, 9 + seed, 1.0) for seed in range(3)]


def test_errors_are_compared_in_pairs_and_test_errors_choose_nothing(tmp_path):
    rows = compare_weights(FOUND)
    assert [(row["weight"], row["draws"], row["validation_classification_error"]) for row in rows] == [
        (0.0, 3, 11),
        (0.1, 3, 9),
        (0.4, 3, 10),
    ]
    assert (rows[1]["error_difference"], rows[1]["error_difference_low"], rows[1]["error_difference_high"]) == (
        -2,
        -2,
        -2,
    )
    half = 4.302652729749464 / 3**0.5  # Student's t of two degrees of freedom; the deviation is 1
    assert rows[0]["validation_classification_error_high"] == pytest.approx(11 + half)
    (chosen,) = choose_weights(FOUND)
    assert (chosen["weight"], chosen["classification_error"], chosen["error_alone"]) == (0.1, 10.5, 11)
    assert (chosen["validation_error"], chosen["validation_error_alone"]) == (9, 11)
    assert chosen["error_difference"] == -0.5
    assert draw_weights(rows, tmp_path / "weights.png") and (tmp_path / "weights.png").stat().st_size > 1000
    assert not draw_weights([], tmp_path / "nothing.png")


def test_one_draw_has_no_interval_and_no_test_split_no_test_error():
    rows = compare_weights(FOUND[:1])
    assert rows[0]["validation_classification_error_low"] is None and "error_difference" not in rows[0]
    untested = [{name: value for name, value in one.items() if name != "classification_error"} for one in FOUND]
    (chosen,) = choose_weights(untested)
    assert chosen["weight"] == 0.1 and "classification_error" not in chosen


@pytest.mark.parametrize(
    "flags",
    [
        ["--weights", "-0.1"],
        ["--weights", "nan"],
        ["--weights", "none"],
        ["--labelled_images", "few"],
        ["--seeds", "-1"],
        ["--middle_share", "-1"],
        ["--training", "ladder-glyphs"],
        ["--training", "no-such-preset"],
        ["--num_parallel_runs", "0"],
        ["--labelled_images", "5"],
    ],
    ids=" ".join,
)
def test_wrong_searches_are_refused_in_one_line(tmp_path, flags):
    done = run_python(command(tmp_path, *flags), env=ENVIRONMENT)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert not (tmp_path / "found" / "runs.jsonl").exists()
