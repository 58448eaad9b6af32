"""Checks that every family must pass: a new family's test names how to build it and inherits these."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file

from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.storage.run_files import LOG_FILE
from hf_arae.training import Evaluation, NonFiniteLossError, PhaseTrainer, TrainingArguments
from hf_arae.training.state import TRAINING_FILE


def made_up_sentences(rows: int = 64, vocab_size: int = 30, attributes: int = 2, seed: int = 0) -> Dataset:
    """Random sentences of 3 to 9 tokens with `<bos>` 1 and `<eos>` 2, attribute values in turn."""
    source = torch.Generator().manual_seed(seed)
    ids = []
    for _ in range(rows):
        length = int(torch.randint(1, 8, (), generator=source))
        ids.append([1, *torch.randint(5, vocab_size, (length,), generator=source).tolist(), 2])
    columns = {"input_ids": ids, "length": [len(sentence) for sentence in ids]}
    if attributes > 1:
        columns["attribute"] = [row % attributes for row in range(rows)]
    return Dataset.from_dict(columns)


class FamilyTests:
    """Subclasses give `build_model()` and `build_objective(model)`; `attributes` is 1 for unlabelled families."""

    attributes = 2
    never_moved: frozenset[str] = frozenset()  # parameters whose gradient is zero by the objective's form
    # Where a run stops and goes on. 64 rows in batches of 16 are 4 iterations an epoch: 2 and 3 are inside one, 4 is
    # its end, and 2 and 4 come after an evaluation. Log lines are due at 3, 6 and 9, so 2 and 4 stop between two of
    # them. What differs between families shows at 2; the loop's own part is the same for all, and one family tries
    # every place.
    stops: tuple[int, ...] = (2,)

    def build_model(self):
        raise NotImplementedError

    def build_objective(self, model):
        raise NotImplementedError

    def data(self) -> Dataset:
        return made_up_sentences(attributes=self.attributes)

    def batch(self) -> dict[str, torch.Tensor]:
        return TokenArrays(self.data(), 0).__getitems__(range(16))

    def trainer(self, folder, model=None, evaluator=None, **changes) -> PhaseTrainer:
        if model is None:
            torch.manual_seed(0)
            model = self.build_model()
        settings = {"output_dir": str(folder), "max_steps": 4, "per_device_train_batch_size": 16, "logging_steps": 1}
        settings |= {"eval_steps": 0, "save_steps": 2, "report_to": "none", "use_cpu": True, "disable_tqdm": True}
        arguments = TrainingArguments(**(settings | changes))
        objective = self.build_objective(model)
        return PhaseTrainer(model, objective, arguments, TokenArrays(self.data(), 0), evaluator=evaluator)

    def test_an_iteration_moves_every_parameter_and_a_phase_only_its_player(self, tmp_path):
        trainer = self.trainer(tmp_path)
        model, moved = trainer.model.train(), set()
        batch = self.batch()
        for phase in trainer.phases:
            before = {name: value.detach().clone() for name, value in model.named_parameters()}
            terms = trainer.run_phase(phase, batch)
            assert all(torch.isfinite(value) for value in terms.values()), (phase.name, terms)
            changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
            own = {id(parameter) for parameter in trainer.parameters[phase.player]}
            foreign = {name for name, value in model.named_parameters() if id(value) not in own}
            assert changed, f"phase {phase.name} changed nothing"
            assert not changed & foreign, f"phase {phase.name} changed {changed & foreign}"
            moved |= changed
        assert {name for name, _ in model.named_parameters()} - moved == self.never_moved

    def test_a_checkpoint_loads_to_the_same_parameters(self, tmp_path):
        model = self.build_model().eval()
        model.save_pretrained(tmp_path)
        loaded = type(model).from_pretrained(tmp_path)
        for name, value in model.state_dict().items():
            assert torch.equal(value, loaded.state_dict()[name]), name

    def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(self, tmp_path):
        settings = {"max_steps": 9, "logging_steps": 3, "eval_steps": 2, "metric_for_best_model": "size"}
        straight = self.trainer(tmp_path / "straight", evaluator=weight_size, **settings)
        straight.train()
        for stop in self.stops:
            folder = tmp_path / f"stopped-{stop}"
            first = self.trainer(folder, evaluator=weight_size, **(settings | {"save_steps": stop}))
            halt_after(first, stop)
            with pytest.raises(Halted):
                first.train()
            second = self.trainer(folder, evaluator=weight_size, resume_from_checkpoint="last", **settings)
            second.train()
            assert straight.best_step == second.best_step and straight.best == second.best, stop
            assert_same_run(tmp_path / "straight", folder, 9)

    def test_a_loss_that_is_not_finite_stops_the_run_before_the_update(self, tmp_path):
        trainer = self.trainer(tmp_path)
        phase = trainer.phases[0]
        trainer.phases[0] = type(phase)(phase.name, phase.player, lambda batch: {"loss": broken(phase.loss(batch))})
        before = copy.deepcopy(dict(trainer.model.named_parameters()))
        with pytest.raises(NonFiniteLossError, match=phase.name):
            trainer.train()
        for name, value in trainer.model.named_parameters():
            assert torch.equal(value, before[name]), name


def broken(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    return terms["loss"] * float("nan")


def weight_size(model: torch.nn.Module) -> Evaluation:
    """An evaluator that tells two models apart, and draws random numbers."""
    torch.rand(3)
    return Evaluation({"size": sum(float(value.detach().double().abs().sum()) for value in model.parameters())})


def read_log(folder: Path) -> list[dict]:
    """The lines of a run's log, without the clock's times."""
    lines = [json.loads(line) for line in (folder / LOG_FILE).read_text().splitlines()]
    clock = ("seconds", "rows_per_second")
    return [{name: value for name, value in line.items() if name not in clock} for line in lines]


def assert_same_run(one: Path, other: Path, step: int, tolerance: float = 0.0) -> None:
    """Two runs that end with `checkpoint-<step>` have the same weights, optimizers, generators, sums and log lines.

    Args:
        tolerance: by how much floats may differ, for runs of two processes: where an array lies in memory can change
            the order of a sum. Everything else is the same in any case.
    """
    for name in ("model.safetensors", f"checkpoint-{step}/model.safetensors", f"checkpoint-{step}/{TRAINING_FILE}"):
        values, others = load_file(one / name), load_file(other / name)
        assert values.keys() == others.keys(), name
        for key, value in values.items():
            if tolerance and value.is_floating_point():
                torch.testing.assert_close(value, others[key], rtol=0, atol=tolerance, msg=f"{name}: {key}")
            else:
                assert torch.equal(value, others[key]), (name, key)
    lines, other_lines = read_log(one), read_log(other)
    if tolerance:
        other_lines = [pytest.approx(line, rel=0, abs=tolerance) for line in other_lines]
    assert lines == other_lines


class Halted(Exception):
    """Stands for a crash in the middle of a run."""


def halt_after(trainer: PhaseTrainer, step: int) -> None:
    """Makes the trainer crash in the first phase of the iteration after `step`."""
    run = trainer.run_phase

    def halting(phase, batch):
        if trainer.step == step:
            raise Halted
        return run(phase, batch)

    trainer.run_phase = halting
