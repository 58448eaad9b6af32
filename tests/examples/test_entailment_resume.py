"""The example that trains a grid of runs in two stages, stopped anywhere in it, goes on and comes to the same end."""

from __future__ import annotations

import json
import runpy
import signal
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hf_arae.training import PhaseTrainer

SCRIPT = Path(__file__).parents[2] / "examples" / "train_entailment.py"
SMALL = "--max_train_samples 300 --max_eval_samples 30 --embedding_size 8 --hidden_size 8 --code_size 8"
SMALL += (
    " --classifier_sizes 8 --method arae --label_fraction 0.3 0.6 --seeds 0 1 --autoencoding_steps 3 --max_steps 4"
)
SMALL += " --eval_steps 2 --save_steps 1 --pairs_per_batch 8 --use_cpu --disable_tqdm"
SENTENCES, RUNS = "arae-sentences-seed", "arae-0.{}-seed"


@pytest.fixture
def call(monkeypatch):
    def call(out: Path, *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *SMALL.split(), "--output_dir", str(out), *arguments])
        runpy.run_path(str(SCRIPT), run_name="__main__")

    return call


@pytest.fixture
def refusal(call, capsys):
    """What a call says that ends at once."""

    def refusal(out: Path, *arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            call(out, *arguments)
        assert ended.value.code == 2
        return capsys.readouterr().err

    return refusal


@pytest.fixture
def stop_at(monkeypatch):
    """Has the process get SIGTERM in an iteration of the run in the folder of that name."""
    run_phase = PhaseTrainer.run_phase

    def stop_at(name: str, step: int) -> None:
        def signalled(trainer, *arguments):
            if trainer.output_dir.name == name and trainer.step == step:
                monkeypatch.setattr(PhaseTrainer, "run_phase", run_phase)
                signal.raise_signal(signal.SIGTERM)
            return run_phase(trainer, *arguments)

        monkeypatch.setattr(PhaseTrainer, "run_phase", signalled)

    return stop_at


def results(out: Path) -> dict:
    """What the runs came to: weights, and all that a report says but for times and how it was called."""
    found = {}
    for folder in sorted(out.glob("arae-*")):
        found[folder.name] = load_file(folder / "model.safetensors")
        if (folder / "metrics.json").exists():
            report = json.loads((folder / "metrics.json").read_text())
            found[f"{folder.name} report"] = {
                name: value for name, value in report.items() if name not in ("command", "settings", "minutes")
            }
    return found | {"table": (out / "table.md").read_text()}


def test_a_grid_that_is_stopped_goes_on_to_the_same_weights_and_reports(tmp_path, call, refusal, stop_at, capsys):
    call(tmp_path / "straight")
    out = tmp_path / "stopped"
    stops = [(f"{SENTENCES}0", 1), (f"{RUNS.format(3)}0", 2), (f"{SENTENCES}1", 0), (f"{RUNS.format(6)}1", 1)]
    resume: list[str] = []
    for name, step in stops:
        stop_at(name, step)
        with pytest.raises(SystemExit) as stopped:
            call(out, *resume)
        assert stopped.value.code == 75
        resume = ["--resume_from_checkpoint", "last"]
        assert "--resume_from_checkpoint last" in capsys.readouterr().out
        before = sorted(out.rglob("checkpoint-*"))
        if name in (stops[0][0], stops[-1][0]):
            assert "resume_from_checkpoint last" in refusal(out)
        assert sorted(out.rglob("checkpoint-*")) == before, "a plain call throws nothing away"
    call(out, *resume, "--save_total_limit", "3", "--max_time", "60")  # how it is stopped and kept is free
    straight, stopped = results(tmp_path / "straight"), results(out)
    assert straight.keys() == stopped.keys() and len(straight) == 11
    for name, value in straight.items():
        if isinstance(value, dict) and isinstance(next(iter(value.values())), torch.Tensor):
            assert all(torch.equal(value[key], stopped[name][key]) for key in value), name
        else:
            assert value == stopped[name], name

    # Runs can be added to what has ended, also without a flag; a first stage that was damaged is named and mended.
    weights = out / f"{SENTENCES}0" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    call(out, "--label_fraction", "0.3", "0.9")
    printed = capsys.readouterr().out
    assert "model.safetensors" in printed and weights.read_bytes() == whole
    assert f"{out / RUNS.format(3)}0 is there: not repeated" in printed
    assert "code_size: was 8, now 9" in refusal(out, "--code_size", "9")
    (out / "settings.json").write_text("")
    assert "settings.json is damaged" in refusal(out)


def test_a_path_goes_on_from_that_checkpoint_of_the_run_it_lies_in(tmp_path, call, refusal, stop_at):
    one = ("--label_fraction", "0.3", "--seeds", "0")
    stop_at(f"{RUNS.format(3)}0", 2)
    with pytest.raises(SystemExit):
        call(tmp_path, *one)
    run = tmp_path / f"{RUNS.format(3)}0"
    elsewhere = str(tmp_path / f"{SENTENCES}0" / "checkpoint-2")
    assert "in none of the runs" in refusal(tmp_path, *one, "--resume_from_checkpoint", elsewhere)
    call(tmp_path, *one, "--resume_from_checkpoint", str(run / "checkpoint-2"))
    assert (run / "set-aside-checkpoint-3").is_dir() and (run / "metrics.json").exists()
