"""The loop: evaluation, best checkpoint, early stopping, logs, and what it refuses."""

from __future__ import annotations

import copy
import json
from functools import partial

import pytest
import torch
from testing_mixins import made_up_sentences
from transformers import HfArgumentParser

from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments
from hf_arae.training import CheckpointWriteError, Evaluation, PhaseTrainer, TrainingArguments
from hf_arae.training.checkpoint import list_checkpoints
from hf_arae.training.objective import Objective, OptimizerSettings, Phase
from hf_arae.training.updates import PhaseUpdates


def make_trainer(folder, evaluator=None, vocab_size=30, **changes) -> PhaseTrainer:
    torch.manual_seed(0)
    config = AraeConfig(vocab_size=vocab_size, embedding_size=8, hidden_size=8, code_size=8, initialization="scaled")
    model = AraeModel(config)
    settings = {"output_dir": str(folder), "max_steps": 6, "per_device_train_batch_size": 16, "logging_steps": 2}
    settings |= {"eval_steps": 2, "save_steps": 2, "report_to": "none", "use_cpu": True, "disable_tqdm": True}
    objective = AraeObjective(
        model, AraeObjectiveArguments(autoencoder_optimizer="adam", autoencoder_learning_rate=1e-2, noise_std=0)
    )
    return PhaseTrainer(
        model,
        objective,
        TrainingArguments(**(settings | changes)),
        TokenArrays(made_up_sentences(attributes=1), 0),
        evaluator=evaluator,
    )


class Scripted:
    """An evaluator that returns the given scores in turn and remembers the weights it saw."""

    def __init__(self, *scores):
        self.scores, self.seen = list(scores), []

    def __call__(self, model):
        assert not model.training and not torch.is_grad_enabled()
        self.seen.append(model.encoder.lstm.weight_hh_l0.clone())
        torch.rand(5)  # an evaluator may draw; the run must not notice
        return Evaluation({"score": self.scores[len(self.seen) - 1]}, ["a -> b"])


def test_training_lowers_the_reconstruction_loss_and_logs_it(tmp_path):
    make_trainer(tmp_path, max_steps=100, logging_steps=20, save_steps=0).train()
    lines = [json.loads(line) for line in (tmp_path / "training_log.jsonl").read_text().splitlines()]
    losses = [line["autoencoder/loss"] for line in lines]
    assert losses[-1] < 0.8 * losses[0]
    assert {
        "critic/wasserstein_distance",
        "critic/gradient_penalty",
        "generator/loss",
        "encoder/critic_score",
    } <= lines[0].keys()
    assert lines[0]["rows_per_second"] > 0


def test_the_best_weights_are_kept_and_left_in_the_model(tmp_path):
    evaluator = Scripted(1.0, 3.0, 2.0)
    trainer = make_trainer(tmp_path, evaluator, metric_for_best_model="score", save_total_limit=1)
    result = trainer.train()
    assert result.metrics == {"score": 3.0} and result.best_checkpoint.name == "checkpoint-4"
    assert torch.equal(trainer.model.encoder.lstm.weight_hh_l0, evaluator.seen[1])
    loaded = AraeModel.from_pretrained(tmp_path)
    assert torch.equal(loaded.encoder.lstm.weight_hh_l0, evaluator.seen[1])
    assert [path.name for path in list_checkpoints(tmp_path)] == ["checkpoint-4", "checkpoint-6"]


def test_early_stopping_counts_evaluations_without_a_better_one(tmp_path):
    changes = {"metric_for_best_model": "score", "greater_is_better": False, "early_stopping_patience": 2}
    result = make_trainer(tmp_path, Scripted(2.0, 1.0, 1.5, 1.0, 0.5), max_steps=20, **changes).train()
    assert result.steps == 8 and result.metrics == {"score": 1.0}


def test_evaluating_does_not_change_the_run(tmp_path):
    watched = make_trainer(tmp_path / "a", Scripted(1.0, 2.0, 3.0))
    watched.train()
    alone = make_trainer(tmp_path / "b", eval_steps=0)
    alone.train()
    for name, value in watched.model.state_dict().items():
        assert torch.equal(value, alone.model.state_dict()[name]), name


