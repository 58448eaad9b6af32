"""Checks that every family must pass: a new family's test names how to build it and inherits these."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from transformers import PreTrainedConfig, PreTrainedModel

from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.storage.run_files import LOG_FILE
from hf_arae.training import Evaluation, NonFiniteLossError, PhaseTrainer, TrainingArguments
from hf_arae.training.batch_source import TrainDataset
from hf_arae.training.objective import Objective
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
    """What every family must pass, whatever its data are.

    Subclasses give a tiny model, its objective and its data. The first class of `tests/models/test_<family>.py` that
    inherits this stands for the family wherever tests go through all of them, see `family_tests`.
    """

    never_moved: frozenset[str] = frozenset()  # parameters whose gradient is zero by the objective's form
    batch_size = 16
    # Where a run stops and goes on. 64 rows in batches of 16 are 4 iterations an epoch: 2 and 3 are inside one, 4 is
    # its end, and 2 and 4 come after an evaluation. Log lines are due at 3, 6 and 9, so 2 and 4 stop between two of
    # them. What differs between families shows at 2; the loop's own part is the same for all, and one family tries
    # every place.
    stops: tuple[int, ...] = (2,)

    def build_model(self) -> PreTrainedModel:
        """A new model, tiny, in training mode."""
        raise NotImplementedError

    def build_objective(self, model) -> Objective:
        """The objective for it; that of many settings that has most to go wrong."""
        raise NotImplementedError

    def data(self, rows: int = 64) -> TrainDataset:
        """Data to train on, the same at each call."""
        raise NotImplementedError

    def narrow_config(self, auto_class: str | None = None, **changes: Any) -> PreTrainedConfig:
        """The config of a tiny model, with `changes`, for tests that go through all families and their classes.

        Args:
            auto_class: which class it is for, by the Auto class that builds it; the usual one if `None`.
        """
        config = self.build_model().config
        return type(config)(**config.to_diff_dict() | changes)

    def batch(self) -> dict[str, torch.Tensor]:
        return next(iter(self.data().batches(self.batch_size, 0, 0, 1)))

    def trainer(self, folder, model=None, evaluator=None, rows=64, **changes) -> PhaseTrainer:
        if model is None:
            torch.manual_seed(0)
            model = self.build_model()
        settings = {"output_dir": str(folder), "max_steps": 4, "logging_steps": 1, "eval_steps": 0, "save_steps": 2}
        settings |= {"per_device_train_batch_size": self.batch_size, "report_to": "none", "use_cpu": True}
        arguments = TrainingArguments(**(settings | {"disable_tqdm": True} | changes))
        return PhaseTrainer(model, self.build_objective(model), arguments, self.data(rows), evaluator=evaluator)

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

    def test_a_run_in_bfloat16_is_finite(self, tmp_path):
        trainer = self.trainer(tmp_path, bf16=True, max_steps=2, save_steps=0)
        trainer.train()
        assert all(torch.isfinite(value).all() for value in trainer.model.state_dict().values())

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


class SentenceData:
    """Made-up sentences as a family's data; `attributes` is the number of labels, 1 for none."""

    attributes = 1

    def data(self, rows: int = 64) -> TokenArrays:
        return TokenArrays(made_up_sentences(rows, attributes=self.attributes), 0)


class TextFamilyTests(SentenceData, FamilyTests):
    """What every family of made-up sentences must pass."""


