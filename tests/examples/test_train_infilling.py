"""The example that trains an editor, run as a user runs it, with sizes, steps and thresholds cut down."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from safetensors.torch import load_file
from transformers import pipeline
from warm_python import run_distributed

import hf_arae  # noqa: F401 (registers the pipeline)

ROOT = Path(__file__).parents[2]
# A model that has hardly learnt anything rewrites nothing convincingly, and does not come to an end.
SCRIPT = """
import sys
import hf_arae.models.infilling.rounds as rounds
rounds._CONVINCING, rounds._KEPT, rounds._CHUNK = -99.0, 0.0, 20
import train_infilling

def prepare(model, tokenizer, *arguments, fill=train_infilling.prepare_model):
    fill(model, tokenizer, *arguments)
    model.biases["editor"].data[tokenizer.eos_token_id] = 4.0

train_infilling.prepare_model = prepare
from hf_arae.utils.command_line import run_script
run_script(train_infilling.main)
"""
TINY = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_heads": 2,
    "classifier_embedding_size": 8,
    "classifier_maps": 8,
    "max_train_samples": 120,
    "max_eval_samples": 8,
    "max_steps": 4,
    "save_steps": 2,
    "round_sentences": 50,
    "round_steps": 4,
    "round_candidates": 4,
    "tuning_sentences": 8,
    "candidates": 4,
    "per_device_train_batch_size": 4,
    "bf16": "false",
    "use_cpu": "true",
    "disable_tqdm": "true",
    "report_to": "none",
}


def train(folder: Path, processes: int = 1, /, **flags) -> list[subprocess.CompletedProcess]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    script = folder.parent / "tiny.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'examples'}"
    arguments = [str(part) for name, value in (TINY | flags).items() for part in (f"--{name}", value)]
    return run_distributed([script, *arguments, "--output_dir", folder], processes, env=environment)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("whole") / "run"
    (done,) = train(folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def same(one: Path, other: Path) -> bool:
    weights = [load_file(folder / "model.safetensors") for folder in (one, other)]
    return weights[0].keys() == weights[1].keys() and all(
        weights[1][name].equal(value) for name, value in weights[0].items()
    )


def test_a_training_leaves_an_editor_with_scores(trained):
    folder, output = trained
    assert "round 2: " in output and 'pipeline("text-style-transfer"' in output
    assert json.loads((folder / "metrics.json").read_text())["updates"] == 4
    rewrite = pipeline("text-style-transfer", model=str(folder), num_candidates=4)
    result = rewrite("the food was awful .", target="positive")
    assert all(0 <= result[f"{name}_score"] <= 1 for name in ("style", "content", "fluency"))


def test_a_run_that_was_stopped_in_a_stage_or_lost_its_pairs_ends_as_one_that_was_not(trained, tmp_path):
    folder = tmp_path / "run"
    (stopped,) = train(folder, max_time=1e-6)
    assert stopped.returncode and "--resume_from_checkpoint last" in stopped.stdout + stopped.stderr
    (refused,) = train(folder)
    assert refused.returncode and "--resume_from_checkpoint last" in refused.stderr
    assert "sentences," not in refused.stdout  # before data are read
    (other,) = train(folder, resume_from_checkpoint=folder / "stage-0" / "checkpoint-2")
    assert other.returncode and "must be last" in other.stderr
    (done,) = train(folder, resume_from_checkpoint="last")
    assert done.returncode == 0, done.stderr
    assert same(folder, trained[0])
    # What is damaged is made again.
    for pairs in folder.glob("pairs-*.parquet"):
        pairs.write_bytes(pairs.read_bytes()[:-40])
    for path in (folder / "checkpoint-4").iterdir():
        path.unlink()
    (folder / "checkpoint-4").rmdir()
    (done,) = train(folder, resume_from_checkpoint="last")
    assert done.returncode == 0, done.stderr
    assert "is damaged" in done.stderr and same(folder, trained[0])


def test_overwriting_leaves_nothing_that_a_later_call_would_go_on_with(trained, tmp_path):
    folder = tmp_path / "run"
    (done,) = train(folder, rounds=1, seed=5)
    assert done.returncode == 0, done.stderr
    (stopped,) = train(folder, max_time=1e-6, overwrite_output_dir="true")
    assert stopped.returncode and not list(folder.glob("checkpoint-*")) and not list(folder.glob("pairs-*"))
    (done,) = train(folder, resume_from_checkpoint="last")
    assert done.returncode == 0, done.stderr
    assert same(folder, trained[0])


def test_two_processes_share_the_work_and_end_together(tmp_path):
    done = train(tmp_path / "run", 2, rounds=1)
    assert [process.returncode for process in done] == [0, 0], done[0].stderr + done[1].stderr
    assert "8 held-out sentences" in done[0].stdout and len(list((tmp_path / "run").glob("pairs-*"))) == 1


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("rounds", -1),
        ("round_candidates", 1),
        ("candidates", 0),
        ("tuning_sentences", 0),
        ("round_steps", 0),
        ("round_sentences", 0),
        ("accuracy", 1.5),
        ("salience_smoothing", 0),
        ("round_learning_rate", "nan"),
    ],
)
def test_a_setting_out_of_range_is_named_before_anything_is_done(tmp_path, flag, value):
    (done,) = train(tmp_path / "run", **{flag: value})
    assert done.returncode and flag in done.stderr and not (tmp_path / "run").exists()


def test_without_a_round_there_is_no_rewriter_to_measure(tmp_path):
    (done,) = train(tmp_path / "run", rounds=0, candidates=1)
    assert done.returncode and "rounds" in done.stderr and not (tmp_path / "run").exists()
    (done,) = train(tmp_path / "run", rounds=0)
    assert done.returncode == 0, done.stderr
