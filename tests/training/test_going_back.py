"""Going back to an earlier checkpoint, and to one that was set aside: nothing is lost, and no run takes another's."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from test_trainer import Scripted, make_trainer
from testing_mixins import assert_same_run, made_up_sentences, read_log

from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.storage.run_files import LOG_FILE
from hf_arae.training import PhaseTrainer
from hf_arae.training.checkpoint import find_damage, list_checkpoints, weights_digest
from hf_arae.utils.digests import digest_rows


def aside(folder) -> list[str]:
    return sorted(path.name for path in folder.glob("set-aside-*"))


def test_what_was_set_aside_stays_however_often_a_run_goes_back(tmp_path):
    settings = {"eval_steps": 0, "save_total_limit": 9, "logging_steps": 1, "resume_with_changes": True}
    make_trainer(tmp_path, **settings).train()
    kept, logs = {}, {}
    for steps in (6, 5, 7):
        for path in list_checkpoints(tmp_path):
            if path.name != "checkpoint-2":
                kept[weights_digest(path)] = None
        logs[steps] = (tmp_path / LOG_FILE).read_bytes()
        back = make_trainer(
            tmp_path, resume_from_checkpoint=str(tmp_path / "checkpoint-2"), max_steps=steps, **settings
        )
        back.objective.settings.noise_std = steps / 100  # another course
        back.train()
    found = [weights_digest(tmp_path / name) for name in aside(tmp_path)]
    assert set(found) == set(kept) and len(found) == 6
    assert all(find_damage(tmp_path / name) is None for name in aside(tmp_path))
    # Each has the log of its run, up to what was set aside with it.
    assert {(tmp_path / name / LOG_FILE).read_bytes() for name in aside(tmp_path)} == set(logs.values())
    assert [line["step"] for line in read_log(tmp_path)] == [1, 2, 3, 4, 5, 6, 7]


def test_going_on_from_what_was_set_aside_takes_its_own_best_checkpoint_and_log(tmp_path, warnings):
    settings = {"metric_for_best_model": "score", "logging_steps": 1, "save_total_limit": 9}
    settings |= {"resume_with_changes": True}
    out = tmp_path / "run"
    first = make_trainer(out, Scripted(1.0, 2.0, 9.0, 3.0), max_steps=8, **settings)
    first.train()
    best_of_first = load_file(out / "checkpoint-6" / "model.safetensors")
    log_of_first = read_log(out)
    other = make_trainer(
        out, Scripted(1.0, 8.0, 1.0), max_steps=8, resume_from_checkpoint=str(out / "checkpoint-2"), **settings
    )
    other.objective.settings.noise_std = 0.5
    other.train()
    assert aside(out) == ["set-aside-checkpoint-4", "set-aside-checkpoint-6", "set-aside-checkpoint-8"]
    others = {weights_digest(path) for path in list_checkpoints(out)}

    result = make_trainer(
        out, Scripted(4.0), max_steps=10, resume_from_checkpoint=str(out / "set-aside-checkpoint-8"), **settings
    ).train()
    assert result.metrics == {"score": 9.0} and result.best_checkpoint == out / "checkpoint-6"
    exported = load_file(out / "model.safetensors")
    assert all(torch.equal(value, best_of_first[name]) for name, value in exported.items())
    assert [path.name for path in list_checkpoints(out)] == ["checkpoint-6", "checkpoint-8", "checkpoint-10"]
    assert others < {weights_digest(out / name) for name in aside(out)} | {weights_digest(out / "checkpoint-2")}
    assert "lines up to" not in warnings.text
    steps = [line["step"] for line in read_log(out)]
    assert steps == sorted(steps) and steps[-1] == 10
    assert read_log(out)[: len(log_of_first)] == log_of_first


def test_the_best_checkpoint_of_another_run_is_not_taken(tmp_path, warnings):
    settings = {"metric_for_best_model": "score", "max_steps": 4, "resume_with_changes": True}
    make_trainer(tmp_path / "a", Scripted(2.0, 1.0), **settings).train()
    other = make_trainer(tmp_path / "b", Scripted(2.0, 1.0), **settings)
    other.objective.settings.noise_std = 0.5
    other.train()
    (tmp_path / "a" / "checkpoint-2").rename(tmp_path / "a" / "mine")
    (tmp_path / "b" / "checkpoint-2").rename(tmp_path / "a" / "checkpoint-2")
    last = load_file(tmp_path / "a" / "checkpoint-4" / "model.safetensors")
    result = make_trainer(tmp_path / "a", Scripted(), resume_from_checkpoint="last", **settings).train()
    assert result.best_checkpoint is None and result.metrics == {"score": 1.0}
    assert "the last weights are kept" in warnings.text
    exported = load_file(tmp_path / "a" / "model.safetensors")
    assert all(torch.equal(value, last[name]) for name, value in exported.items())


def with_data(trainer: PhaseTrainer, rows) -> PhaseTrainer:
    packed = TokenArrays(rows, 0)
    return PhaseTrainer(trainer.model, trainer.objective, trainer.arguments, packed)


def test_a_run_does_not_go_on_with_other_data(tmp_path, warnings):
    rows = made_up_sentences(attributes=1)
    settings = {"eval_steps": 0, "max_steps": 2}
    with_data(make_trainer(tmp_path, **settings), rows).train()

    def turned(row):  # other words within a sentence: numbers, lengths and the set of words are as before
        return {"input_ids": [row["input_ids"][0], *row["input_ids"][-2:0:-1], row["input_ids"][-1]]}

    order = list(range(len(rows)))
    same_length = [row for row in order if rows[row]["length"] == rows[0]["length"]][:2]
    order[same_length[0]], order[same_length[1]] = same_length[1], same_length[0]
    for other in (rows.map(turned), rows.select(order)):
        assert other["length"][:] == rows["length"][:]
        with pytest.raises(ValueError, match=r"data\.contents: was '.*', now is '"):
            with_data(make_trainer(tmp_path, resume_from_checkpoint="last", **settings), other).train()
    assert with_data(make_trainer(tmp_path, resume_from_checkpoint="last", **settings), rows).train().steps == 2
    assert "earlier version" not in warnings.text
    # The same rows are the same however they lie in memory; a table of another kind is known by its contents as well.
    assert digest_rows(rows.select(range(64))) == digest_rows(rows) != digest_rows(rows.map(turned))
    assert digest_rows(rows.add_column("text", ["a"] * 64)) != digest_rows(rows.add_column("text", ["b"] * 64))


def test_a_checkpoint_that_does_not_say_what_its_data_held_is_taken_with_a_warning(tmp_path, warnings):
    settings = {"eval_steps": 0, "max_steps": 4}
    make_trainer(tmp_path / "new", **settings).train()
    old = make_trainer(tmp_path, save_steps=2, **settings)
    del old.fingerprint["data.contents"]
    old.train()
    for name in ("checkpoint-4", "checkpoint-2"):
        progress = json.loads((tmp_path / name / "trainer_state.json").read_text())
        assert "data.contents" not in progress["fingerprint"]
    again = make_trainer(tmp_path, resume_from_checkpoint=str(tmp_path / "checkpoint-2"), **settings)
    again.train()
    warned = [record for record in warnings.records if "data.contents" in record.getMessage()]
    assert len(warned) == 1
    assert_same_run(tmp_path / "new", tmp_path, 4)