class TextAutoencoderTests(TextFamilyTests):
    """What every text autoencoder must pass beside that: its tiny model knows 30 words, of which 5 are special."""

    samples = True  # the model knows what codes of new sentences are drawn from
    sentences = ([1, 9, 8, 7, 2], [1, 6, 2], [1, 12, 11, 2])

    @pytest.fixture
    def model(self):
        """A model whose sentences depend on their codes, in evaluation mode."""
        torch.manual_seed(0)
        model = self.build_model().eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.7)
        return model

    def ids(self, side: str = "right") -> torch.Tensor:
        rows = [torch.tensor(row) for row in self.sentences]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_side=side)

    def labels(self) -> dict[str, torch.Tensor]:
        """`attribute` of the sentences, for a model that has labels."""
        return {"attribute": torch.tensor([0, 1, 0])} if self.attributes > 1 else {}

    @torch.no_grad()
    def test_padding_changes_nothing_on_either_side(self, model):
        alone = torch.cat([model.encode(torch.tensor([row])) for row in self.sentences])
        for ids in (self.ids(), self.ids("left"), torch.nn.functional.pad(self.ids(), (0, 4))):
            for mask in (None, (ids != 0).long()):
                torch.testing.assert_close(model.encode(ids, mask), alone)
        short = model(self.ids(), labels=self.ids(), **self.labels()).loss
        wide = torch.nn.functional.pad(self.ids(), (0, 4))
        torch.testing.assert_close(model(wide, labels=wide, **self.labels()).loss, short)
        with pytest.raises(ValueError, match="labels"):
            model(self.ids("left"), labels=self.ids("left"), **self.labels())

    @torch.no_grad()
    def test_losses_are_those_of_the_logits(self, model):
        ids = self.ids()
        output = model(ids, labels=ids, **self.labels())
        wanted = ids[:, 1:].unsqueeze(2)
        chosen = output.logits.log_softmax(-1).gather(2, wanted).masked_fill(wanted == 0, 0.0).sum((1, 2))
        found = model.log_probability(output.encoder_last_hidden_state.squeeze(1), ids, *self.labels().values())
        torch.testing.assert_close(found, chosen)
        torch.testing.assert_close(output.loss, -found.sum() / (wanted != 0).sum())

    @torch.no_grad()
    def test_generating_is_decoding_the_codes(self, model):
        ids, labels = self.ids(), self.labels()
        written = model.decode(model.encode(ids), **labels)
        assert torch.equal(model.reconstruct(ids, **labels), written)
        assert torch.equal(model.generate(ids, attention_mask=(ids != 0).long(), **labels), written)
        assert torch.equal(model.generate(input_ids=ids, **labels), written)
        assert model.generate(ids, num_beams=3, num_return_sequences=2, **labels).shape[0] == 6
        code, prefix = model.encode(ids), ids[:, :1]
        unwritten = [*model.generation_config.suppress_tokens, model.config.eos_token_id]
        for _ in range(4):
            logits = model.project(model.decoder_states(code, prefix, *labels.values())[0])[:, -1]
            logits[:, unwritten] = -torch.inf
            prefix = torch.cat([prefix, logits.argmax(1, keepdim=True)], 1)
        assert torch.equal(model.decode(code, **labels, max_new_tokens=4, min_new_tokens=4), prefix)

    @torch.no_grad()
    def test_a_seed_repeats_a_sample_and_leaves_other_draws_alone(self, model):
        labels = {name: values[0] for name, values in self.labels().items()}
        if not self.samples:
            with pytest.raises(ValueError):
                model.sample(2, **labels)
            return
        state = torch.get_rng_state()
        first = model.sample(6, seed=5, **labels)
        assert torch.equal(torch.get_rng_state(), state)
        torch.rand(3)
        assert torch.equal(model.sample(6, seed=5, **labels), first)
        assert not torch.equal(model.sample_codes(6), model.sample_codes(6))
        codes = model.sample_codes(6, torch.Generator().manual_seed(5))
        assert torch.equal(model.sample_codes(6, torch.Generator().manual_seed(5)), codes)

    @torch.no_grad()
    def test_example_inputs_are_valid(self, model):
        inputs = model.example_inputs
        shapes = {"input_ids": (2, 6), "attention_mask": (2, 6), "decoder_input_ids": (2, 5)}
        shapes |= {"attribute": (2,)} if self.attributes > 1 else {}
        assert {name: tuple(part.shape) for name, part in inputs.items()} == shapes
        assert model(**inputs).logits.shape == (2, 5, model.config.vocab_size)

    @torch.no_grad()
    def test_an_exported_model_computes_the_same(self, model, tmp_path):
        pytest.importorskip("onnxruntime")
        from hf_arae.onnx import OnnxTextAutoencoder, export_onnx

        export_onnx(model, tmp_path)
        exported, ids = OnnxTextAutoencoder.from_pretrained(tmp_path, num_threads=1), self.ids()
        codes, labels = model.encode(ids), [part.numpy() for part in self.labels().values()]
        found = torch.from_numpy(exported.encode_ids(ids.numpy(), (ids != 0).long().numpy()))
        torch.testing.assert_close(found, codes, atol=2e-6, rtol=1e-5)
        found = torch.from_numpy(exported.logits(codes.numpy(), ids.numpy(), *labels))
        logits = model.project(model.decoder_states(codes, ids, *self.labels().values())[0])
        torch.testing.assert_close(found, logits, atol=2e-6, rtol=1e-5)
        written = torch.from_numpy(exported.decode_ids(codes.numpy(), *labels))
        assert torch.equal(written, model.decode(codes, **self.labels()))


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

    def halting(phase, *batches):
        if trainer.step == step:
            raise Halted
        return run(phase, *batches)

    trainer.run_phase = halting
