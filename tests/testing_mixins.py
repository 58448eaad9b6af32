"""Checks that every family must pass: a new family's test names how to build it and inherits these."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file

from hf_arae.data.batching import SentenceCollator
from hf_arae.training import AdversarialTrainer, NonFiniteLossError, TrainingArguments
from hf_arae.training.checkpoint import TRAINING_FILE


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

    def build_model(self):
        raise NotImplementedError

    def build_objective(self, model):
        raise NotImplementedError

    def data(self) -> Dataset:
        return made_up_sentences(attributes=self.attributes)

    def batch(self) -> dict[str, torch.Tensor]:
        return SentenceCollator(0)([self.data()[row] for row in range(16)])

    def trainer(self, folder, model=None, **changes) -> AdversarialTrainer:
        if model is None:
            torch.manual_seed(0)
            model = self.build_model()
        settings = {"output_dir": str(folder), "max_steps": 4, "per_device_train_batch_size": 16, "logging_steps": 1}
        settings |= {"eval_steps": 0, "save_steps": 2, "report_to": "none", "use_cpu": True, "disable_tqdm": True}
        arguments = TrainingArguments(**(settings | changes))
        return AdversarialTrainer(model, self.build_objective(model), arguments, self.data(), SentenceCollator(0))

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

    @pytest.mark.parametrize("stop", [2, 3])
    def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(self, tmp_path, stop):
        # 64 rows in batches of 16 are 4 iterations an epoch: 7 steps cross an epoch's end, and 2 and 3 are inside one.
        straight = self.trainer(tmp_path / "a", max_steps=7)
        straight.train()
        first = self.trainer(tmp_path / "b", max_steps=7, save_steps=stop)
        halt_after(first, stop)
        with pytest.raises(Halted):
            first.train()
        second = self.trainer(tmp_path / "b", max_steps=7, resume_from_checkpoint="last")
        second.train()
        for name, value in straight.model.state_dict().items():
            assert torch.equal(value, second.model.state_dict()[name]), name
        states = [load_file(tmp_path / run / "checkpoint-7" / TRAINING_FILE) for run in "ab"]
        assert states[0].keys() == states[1].keys()
        for name, value in states[0].items():
            assert torch.equal(value, states[1][name]), name
        logs = [
            [json.loads(line) for line in (tmp_path / run / "training_log.jsonl").read_text().splitlines()]
            for run in "ab"
        ]
        for line in [*logs[0], *logs[1]]:
            line.pop("seconds")
            line.pop("sentences_per_second")
        assert logs[0] == logs[1]

    def test_a_loss_that_is_not_finite_stops_the_run_before_the_update(self, tmp_path):
        trainer = self.trainer(tmp_path)
        phase = trainer.phases[0]
        trainer.phases[0] = type(phase)(phase.name, phase.player, lambda batch: {"loss": broken(phase.loss(batch))})
        before = copy.deepcopy(trainer.model.state_dict())
        with pytest.raises(NonFiniteLossError, match=phase.name):
            trainer.train()
        for name, value in trainer.model.state_dict().items():
            assert torch.equal(value, before[name]), name


def broken(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    return terms["loss"] * float("nan")


class Halted(Exception):
    """Stands for a crash in the middle of a run."""


def halt_after(trainer: AdversarialTrainer, step: int) -> None:
    """Makes the trainer crash in the first phase of the iteration after `step`."""
    run = trainer.run_phase

    def halting(phase, batch):
        if trainer.step == step:
            raise Halted
        return run(phase, batch)

    trainer.run_phase = halting
