"""Run folders in which people, disks and killed processes have left odd things: named, survived, and nothing lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time

import pytest
from test_trainer import make_trainer
from testing_mixins import assert_same_run, weight_size

from hf_arae.hub.checks import check_model_folder
from hf_arae.storage.files import read_json, write_json
from hf_arae.storage.run_files import is_in_use, read_report
from hf_arae.training import checkpoint, run_folder
from hf_arae.training.checkpoint import find_checkpoint, find_damage, list_checkpoints
from hf_arae.training.interruption import time_left
from hf_arae.training.report import write_report

SETTINGS = {"max_steps": 6, "save_steps": 2, "save_total_limit": 1, "eval_steps": 0}


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "straight"
    make_trainer(folder, weight_size, **SETTINGS).train()
    return folder


def test_a_checkpoint_that_was_moved_and_linked_is_one_like_others(straight, tmp_path):
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    make_trainer(run, weight_size, **(SETTINGS | {"max_steps": 4})).train()
    (run / "checkpoint-4").rename(elsewhere)
    (run / "checkpoint-4").symlink_to(elsewhere)
    make_trainer(run, weight_size, resume_from_checkpoint="last", resume_with_changes=True, **SETTINGS).train()
    assert [path.name for path in list_checkpoints(run)] == ["checkpoint-6"]
    assert find_damage(elsewhere) is None, "what a link leads to is not the run's to delete"
    make_trainer(run, weight_size, resume_from_checkpoint="last", **SETTINGS).train()
    assert_same_run(straight, run, 6)
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]


def test_files_in_the_way_are_not_fatal_and_those_of_the_user_are_kept(straight, tmp_path):
    (tmp_path / "checkpoint-4").write_text("mine")
    (tmp_path / "checkpoint-6").symlink_to(tmp_path / "nowhere")
    (tmp_path / ".checkpoint-2.new").write_text("")
    (tmp_path / ".checkpoint-4.removed").write_text("")
    (tmp_path / ".checkpoint-6.replaced").symlink_to(tmp_path / "nowhere")
    (tmp_path / ".export.new").write_text("")
    (tmp_path / "model.safetensors").mkdir()
    for resume in (None, "last"):
        make_trainer(tmp_path, weight_size, resume_from_checkpoint=resume, **SETTINGS).train()
        assert_same_run(straight, tmp_path, 6)
    assert (tmp_path / "set-aside-checkpoint-4").read_text() == "mine"
    assert (tmp_path / "set-aside-model.safetensors").is_dir()


def test_an_old_checkpoint_that_cannot_be_removed_ends_no_training(straight, tmp_path, warnings, monkeypatch):
    for name in ("rename", "rmtree"):
        real, rmtree = type(tmp_path).rename, checkpoint.delete

        def refuse(path, *arguments, real=real, rmtree=rmtree):
            if path.name in ("checkpoint-2", ".checkpoint-2.removed"):
                raise PermissionError(1, "Operation not permitted", str(path))
            return (real if arguments else rmtree)(path, *arguments)

        folder = tmp_path / name
        warnings.clear()
        with monkeypatch.context() as patched:
            if name == "rename":
                patched.setattr(type(tmp_path), "rename", refuse)
            else:
                patched.setattr(checkpoint, "delete", refuse)
            make_trainer(folder, weight_size, **SETTINGS).train()
            said = [record for record in warnings.records if "checkpoint-2" in record.getMessage()]
            assert len(said) == 1, [record.getMessage() for record in said]
            make_trainer(folder, weight_size, resume_from_checkpoint="last", **SETTINGS).train()
        assert_same_run(straight, folder, 6)


MANIFESTS = {
    "empty": '{"files": {}}',
    "of one file": '{"files": {"config.json": {"size": 1, "sha256": ""}}}',
    "nested": "[" * 100_000,
    "a list": '{"files": []}',
    "no object": "7",
    "NUL": {"a\0b": {"size": 1, "sha256": ""}},
    "half a character": {"\ud83d": {"size": 1, "sha256": ""}},
    "outside": {"../x": {"size": 1, "sha256": ""}},
    "absolute": {"/etc/hostname": {"size": 1, "sha256": ""}},
    "long": {"x" * 5000: {"size": 1, "sha256": ""}},
}


def test_a_manifest_of_any_kind_is_damage_and_no_crash(straight, tmp_path, warnings):
    path = tmp_path / "checkpoint-6"
    path.mkdir()
    for file in (straight / "checkpoint-6").iterdir():
        os.link(file, path / file.name)
    assert find_damage(path) is None
    whole = json.loads((path / "manifest.json").read_text())["files"]
    for kind, manifest in MANIFESTS.items():
        (path / "manifest.json").unlink()
        text = manifest if isinstance(manifest, str) else json.dumps({"files": whole | manifest})
        (path / "manifest.json").write_text(text)
        damage = find_damage(path)
        assert damage, kind
        damage.encode()
        with pytest.raises(checkpoint.CheckpointDamagedError, match="every checkpoint is damaged"):
            find_checkpoint("last", tmp_path)


def hold(folder, ready) -> None:
    with run_folder.RunFolder(folder, active=True):
        ready.set()
        time.sleep(600)


def test_the_lock_of_a_killed_training_is_none(tmp_path, straight):
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    child = context.Process(target=hold, args=(tmp_path, ready))
    child.start()
    assert ready.wait(120)
    assert is_in_use(tmp_path)
    with pytest.raises(ValueError, match="still writing"):
        check_model_folder(tmp_path)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert (tmp_path / ".lock").exists() and not is_in_use(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        check_model_folder(tmp_path)


def test_json_is_written_whole_or_not_at_all_and_damage_is_named(tmp_path, monkeypatch):
    write_report(tmp_path, {"perplexity": float("inf"), "scores": [1.0, float("nan")], "name": "é\ud83d"})
    text = (tmp_path / "metrics.json").read_text()
    report = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert report["perplexity"] is None and report["scores"] == [1.0, None] and report["name"] == "é\ud83d"

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"No space left.*metrics\.json"):
            write_json(tmp_path / "metrics.json", {})
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]
    assert (tmp_path / "metrics.json").read_text() == text
    for damaged in ("", text[: len(text) // 2], "\0" * 10, "[" * 100_000, "[]"):
        (tmp_path / "metrics.json").write_text(damaged)
        with pytest.raises(ValueError, match=r"metrics\.json is damaged"):
            read_report(tmp_path)
    (tmp_path / "other.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ValueError, match=r"other\.json is damaged"):
        read_json(tmp_path / "other.json")


def test_a_limit_of_time_is_one_for_all_trainings_of_a_call():
    now = time.monotonic()
    assert time_left(0, now - 600) == 0
    assert 4 < time_left(10, now - 300) <= 5
    assert 0 < time_left(10, now - 6000) < 1e-3, "used up is not without a limit"
