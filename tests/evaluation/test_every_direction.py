"""Style transfer of any number of labels and of few sentences: every direction is measured, nothing ends a run."""

from __future__ import annotations

import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Value
from torch.nn import functional as F
from transformers.utils import logging

from hf_arae.data.batching import LengthGroupedBatchSampler
from hf_arae.data.text.salience import attribute_log_odds
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.rewriting import rewrite_texts
from hf_arae.evaluation.style_transfer import (
    StyleTransferEvaluator,
    TransferJudges,
    direction_rows,
    every_direction,
    leakage,
    other_labels,
)
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments

NAMES = ["1", "2", "3"]
WORDS = (("bad", "awful", "poor"), ("plain", "usual", "fair"), ("good", "great", "fine"))
SIZES = {"embedding_size": 8, "hidden_size": 8, "code_size": 8, "latent_size": 4}


def stars(rows: int) -> Dataset:
    texts = [f"the {('food', 'tea')[row % 2]} was {WORDS[row % 3][row // 3 % 3]} ." for row in range(rows)]
    columns = {"text": texts, "label": [row % 3 for row in range(rows)]}
    return Dataset.from_dict(columns, features=Features({"text": Value("string"), "label": ClassLabel(names=NAMES)}))


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(stars(18)["text"], max_length=8)


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    labels = dict(enumerate(NAMES))
    model = AraeModel(AraeConfig(vocab_size=len(tokenizer), num_attributes=3, id2label=labels, **SIZES)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    ids = [tokenizer(text)["input_ids"] for text in stars(18)["text"]]
    model.attribute_log_odds.copy_(attribute_log_odds(ids, stars(18)["label"], len(tokenizer), 3))
    return model


@pytest.fixture(scope="module")
def judges():
    return TransferJudges.from_dataset(stars(90), stars(30))


def test_all_directions_of_three_labels_are_measured(model, tokenizer, judges):
    evaluator = StyleTransferEvaluator(tokenizer, stars(12), judges, num_printed=8, num_samples=0)
    evaluation, transfers = evaluator.evaluate(model)
    found = {(transfer.label, transfer.target) for transfer in transfers}
    assert found == {(a, b) for a in range(3) for b in range(3) if a != b} and len(transfers) == 12 * 2
    for transfer in transfers[:4]:
        assert transfer.output == rewrite_texts(model, tokenizer, [transfer.source], [transfer.target])[0]
    assert len(evaluation.samples) == 8 == len(set(evaluation.samples))
    assert {line.split("-> ")[1][0] for line in evaluation.samples} == set(NAMES)
    rows = direction_rows(judges, transfers, NAMES)
    assert [(row["from"], row["to"], row["sentences"]) for row in rows][:2] == [("1", "2", 4), ("1", "3", 4)]
    weighted = sum(row["transfer_accuracy"] * row["sentences"] for row in rows) / len(transfers)
    assert weighted == pytest.approx(evaluation.metrics["transfer_accuracy"])


def test_one_target_each_covers_every_direction():
    labels = [0, 0, 1, 1, 2, 2] * 2
    targets = other_labels(labels, 3)
    assert all(a != b for a, b in zip(labels, targets, strict=True))
    assert len(set(zip(labels, targets, strict=True))) == 6
    assert other_labels([0, 1, 1], 2) == [1, 0, 0] == every_direction([0, 1, 1], 2)[1]


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_few_held_out_sentences_are_measured_once_each(model, tokenizer, judges, rows):
    evaluator = StyleTransferEvaluator(tokenizer, stars(rows), judges, num_printed=10, num_samples=0)
    evaluation = evaluator(model)
    assert len(evaluation.samples) == min(10, 2 * rows) == len(set(evaluation.samples))
    assert set(evaluation.metrics) == set(evaluator.metric_names(model)) - {"perplexity"}
    assert leakage(model, tokenizer, list(stars(rows)["text"]), list(stars(rows)["label"])) == {}


def test_labels_of_few_sentences_are_left_out_of_the_probe(model, tokenizer, caplog):
    logging.enable_propagation()
    data = stars(60)
    texts, labels = [*data["text"], *["tea ."] * 3], [*(0 if label == 0 else 1 for label in data["label"]), 2, 2, 2]
    assert leakage(model, tokenizer, texts, labels) == leakage(model, tokenizer, texts[:60], labels[:60]) != {}
    logging.disable_propagation()
    assert "10 held-out sentences: 3." in caplog.text, "the label's name, not its id"


def test_two_judges_of_two_kinds_and_how_often_they_agree(judges):
    data = stars(12)
    targets = other_labels(data["label"], 3)
    words = {word: label for label, several in enumerate(WORDS) for word in several}
    right = [
        text.replace(text.split()[3], WORDS[to][words[text.split()[3]] % 3])
        for text, to in zip(data["text"], targets, strict=True)
    ]
    scores = judges.score(data["text"], right, targets)
    assert scores["transfer_accuracy"] == scores["second_transfer_accuracy"] == scores["judges_agree"] == 100
    verdicts = zip(judges.accuracy.predict(["tea ."]), judges.second.predict(["tea ."]), strict=True)
    same = sum(one == other for one, other in verdicts)
    assert judges.score(["tea ."], ["tea ."], [0])["judges_agree"] == 100 * same


def test_a_judge_below_the_floor_is_told_of_before_the_training(tokenizer, judges):
    confused = Dataset.from_dict({"text": ["tea ."] * 30, "label": stars(30)["label"]}, features=stars(3).features)
    blind = TransferJudges.from_dataset(stars(90), confused)
    assert "33.3" in StyleTransferEvaluator(tokenizer, stars(3), blind).floor_out_of_reach()
    assert StyleTransferEvaluator(tokenizer, stars(3), judges).floor_out_of_reach() is None


@pytest.mark.parametrize(("labels", "batch"), [(2, 128), (3, 126), (5, 125), (7, 126), (10, 120)])
def test_any_number_of_labels_trains_at_the_default_batch_size(labels, batch):
    groups = [row % labels for row in range(150 * labels)]
    rows = next(iter(LengthGroupedBatchSampler([5] * len(groups), 128, groups)))
    assert len(rows) == batch
    assert {sum(groups[row] == label for row in rows) for label in range(labels)} == {batch // labels}


def test_a_batch_below_the_number_of_labels_is_refused():
    with pytest.raises(ValueError, match="per_device_train_batch_size=2"):
        LengthGroupedBatchSampler([5] * 9, 2, [0, 1, 2] * 3)


@pytest.mark.parametrize("labels", [2, 4])
def test_the_encoder_is_trained_towards_the_other_labels(labels):
    torch.manual_seed(0)
    model = AraeModel(AraeConfig(vocab_size=12, num_attributes=labels, id2label={i: str(i) for i in range(labels)}))
    objective = AraeObjective(model, AraeObjectiveArguments())
    batch = {
        "input_ids": torch.tensor([[1, 7, 2], [1, 8, 2], [1, 9, 2]]),
        "attribute": torch.tensor([0, 1, labels - 1]),
    }
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    found = objective.conceal(batch)["adversarial_loss"]
    logits = model.classifier(model.encode(batch["input_ids"], batch["attention_mask"]))
    others = [[to for to in range(labels) if to != own] for own in batch["attribute"].tolist()]
    expected = torch.stack(
        [
            torch.stack([F.cross_entropy(logits[row], torch.tensor(to)) for to in several]).mean()
            for row, several in enumerate(others)
        ]
    ).mean()
    torch.testing.assert_close(found, expected)
