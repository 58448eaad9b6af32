"""A player that rests stays as it is, and the run goes on around it as it was."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from testing_mixins import Halted, assert_same_run, halt_after, made_up_sentences, read_log

from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.models.ursae.objective_ursae import UrsaeObjective, UrsaeObjectiveArguments
from hf_arae.training import Phase, PhaseTrainer, TrainingArguments

SIZES = {"vocab_size": 30, "embedding_size": 6, "hidden_size": 6, "num_layers": 1, "reader_size": 5, "conv_size": 6}
SIZES |= {"max_source_length": 12, "max_summary_length": 4, "encoder_layers": 1, "decoder_layers": 1, "dropout": 0.0}


def make_trainer(folder, settings=None, **changes) -> PhaseTrainer:
    torch.manual_seed(0)
    model = UrsaeForConditionalGeneration(UrsaeConfig(**SIZES))
    objective = UrsaeObjective(model, UrsaeObjectiveArguments(samples=2, **(settings or {})))
    arguments = {"max_steps": 6, "per_device_train_batch_size": 8, "logging_steps": 1, "eval_steps": 0}
    arguments |= {"save_steps": 0, "report_to": "none", "use_cpu": True, "disable_tqdm": True}
    arguments = TrainingArguments(str(folder), **(arguments | changes))
    return PhaseTrainer(model, objective, arguments, TokenArrays(made_up_sentences(attributes=1), 0))


def train_and_watch(trainer) -> dict[str, list[torch.Tensor]]:
    """The parameters of each player, flat, before the first iteration and after each."""
    seen = {player: [] for player in trainer.parameters}

    def look() -> None:
        for player, parameters in trainer.parameters.items():
            seen[player].append(torch.cat([value.detach().reshape(-1) for value in parameters]).clone())

    begin = trainer.objective.begin_iteration
    trainer.objective.begin_iteration = lambda *arguments: look() or begin(*arguments)
    trainer.train()
    look()
    return seen


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_resting_player_does_not_move_and_is_not_logged(tmp_path, optimizer):
    # From iteration 2 to 4 both rest: the drafts of before must not be taken for those of iteration 4.
    settings = {"optimizer": optimizer, "reconstructor_steps": 2, "reader_start": 4}
    trainer = make_trainer(tmp_path / "rests", settings)
    seen = train_and_watch(trainer)
    moved = {
        player: [not torch.equal(before, after) for before, after in pairwise(values)]
        for player, values in seen.items()
    }
    assert moved == {"reconstructor": [True] * 2 + [False] * 4, "reader": [False] * 4 + [True] * 2}
    logged = [
        {name.partition("/")[0] for name in line if name.endswith("/loss")} for line in read_log(tmp_path / "rests")
    ]
    assert logged == [{"reconstructor"}] * 2 + [set()] * 2 + [{"reader"}] * 2


def test_until_a_player_rests_the_run_is_that_without_a_rest(tmp_path):
    straight = train_and_watch(make_trainer(tmp_path / "straight"))
    rests = train_and_watch(make_trainer(tmp_path / "rests", {"reconstructor_steps": 3}))
    for player in straight:
        for step in range(4):
            assert torch.equal(straight[player][step], rests[player][step]), (player, step)


@pytest.mark.parametrize("stop", [2, 4])
def test_a_run_with_rests_is_resumed_exactly(tmp_path, stop):
    settings = {"reconstructor_steps": 3, "reader_start": 3, "schedule": "linear"}
    make_trainer(tmp_path / "a", settings).train()
    first = make_trainer(tmp_path / "b", settings, save_steps=stop)
    halt_after(first, stop)
    with pytest.raises(Halted):
        first.train()
    make_trainer(tmp_path / "b", settings, resume_from_checkpoint="last").train()
    assert_same_run(tmp_path / "a", tmp_path / "b", 6)


def test_a_phase_to_which_nothing_is_left_is_refused():
    for changes in ({"start": 3, "stop": 3}, {"start": -1}, {"repeat": 0}):
        with pytest.raises(ValueError, match="|".join(changes)):
            Phase("read", "reader", lambda batch: {}, **changes)
