"""Options of the loop: phases that rest, an average of the weights, several batches an iteration, callbacks."""

from __future__ import annotations

import json
from pathlib import Path

import linear_run
import pytest
import testing_mixins
import torch
from linear_run import ROWS, Line, make_run
from safetensors.torch import load_file
from testing_mixins import Halted, assert_same_run, halt_after, read_log, weight_size
from warm_python import run_python

from hf_arae.storage.run_files import LOCK_FILE
from hf_arae.training import CheckpointDamagedError, OptimizerSettings, Phase, TrainingArguments, TrainingCallback
from hf_arae.training.state import TRAINING_FILE


def resume_equals_straight(tmp_path, stop=4, **settings):
    """Whether a run that stops and goes on is one that never stopped, bit for bit."""
    make_run(tmp_path / "straight", **settings).train()
    halted = make_run(tmp_path / "halted", **(settings | {"save_steps": stop}))
    halt_after(halted, stop)
    with pytest.raises(Halted):
        halted.train()
    make_run(tmp_path / "halted", resume_from_checkpoint="last", **settings).train()
    assert_same_run(tmp_path / "straight", tmp_path / "halted", 9)


@pytest.fixture
def doubles():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# Phases


def test_a_phase_runs_in_its_intervals_and_its_player_rests_in_between(tmp_path):
    rest = {"start": 2, "stop": 8, "interval": 3}
    trainer = make_run(tmp_path, {"second": rest}, logging_steps=1)
    ran, run = [], trainer.run_phase

    def watched(phase, *batches):
        before = [value.clone() for value in trainer.model.second.parameters()]
        terms = run(phase, *batches)
        moved = any(not torch.equal(a, b) for a, b in zip(before, trainer.model.second.parameters(), strict=True))
        assert moved == (phase.name == "second")
        ran.append((trainer.step, phase.name))
        return terms

    trainer.run_phase = watched
    trainer.train()
    assert [step for step, name in ran if name == "second"] == [2, 5]
    assert [step for step, name in ran if name == "first"] == list(range(9))
    assert [line["step"] for line in read_log(tmp_path) if "second/loss" in line] == [3, 6]
    assert trainer.updates.optimizers["second"].state_dict()["state"][0]["step"] == 2


def test_a_resumed_run_keeps_to_the_intervals(tmp_path):
    resume_equals_straight(tmp_path, objective={"second": {"interval": 2, "start": 1}})


@pytest.mark.parametrize("changes", [{"interval": 0}, {"start": -1}, {"start": 3, "stop": 3}, {"repeat": 0}])
def test_phases_without_an_iteration_are_refused(changes):
    with pytest.raises(ValueError):
        Phase("some", "player", lambda batch: {}, **changes)


def test_a_rate_is_constant_and_then_falls_to_zero(tmp_path):
    settings = OptimizerSettings("sgd", 0.5, schedule="constant_then_linear", constant_ratio=0.6)
    make_run(tmp_path, {"settings": settings}, max_steps=10, logging_steps=1).train()
    rates = [line["learning_rate/first"] for line in read_log(tmp_path)]  # of the iteration that comes next
    assert rates == pytest.approx([0.5] * 6 + [0.375, 0.25, 0.125, 0.0])


# The moving average


class Watching:
    """An evaluator that keeps the weights that it sees."""

    def __init__(self):
        self.seen = []

    def __call__(self, model):
        self.seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return weight_size(model)


class Weights(TrainingCallback):
    """Keeps the weights that are trained, after each iteration."""

    def __init__(self):
        self.kept = []

    def on_train_begin(self, trainer):
        self.on_log(trainer, {})

    def on_log(self, trainer, values):
        self.kept.append({name: value.clone() for name, value in trainer.model.state_dict().items()})


