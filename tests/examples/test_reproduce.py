"""One command for every table: the records hold together, and a quick run proves the chain of one."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
from warm_python import run_python

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reproduce():
    specification = importlib.util.spec_from_file_location("reproduce", ROOT / "examples" / "reproduce.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules["reproduce"] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules["reproduce"]


@pytest.fixture
def call(reproduce, monkeypatch):
    """The script's main in this process; what it runs is forked from a warm one. Returns the commands."""
    commands = []
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}

    def start(command):
        commands.append(command)
        done = run_python(command[1:], env=environment)
        assert done.returncode == 0, done.stderr
        return done.returncode

    def call(*arguments: str) -> list[list[str]]:
        commands.clear()
        monkeypatch.setattr(reproduce, "start", start)
        monkeypatch.setattr("sys.argv", ["reproduce.py", *arguments])
        reproduce.main()
        return list(commands)

    return call


def test_the_entries_are_listed_with_what_they_take(call, capsys, reproduce):
    assert call("--list") == []
    printed = capsys.readouterr().out
    assert len(reproduce.entries()) > 5
    for name in reproduce.entries():
        record = reproduce.read_record(name)
        assert name in printed and record["title"] in printed and record["takes"] in printed


def test_each_record_names_presets_scripts_and_runs_that_there_are(reproduce, tmp_path):
    for name in reproduce.entries():
        record = reproduce.read_record(name)
        jobs = reproduce.jobs(name, record, [0, 1], tmp_path, "DATA", quick=False)
        steps = len(record["trainings"]) + ("evaluation" in record)
        assert len(jobs) == steps * (1 if record.get("own_seeds") else 2)
        trained = {str(job.result.parent) for job in jobs}
        for job in jobs:
            assert Path(job.command[1]).is_file()
            assert all("{" not in word for word in job.command)
            read = [word for word in job.command[2:] if word.startswith(str(tmp_path))]
            assert set(read) <= trained, f"{name} reads what it does not train"
        quick = reproduce.jobs(name, record, [0], tmp_path, None, quick=True)
        assert not any("DATA" in word or "{data}" in word for job in quick for word in job.command)
        assert all(row["published"] for row in record["rows"])


def test_a_quick_run_trains_evaluates_and_compares_and_is_not_repeated(call, tmp_path, capsys):
    (command,) = call("snli-entailment", "--quick", "--output_dir", str(tmp_path))
    assert command[-2:] == ["--resume_from_checkpoint", "last"]
    printed = capsys.readouterr().out
    assert "mean nothing" in printed and "65.9" in printed
    found = json.loads((tmp_path / "snli-entailment.json").read_text())
    assert found["quick"] and len(found["rows"]) == 9
    for row in found["rows"]:
        assert row["difference"] == pytest.approx(row["ours"] - row["published"]) and len(row["values"]) == 1
    assert (tmp_path / "snli-entailment.md").read_text() in printed
    assert call("snli-entailment", "--quick", "--output_dir", str(tmp_path)) == []


@pytest.fixture
def pretend(reproduce, monkeypatch, tmp_path):
    """The script's main, whose commands write a table and no more; returns the scripts that it ran."""
    ran = []

    def start(command):
        folder = Path(command[command.index("--output_dir") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text(json.dumps({"number": len(ran), "run": str(tmp_path)}))
        models = [str(folder.parent / name) for name in TRANSFER_RUNS]
        (folder / "table.json").write_text(json.dumps([{"system": name, "source_bleu": 1.0} for name in models]))
        ran.append(Path(command[1]).stem)
        return 0

    def pretend(*arguments: str) -> list[str]:
        before = len(ran)
        monkeypatch.setattr(reproduce, "start", start)
        monkeypatch.setattr("sys.argv", ["reproduce.py", "yelp-transfer", *arguments])
        reproduce.main()
        return ran[before:]

    return pretend


TRANSFER_RUNS = ("ae-yelp", "arae-weak-yelp", "arae-strong-yelp", "arae-yelp")


def test_what_was_made_otherwise_is_not_taken_for_this(pretend, reproduce, tmp_path, monkeypatch):
    data, other, out = tmp_path / "data", tmp_path / "other", tmp_path / "out"
    data.mkdir()
    other.mkdir()
    usual = ("--data_dir", str(data), "--output_dir", str(out))
    train, evaluate = "train_style_transfer", "evaluate_style_transfer"
    assert pretend(*usual) == [train] * 4 + [evaluate]
    assert pretend(*usual) == []
    monkeypatch.chdir(tmp_path)
    assert pretend("--data_dir", "data", "--output_dir", "out", "--seeds", "0", "0") == []
    (out / "seed-0" / "ae-yelp" / "metrics.json").unlink()
    assert pretend(*usual) == [train, evaluate], "the evaluation was of another training"
    with pytest.raises(ValueError, match="dataset_name"):
        pretend("--data_dir", str(other), "--output_dir", str(out))
    preset = reproduce.read_preset
    changed = pytest.MonkeyPatch()
    changed.setattr(reproduce, "read_preset", lambda *given: preset(*given) | {"hidden_size": "7"})
    with pytest.raises(ValueError, match="hidden_size"):
        pretend(*usual)
    changed.undo()
    assert pretend("--quick", "--output_dir", str(tmp_path / "quick")) == [train] * 4 + [evaluate]
    with pytest.raises(ValueError, match="another quick: "):
        pretend("--data_dir", str(data), "--output_dir", str(tmp_path / "quick"))


def test_several_seeds_are_averaged(reproduce, tmp_path):
    record = {"trainings": [], "evaluation": {"result": "table.json"}}
    record["rows"] = [{"row": "A", "of": {"system": "{runs}/a"}, "published": {"bleu": 10.0, "other": None}}]
    for seed, value in ((0, 12.0), (1, 16.0)):
        folder = tmp_path / f"seed-{seed}" / "entry"
        folder.mkdir(parents=True)
        row = {"system": str(tmp_path / f"seed-{seed}" / "a"), "bleu": value}
        (folder / "table.json").write_text(json.dumps([row]))
    bleu, other = reproduce.compare("entry", record, [0, 1], tmp_path, quick=False)
    assert (bleu["ours"], bleu["values"], bleu["difference"]) == (14.0, [12.0, 16.0], 4.0)
    assert other["ours"] is None and other["difference"] is None
    assert "12.00 to 16.00" in reproduce.table([bleu, other])
    record["rows"][0]["of"] = {"system": "elsewhere"}
    with pytest.raises(ValueError, match="elsewhere"):
        reproduce.compare("entry", record, [0], tmp_path, quick=False)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["yelp-transfe"], "yelp-transfer"), (["yelp-transfer"], "--data_dir"), (["ptb-vae", "--data_dir", "no"], "no")],
)
def test_what_is_wrong_is_said_before_anything_runs(call, arguments, named):
    with pytest.raises((ValueError, OSError), match=named):
        call(*arguments)