def test_a_failed_save_leaves_the_older_checkpoint(tmp_path, monkeypatch):
    trainer = make_trainer(tmp_path, eval_steps=0)

    def full_disk(*arguments, **options):
        raise OSError(28, "No space left on device")

    def fail_at_four(folder):
        if trainer.step == 4:
            monkeypatch.setattr("hf_arae.training.state.save_file", full_disk)
        return type(trainer)._save_model(trainer, folder)

    monkeypatch.setattr(trainer, "_save_model", fail_at_four)
    with pytest.raises(CheckpointWriteError, match=r"checkpoint-4 could not .*No space left.*is .*checkpoint-2\.$"):
        trainer.train()
    assert [path.name for path in list_checkpoints(tmp_path)] == ["checkpoint-2"]
    assert not list(tmp_path.glob(".checkpoint*")), "half-written folders must not stay"


def test_an_unknown_metric_is_named(tmp_path):
    with pytest.raises(ValueError, match="not among the evaluation's metrics: score"):
        make_trainer(tmp_path, Scripted(1.0), metric_for_best_model="bleu").train()


def test_nothing_published_or_kept_is_a_pickle(tmp_path):
    make_trainer(tmp_path, eval_steps=0).train()
    kinds = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert kinds <= {".safetensors", ".json", ".jsonl", ".py"}, kinds


def test_an_output_dir_that_is_a_file_is_refused_before_training(tmp_path):
    (tmp_path / "run").write_text("here")
    with pytest.raises(FileExistsError):
        make_trainer(tmp_path / "run").train()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_steps": 0, "num_train_epochs": 0}, "must be positive"),
        ({"logging_steps": 0}, "logging_steps"),
        ({"save_steps": -1}, "save_steps"),
        ({"early_stopping_patience": 2}, "needs metric_for_best_model"),
        ({"report_to": "excel"}, "report_to.*none.*tensorboard"),
        ({"non_finite": "ignore"}, "non_finite.*stop, skip"),
        ({"max_time": -1.0}, "max_time"),
        ({"overwrite_output_dir": True, "resume_from_checkpoint": "last"}, "give one of the two"),
        (
            {"overwrite_output_dir": True, "output_dir": "a", "resume_from_checkpoint": "./a/checkpoint-4"},
            "one of the",
        ),
    ],
)
def test_arguments_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        TrainingArguments(**changes)


def test_the_arguments_parse_from_a_command_line():
    (arguments,) = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses(
        ["--output_dir", "x", "--max_steps", "5", "--bf16", "--resume_from_checkpoint", "last"]
    )
    assert (arguments.output_dir, arguments.max_steps, arguments.bf16) == ("x", 5, True)


def test_a_run_that_is_finished_leaves_a_report(tmp_path):
    trainer = make_trainer(tmp_path, Scripted(1.0, 2.0, 3.0), seed=7)
    with pytest.raises(RuntimeError):
        trainer.finish({})
    result = trainer.train()
    report = trainer.finish({"bleu": 4.0}, [trainer.arguments], preset="arae-yelp", measured_split="test")
    assert json.loads((tmp_path / "metrics.json").read_text()) == report
    told = {"bleu": 4.0, "seed": 7, "updates": 6, "minutes": result.seconds / 60, "preset": "arae-yelp"}
    assert report.items() >= (told | {"measured_split": "test"}).items()
    assert report["settings"]["max_steps"] == 6


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_gradients_in_another_memory_layout_move_the_weights_that_they_are_of(tmp_path, optimizer):
    """Convolutions of channels that lie side by side give gradients whose numbers lie in another order."""
    trainer = make_trainer(tmp_path)
    torch.manual_seed(0)
    model, images = torch.nn.Conv2d(4, 6, 3), torch.rand(8, 4, 9, 9).contiguous(memory_format=torch.channels_last)

    class Means(Objective):
        players = {"model": ("",)}

        def optimizers(self):
            return {"model": OptimizerSettings(optimizer, 0.1, momentum=0.5 * (optimizer == "sgd"))}

        def phases(self):
            return (Phase("learn", "model", self.learn),)

        def learn(self, batch):
            return {"loss": (self.model(batch["images"]) - 1).square().mean()}

    twin = copy.deepcopy(model)
    plain = {"adam": torch.optim.Adam, "sgd": partial(torch.optim.SGD, momentum=0.5, nesterov=True)}[optimizer]
    plain = plain(twin.parameters(), lr=0.1)
    updates = PhaseUpdates(trainer.accelerator, Means(model), trainer.guard, 5, bf16=False)
    for step in range(5):
        updates.run(updates.phases[0], [{"images": images}, {"images": images}][: 1 + step % 2], step)
        plain.zero_grad()
        (twin(images) - 1).square().mean().backward()
        plain.step()
    gradient = torch.autograd.grad(model(images).sum(), model.weight)[0]
    assert gradient.stride() != model.weight.stride()  # or nothing is tested
    torch.testing.assert_close(model.weight, twin.weight)
