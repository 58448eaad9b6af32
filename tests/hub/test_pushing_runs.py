"""Trainings that go to the Hub: while they go on, at their end, and what is refused before they begin."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from testing_mixins import made_up_sentences

import hf_arae
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.hub.errors import HubError
from hf_arae.training import Evaluation
from hf_arae.training.report import write_report

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def trainer(tokenizer, tmp_path):
    """Makes a trainer of a tiny ARAE; its evaluations print a sample."""

    def make(**changes):
        sizes = {"embedding_size": 4, "hidden_size": 4, "code_size": 4}
        model = hf_arae.AraeModel(hf_arae.AraeConfig(vocab_size=len(tokenizer), **sizes))
        settings = {"output_dir": str(tmp_path / "tiny"), "max_steps": 4, "per_device_train_batch_size": 16}
        settings |= {"logging_steps": 1, "eval_steps": 2, "save_steps": 2, "report_to": "none", "use_cpu": True}
        return hf_arae.PhaseTrainer(
            model,
            hf_arae.AraeObjective(model),
            hf_arae.TrainingArguments(**(settings | {"push_to_hub": True} | changes), disable_tqdm=True),
            TokenArrays(made_up_sentences(vocab_size=len(tokenizer), attributes=1), 0),
            processing_class=tokenizer,
            evaluator=lambda model: Evaluation({"source_bleu": 12.5}, ["the food was <b>great</b> ."]),
        )

    return make


def test_a_run_arrives_with_its_card(local_hub, trainer, tmp_path):
    training = trainer(hub_private_repo=True, publish_samples=True)
    result = training.train()
    report = {"seed": 0, "updates": result.steps, "minutes": 0.1, "source_bleu": 12.5}
    write_report(tmp_path / "tiny", report, [training.arguments])
    assert training.push_to_hub() == f"{local_hub.url}/alice/tiny"
    assert local_hub.repositories["model", "alice/tiny"].private
    files = local_hub.files("alice/tiny")
    expected = {"model.safetensors", "tokenizer.json", "training_log.jsonl", "metrics.json", "modeling_arae.py"}
    assert expected < set(files)
    assert not [name for name in files if "state" in name or "checkpoint" in name or name.startswith(".lock")]
    card = ModelCard.load("alice/tiny")
    assert card.data.eval_results[0].metric_type == "source_bleu"
    assert "\n```\nthe food was <b>great</b> .\n```\n" in card.content  # fenced: shown as it is
    assert re.search(r"\| `hub_private_repo` +\| True", card.content)
    if "curves.png" in files:
        assert "![Training curves](curves.png)" in card.content


def test_each_checkpoint_s_model_goes_up_without_its_state(local_hub, trainer, tmp_path):
    training = trainer(hub_strategy="every_save", hub_model_id="alice/often")
    training.train()
    training.push_to_hub()
    titles = []
    commit = local_hub.commit("alice/often")
    while commit is not None:
        titles.append(commit.title)
        assert not [name for name in commit.files if "state" in name or name == "manifest.json"]
        commit = commit.parent
    assert titles[0] == "End of training" and "Training in progress, checkpoint-2" in titles


def test_a_checkpoint_that_cannot_be_pushed_does_not_stop_the_training(local_hub, trainer, caplog):
    training = trainer(hub_strategy="every_save")
    local_hub.faults.fail(500, route="/commit/", times=1000)
    assert training.train().steps == 4
    with pytest.raises(HubError, match=r"hub push .*tiny alice/tiny --update"):
        training.push_to_hub()
    local_hub.faults.clear()
    training.push_to_hub()
    assert "model.safetensors" in local_hub.files("alice/tiny")


def test_what_may_not_be_pushed_is_said_before_the_training(local_hub, trainer, tmp_path):
    training = trainer(hub_model_id="bob/tiny")
    with pytest.raises(HubError, match="may not write to bob/tiny"):
        training.train()
    assert training.step == 0 and not (tmp_path / "tiny" / "model.safetensors").exists()
    with pytest.raises(HubError, match="no name of a repository"):
        trainer(hub_model_id="bad name").train()
    with pytest.raises(ValueError, match=r"hub_strategy.*end.*every_save"):
        trainer(hub_strategy="always")


SMALL = ["--max_train_samples", "300", "--max_eval_samples", "40", "--embedding_size", "8", "--hidden_size", "8"]
SMALL += ["--max_steps", "3", "--eval_steps", "3", "--use_cpu"]
RUNS = {
    "train_style_transfer.py": ["--code_size", "8"],
    "train_text_generation.py": ["--code_size", "8", "--neighbour_sentences", "0"],
    "train_summarization.py": ["--writer_epochs", "0.01", "--validation_size", "10"],
    "train_entailment.py": [
        *("--code_size", "8", "--method", "supervised", "--seeds", "0", "--label_fraction", "0.5"),
    ],
}


@pytest.mark.parametrize("script", RUNS)
def test_examples_push_what_they_trained(local_hub, tmp_path, script):
    arguments = [*RUNS[script], *SMALL, "--output_dir", str(tmp_path / "run"), "--disable_tqdm"]
    pushing = ["--push_to_hub", "--hub_model_id", "alice/example", "--hub_private_repo", "true"]
    done = local_hub.run([EXAMPLES / script, *arguments, *pushing], cwd=tmp_path)
    assert f"pushed to {local_hub.url}/alice/example" in done.stdout
    assert local_hub.repositories["model", "alice/example"].private
    files = local_hub.files("alice/example")
    assert {"model.safetensors", "metrics.json", "training_log.jsonl"} < set(files)
    report = json.loads(files["metrics.json"])
    assert report["settings"]["max_steps"] == 3 and script in report["command"]
    card = ModelCard.load("alice/example")
    assert card.data.library_name == "hf_arae" and script in card.content