def test_the_average_is_evaluated_and_saved_while_the_weights_are_trained(tmp_path):
    plain, raw, evaluator = Weights(), Weights(), Watching()
    make_run(tmp_path / "plain", callbacks=[plain], logging_steps=1).train()
    trainer = make_run(
        tmp_path / "average", evaluator=evaluator, callbacks=[raw], logging_steps=1, ema_decay=0.5, eval_steps=1
    )
    trainer.train()
    average = dict(plain.kept[0])
    for step in range(1, 10):
        decay = min(0.5, step / (9 + step))
        for name, value in plain.kept[step].items():
            assert torch.equal(raw.kept[step][name], value), "training goes on as without an average"
            if name == "limit":
                assert torch.equal(evaluator.seen[step - 1][name], value)
                continue
            average[name] = decay * average[name] + (1 - decay) * value
            torch.testing.assert_close(evaluator.seen[step - 1][name], average[name])
    last = evaluator.seen[-1]
    for found in (trainer.model.state_dict(), Line.from_pretrained(tmp_path / "average").state_dict()):
        assert all(torch.equal(value, last[name]) for name, value in found.items())
    kept = load_file(tmp_path / "average" / "checkpoint-9" / "model.safetensors")
    assert all(torch.equal(value, last[name]) for name, value in kept.items())


