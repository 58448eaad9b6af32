"""A loss or gradient that is not finite: the update is never made; the run stops or goes on, as it is told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from test_trainer import make_trainer
from testing_mixins import Halted, assert_same_run, halt_after, read_log

from hf_arae.training import NonFiniteLossError


def break_phase(trainer, name, at, value=float("nan"), after=None) -> None:
    """Multiplies the phase's loss by `value` when `at(step, repetition)`."""
    (index,) = [index for index, phase in enumerate(trainer.phases) if phase.name == name]
    phase, made = trainer.phases[index], {}

    def loss(batch):
        step = trainer.step
        made[step] = made.get(step, -1) + 1
        terms = phase.loss(batch)
        if at(step, made[step]):
            terms = terms | {"loss": terms["loss"] * value, "distance": terms["loss"] * value}
        return terms

    trainer.phases[index] = replace(phase, loss=loss, after=after or phase.after)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_stopping_names_the_phase_and_the_last_good_checkpoint(tmp_path, value):
    trainer = make_trainer(tmp_path, eval_steps=0)
    break_phase(trainer, "generator", lambda step, repetition: step == 5, value)
    with pytest.raises(NonFiniteLossError, match=r"step 5: phase 'generator' has loss \S+ and .*checkpoint is .*-4\."):
        trainer.train()
    other = make_trainer(tmp_path / "other", eval_steps=0)
    break_phase(other, "generator", lambda step, repetition: step == 1, value)
    with pytest.raises(NonFiniteLossError, match="there is no checkpoint yet"):
        other.train()


def test_skipping_leaves_the_update_out_and_counts_it(tmp_path):
    called = []
    trainer = make_trainer(tmp_path, eval_steps=0, non_finite="skip", logging_steps=1, max_steps=3)
    break_phase(
        trainer,
        "critic",
        lambda step, repetition: step == 1 and repetition in (0, 3),
        after=lambda: called.append(trainer.step),
    )
    trainer.train()
    assert called.count(0) == 5 and called.count(1) == 3
    assert trainer.updates.optimizers["critic"].state_dict()["state"][0]["step"] == 13
    lines = read_log(tmp_path)
    assert [line.get("skipped_updates") for line in lines] == [None, 2, 2]
    assert all(torch.isfinite(torch.tensor(value)) for line in lines for value in line.values())


def test_a_phase_that_made_no_update_logs_nothing_and_means_are_over_those_that_did(tmp_path):
    trainer = make_trainer(tmp_path, eval_steps=0, non_finite="skip", logging_steps=3, max_steps=6)
    seen = {}
    run_phase = trainer.run_phase

    def watching(phase, batch):
        terms = run_phase(phase, batch)
        seen[phase.name, trainer.step] = terms
        return terms

    trainer.run_phase = watching
    break_phase(trainer, "generator", lambda step, repetition: step in (1, 3, 4, 5))
    trainer.train()
    first, second = read_log(tmp_path)
    assert not seen["generator", 1]
    assert first["generator/loss"] == pytest.approx(
        (seen["generator", 0]["loss"] + seen["generator", 2]["loss"]).item() / 2
    )
    assert "generator/loss" not in second and "autoencoder/loss" in second and second["skipped_updates"] == 4


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # no update was made before the first one
def test_too_many_skipped_updates_stop_the_run(tmp_path):
    trainer = make_trainer(tmp_path, eval_steps=0, non_finite="skip", max_skipped_updates=3)
    break_phase(trainer, "generator", lambda step, repetition: True)
    with pytest.raises(NonFiniteLossError, match=r"step 3: .*after 3 updates that were left out.*checkpoint-2"):
        trainer.train()


def test_the_count_is_kept_in_the_checkpoint(tmp_path):
    def skipping(folder, **changes):
        trainer = make_trainer(folder, eval_steps=0, non_finite="skip", **changes)
        break_phase(trainer, "critic", lambda step, repetition: step in (1, 4) and repetition < 2)
        return trainer

    skipping(tmp_path / "a").train()
    first = skipping(tmp_path / "b")
    halt_after(first, 4)
    with pytest.raises(Halted):
        first.train()
    skipping(tmp_path / "b", resume_from_checkpoint="last").train()
    assert_same_run(tmp_path / "a", tmp_path / "b", 6)
    assert json.loads((tmp_path / "b" / "checkpoint-6" / "trainer_state.json").read_text())["skipped_updates"] == 4


def test_running_statistics_are_put_back(tmp_path):
    trainer = make_trainer(tmp_path, eval_steps=0, non_finite="skip", max_steps=3)
    trainer.model.register_buffer("running", torch.zeros(1))
    (phase,) = [phase for phase in trainer.phases if phase.name == "generator"]

    def loss(batch):
        trainer.model.running += float("nan") if trainer.step == 1 else 1.0
        terms = phase.loss(batch)
        return terms | {"loss": terms["loss"] * trainer.model.running.item()}

    trainer.phases[trainer.phases.index(phase)] = replace(phase, loss=loss)
    trainer.train()
    assert trainer.model.running == 2 and trainer.guard.skipped == 1
