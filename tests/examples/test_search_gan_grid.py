"""The grid of GANs: how many runs, a search that goes on, and what is printed and drawn of it."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from presets import preset_settings
from warm_python import run_python

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "search_gan_grid.py"
ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
TINY = ["--max_train_samples", "320", "--max_eval_samples", "60", "--image_size", "16", "--num_samples", "50"]
TINY += ["--num_train_epochs", "1", "--per_device_train_batch_size", "32", "--use_cpu"]
TINY += ["--generator_depths", "2", "--discriminator_depths", "2", "--generator_sizes", "8", "--dropouts", "0"]
TINY += ["--discriminator_sizes", "6"]


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


def test_the_grid_is_that_of_the_thesis(script):
    runs = script["GridArguments"]().runs()
    assert [sum(run["game"] == game for run in runs) for game in ("ebgan", "gan")] == [512, 6144]
    assert len({json.dumps(run, sort_keys=True) for run in runs}) == 6656
    assert not any(run["beta1"] for run in runs if run["game"] == "gan" and optimizers(run) == {"sgd"})


def optimizers(run):
    return {run["discriminator_optimizer"], run["generator_optimizer"]}


def test_a_larger_sample_holds_the_smaller_one(script):
    few, many = (script["GridArguments"](sample=count, seed=3).runs() for count in (5, 9))
    assert many[:5] == few and len(many) == 9
    assert script["GridArguments"](sample=5, seed=4).runs() != few


def search(folder: Path, *flags: str) -> subprocess.CompletedProcess:
    places = ["--output_dir", folder / "grid", "--judge_dir", folder / "judges"]
    done = run_python([SCRIPT, *TINY, *places, *flags], env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return done


def test_a_search_goes_on_and_prints_what_was_asked_for(tmp_path):
    first = search(tmp_path, "--gan_optimization", "adam/adam/0.001", "sgd/sgd/0.01")
    assert "3 runs: 1 EBGANs" in first.stdout and "EBGAN's median less this" in first.stdout
    table = tmp_path / "grid" / "runs.jsonl"
    lines = table.read_text().splitlines()
    runs = [json.loads(line) for line in lines]
    assert {run["game"] for run in runs} == {"ebgan", "gan"}
    assert all({"i_prime", "frechet_distance", "smallest_class_share", "seconds"} <= run.keys() for run in runs)
    assert {path.name for path in (tmp_path / "grid").iterdir()} == {
        "runs.jsonl",
        "histograms-by-depth-beta1-0.9.png",
        "histograms-by-optimizer-beta1-0.9.png",
    }
    # Killed in the middle of a line: that run is made again, alike, and no other one.
    table.write_text("\n".join(lines)[:-30])
    again = search(tmp_path, "--gan_optimization", "adam/adam/0.001", "sgd/sgd/0.01")
    assert "2 of the runs" in again.stdout
    repeated = [line for line in table.read_text().splitlines() if line.endswith("}")]
    assert repeated[:2] == lines[:2]
    one, other = (json.loads(line) | {"seconds": 0} for line in (repeated[2], lines[2]))
    assert one == other


def test_margins_are_drawn_beside_one_another(tmp_path):
    flags = ["--games", "ebgan", "--margins", "1", "4", "--draw_samples"]
    done = search(tmp_path, *flags)
    rows = [line.split("|") for line in done.stdout.partition("By margin")[2].splitlines() if "| ebgan" in line]
    assert [row[1].strip() for row in rows] == ["1", "4"]
    assert (tmp_path / "grid" / "samples-by-margin.png").is_file()
    assert len(list((tmp_path / "grid" / "samples").iterdir())) == 2


def test_runs_side_by_side_are_the_same_runs(tmp_path):
    flags = ["--gan_optimization", "sgd/sgd/0.01"]
    search(tmp_path, *flags)
    places = ["--output_dir", tmp_path / "both", "--judge_dir", tmp_path / "judges", "--num_parallel_runs", "2"]
    command = [sys.executable, SCRIPT, *TINY, *places, *flags]  # spawns processes: no warm one
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    one, other = (
        sorted((json.loads(line) | {"seconds": 0} for line in (tmp_path / name / "runs.jsonl").open()), key=str)
        for name in ("grid", "both")
    )
    assert one == other


@pytest.mark.parametrize(
    ("preset", "ebgans", "gans"), [("gan-grid", 512, 6144), ("gan-grid-reduced", 96, 144), ("ebgan-margins", 8, 0)]
)
def test_presets_hold_the_runs_that_they_name(script, preset, ebgans, gans):
    (grid,) = preset_settings(preset, "search_gan_grid", script["GridArguments"])
    assert [sum(run["game"] == game for run in grid.runs()) for game in ("ebgan", "gan")] == [ebgans, gans]


@pytest.mark.parametrize(
    "flags",
    [
        ["--games", "vae"],
        ["--generator_depths", "1"],
        ["--gan_optimization", "adam/0.001"],
        ["--gan_optimization", "adam/adam/-1"],
        ["--margins", "none"],
        ["--num_parallel_runs", "0"],
    ],
)
def test_wrong_grids_are_refused_before_anything_is_made(tmp_path, flags):
    done = run_python([SCRIPT, "--output_dir", tmp_path / "grid", *flags], env=ENVIRONMENT)
    assert done.returncode == 2 and not (tmp_path / "grid").exists()