def test_the_best_average_is_the_result(tmp_path):
    evaluator = Watching()
    settings = {"ema_decay": 0.9, "eval_steps": 3, "metric_for_best_model": "size", "greater_is_better": False}
    trainer = make_run(tmp_path, evaluator=evaluator, **settings)
    result = trainer.train()
    best = evaluator.seen[(result.best_checkpoint.name == "checkpoint-9" and 2) or (trainer.best_step // 3 - 1)]
    assert all(torch.equal(value, best[name]) for name, value in trainer.model.state_dict().items())
    assert trainer.evaluate().metrics == result.metrics


@pytest.mark.parametrize("stop", [3, 4])
def test_a_run_with_an_average_goes_on_bit_for_bit(tmp_path, stop):
    resume_equals_straight(tmp_path, stop, ema_decay=0.9, evaluator=weight_size, eval_steps=2)
    saved = load_file(tmp_path / "halted" / "checkpoint-9" / TRAINING_FILE)
    assert "weights.first.weight" in saved and "weights.mean" in saved


def test_an_average_can_begin_or_end_at_a_resume(tmp_path):
    make_run(tmp_path, save_steps=4, max_steps=4).train()
    for decay, steps in ((0.9, 6), (0.0, 8)):
        changes = {"ema_decay": decay, "max_steps": steps, "resume_from_checkpoint": "last"}
        with pytest.raises(ValueError, match="ema_decay"):
            make_run(tmp_path, **changes).train()
        assert make_run(tmp_path, resume_with_changes=True, **changes).train().steps == steps


# Several batches an iteration


def test_several_batches_are_as_one_that_is_as_large(tmp_path, doubles):
    """48 rows are one batch, or three of 16: sums in another order differ by some 1e-16, of which Adam makes at most
    1e-16 / 1e-8 of a rate of 1e-2 an update; 9 iterations have 27."""
    one = make_run(tmp_path / "one", per_device_train_batch_size=ROWS)
    three = make_run(tmp_path / "three", gradient_accumulation_steps=3)
    for trainer in (one, three):
        trainer.train()
    names = [name for name, _ in one.model.named_parameters()]
    for name in names:
        assert torch.allclose(one.model.state_dict()[name], three.model.state_dict()[name], rtol=0, atol=1e-8), name
    assert three.updates.optimizers["first"].state_dict()["state"][0]["step"] == 18
    for line, other in zip(read_log(tmp_path / "one"), read_log(tmp_path / "three"), strict=True):
        assert line == pytest.approx(other, abs=1e-8)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_of_several_batches_goes_on_bit_for_bit(tmp_path, workers):
    resume_equals_straight(tmp_path, workers=workers, gradient_accumulation_steps=2)


FAILING = """
import sys
sys.path[:0] = sys.argv[2:]
from linear_run import make_run

def fail(number, rows):
    raise LookupError("a row of its own")

trainer = make_run(sys.argv[1], workers=2)
trainer.batches.load = fail
trainer.train()
"""


def test_an_error_of_a_worker_ends_the_run(tmp_path):
    """Its workers still live then, and hold copies of what the run has open."""
    paths = [
        str(path) for path in dict.fromkeys(Path(module.__file__).parent for module in (linear_run, testing_mixins))
    ]
    done = run_python(["-c", FAILING, str(tmp_path), *paths], timeout=300)
    assert done.returncode == 1 and "a row of its own" in done.stderr
    assert not (tmp_path / LOCK_FILE).exists()


def test_passes_are_counted_in_batches(tmp_path):
    settings = {"max_steps": -1, "num_train_epochs": 4, "gradient_accumulation_steps": 5}
    assert make_run(tmp_path, **settings).max_steps == 3  # 12 batches


def test_a_loss_of_one_batch_that_is_not_finite_stops_the_update(tmp_path):
    trainer = make_run(tmp_path, gradient_accumulation_steps=3, non_finite="skip")
    before = trainer.model.first.weight.detach().clone()
    batches = [{"x": torch.ones(4, 3)}, {"x": torch.full((4, 3), torch.inf)}, {"x": torch.ones(4, 3)}]
    assert trainer.run_phase(trainer.phases[0], *batches) == {}
    assert torch.equal(trainer.model.first.weight, before) and trainer.guard.skipped == 2
    assert torch.equal(trainer.model.mean, torch.zeros(1)), "buffers are put back"


# Callbacks


class Told(TrainingCallback):
    def __init__(self):
        self.events = []

    def on_train_begin(self, trainer):
        self.events.append(("begin", trainer.step))

    def on_log(self, trainer, values):
        assert {"first/loss", "second/loss", "learning_rate/first", "rows_per_second"} <= values.keys()
        self.events.append(("log", trainer.step))

    def on_evaluate(self, trainer, evaluation):
        self.events.append(("evaluate", trainer.step, sorted(evaluation.metrics)))

    def on_save(self, trainer, folder):
        assert json.loads((folder / "trainer_state.json").read_text())["step"] == trainer.step
        self.events.append(("save", folder.name))

    def on_train_end(self, trainer, result):
        assert (trainer.output_dir / "model.safetensors").exists()
        self.events.append(("end", result.steps))


def test_callbacks_are_told_what_happens_and_change_nothing(tmp_path):
    told = Told()
    settings = {"max_steps": 4, "logging_steps": 2, "eval_steps": 3, "evaluator": weight_size}
    make_run(tmp_path / "told", callbacks=[TrainingCallback(), told], **settings).train()
    assert told.events == [
        ("begin", 0),
        ("log", 2),
        ("evaluate", 3, ["size"]),
        ("log", 4),
        ("evaluate", 4, ["size"]),
        ("save", "checkpoint-4"),
        ("end", 4),
    ]
    make_run(tmp_path / "alone", **settings).train()
    assert_same_run(tmp_path / "told", tmp_path / "alone", 4)


def test_an_error_of_a_callback_is_an_error_of_the_run(tmp_path):
    class Failing(TrainingCallback):
        def on_log(self, trainer, values):
            raise CheckpointDamagedError("its own")

    with pytest.raises(CheckpointDamagedError, match="its own"):
        make_run(tmp_path, callbacks=[Failing()]).train()
    for wrong in ([Failing], Failing, Failing(), None):
        with pytest.raises(TypeError, match="TrainingCallback"):
            make_run(tmp_path / "class", callbacks=wrong)


@pytest.mark.parametrize(
    "changes",
    [
        {"ema_decay": 1.0},
        {"ema_decay": -0.1},
        {"gradient_accumulation_steps": 0},
        {"report_to": "excel"},
        {"report_to": 5},
        {"report_to": [None]},
    ],
)
def test_options_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        TrainingArguments(**changes)
