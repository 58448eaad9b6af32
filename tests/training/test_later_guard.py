"""The guard that looks an iteration later, as on a GPU: the same course, and no update that is not finite."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from testing_mixins import broken, made_up_sentences

from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments
from hf_arae.training import NonFiniteLossError, PhaseTrainer, TrainingArguments


def make(folder, later: bool, optimizer: str = "sgd", max_grad_norm: float = 0.05, **changes) -> PhaseTrainer:
    torch.manual_seed(0)
    sizes = {"embedding_size": 6, "hidden_size": 8, "code_size": 5, "latent_size": 3}
    labels = {0: "negative", 1: "positive"}
    model = AraeModel(AraeConfig(vocab_size=30, num_attributes=2, id2label=labels, **sizes))
    settings = AraeObjectiveArguments(
        autoencoder_optimizer=optimizer, max_grad_norm=max_grad_norm, autoencoder_learning_rate=0.01
    )
    arguments = {"output_dir": str(folder), "max_steps": 6, "per_device_train_batch_size": 16, "logging_steps": 2}
    arguments |= {"eval_steps": 0, "save_steps": 3, "report_to": "none", "use_cpu": True, "disable_tqdm": True}
    rows = TokenArrays(made_up_sentences(), 0)
    trainer = PhaseTrainer(model, AraeObjective(model, settings), TrainingArguments(**(arguments | changes)), rows)
    trainer.guard.later = later
    return trainer


@pytest.mark.parametrize(("optimizer", "max_grad_norm"), [("sgd", 0.05), ("adam", 100.0)])
def test_the_course_is_the_same_bit_for_bit(tmp_path, optimizer, max_grad_norm):
    """With gradients that are all clipped, and with none that is."""
    models = []
    for later in (False, True):
        trainer = make(tmp_path / str(later), later, optimizer, max_grad_norm)
        trainer.train()
        models.append(trainer.model.state_dict())
    for name, value in models[0].items():
        assert torch.equal(value, models[1][name]), name


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("step", [2, 5])
def test_an_update_that_is_not_finite_is_not_made_and_ends_the_run_before_it_is_saved(tmp_path, optimizer, step):
    trainer = make(tmp_path, True, optimizer)
    phase = trainer.phases[0]
    seen = {}

    def loss(batch):
        terms = phase.loss(batch)
        if trainer.step == step:
            seen["before"] = copy.deepcopy(dict(trainer.model.decoders.named_parameters()))
            return {"loss": broken(terms)}
        return terms

    def remember(batch):  # the next phase begins
        seen["after"] = copy.deepcopy(dict(trainer.model.decoders.named_parameters()))
        original(batch)

    original = trainer.phases[1].before
    trainer.phases[0] = replace(phase, loss=loss)
    trainer.phases[1] = replace(trainer.phases[1], before=remember)
    with pytest.raises(NonFiniteLossError, match=f"step {step}: phase '{phase.name}'"):
        trainer.train()
    assert trainer.step <= step + 2
    for name, value in seen["before"].items():
        assert value.isfinite().all() and torch.equal(value, seen["after"][name]), name
    assert not (tmp_path / "checkpoint-6").exists() and not (tmp_path / "model.safetensors").exists()
