"""Evaluators: outputs stay with their inputs, and the numbers are those of the outputs."""

from __future__ import annotations

import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Value

from hf_arae.evaluation.rewriting import encode_texts, rewrite_texts, sample_texts
from hf_arae.evaluation.style_transfer import StyleTransferEvaluator, TransferJudges, leakage, other_labels
from hf_arae.metrics import Bleu
from hf_arae.utils.tables import markdown_table

FEATURES = Features({"text": Value("string"), "label": ClassLabel(names=["negative", "positive"])})

THINGS = ("food", "staff", "room", "soup", "tea")
OPINIONS = (("bad", "awful", "poor", "rude"), ("good", "great", "fine", "kind"))


def reviews(rows: int) -> Dataset:
    texts, labels = [], []
    for row in range(rows):
        label = row % 2
        texts.append(f"the {THINGS[row % 5]} {'really ' * (row % 3)}was {OPINIONS[label][row // 2 % 4]} .")
        labels.append(label)
    return Dataset.from_dict({"text": texts, "label": labels}, features=FEATURES)


@pytest.fixture(scope="module")
def judges():
    return TransferJudges.from_dataset(reviews(200), reviews(40))


def test_outputs_stay_with_their_inputs_whatever_the_batches(transfer_model, tokenizer):
    texts = ["the food was good .", "bad", "the staff was rude and the food was bad .", "good food ."]
    whole = rewrite_texts(transfer_model, tokenizer, texts, [0, 1, 1, 0])
    alone = [
        rewrite_texts(transfer_model, tokenizer, [text], [y])[0] for text, y in zip(texts, [0, 1, 1, 0], strict=True)
    ]
    assert whole == alone == rewrite_texts(transfer_model, tokenizer, texts, [0, 1, 1, 0], batch_size=2)
    codes = encode_texts(transfer_model, tokenizer, texts, batch_size=2)
    for row, text in enumerate(texts):
        assert torch.allclose(codes[row], encode_texts(transfer_model, tokenizer, [text])[0], atol=1e-6)


def test_samples_repeat_and_do_not_depend_on_the_global_generator(transfer_model, tokenizer):
    first = sample_texts(transfer_model, tokenizer, 5, seed=1)
    torch.rand(3)
    assert first == sample_texts(transfer_model, tokenizer, 5, seed=1)
    assert len(sample_texts(transfer_model, tokenizer, 7, batch_size=3)) == 7


def test_judges_tell_a_transfer_from_a_copy(judges):
    data = reviews(40)
    targets = other_labels(data["label"], 2)
    copies = judges.score(data["text"], data["text"], targets)
    assert copies["source_bleu"] == pytest.approx(100) and copies["transfer_accuracy"] == 0
    pairs = zip(OPINIONS[0], OPINIONS[1], strict=True)
    swap = {word: other for pair in pairs for word, other in (pair, pair[::-1])}
    swapped = [" ".join(swap.get(word, word) for word in text.split()) for text in data["text"]]
    scores = judges.score(data["text"], swapped, targets, references=[[text] for text in swapped])
    assert scores["transfer_accuracy"] == 100 and scores["reference_bleu"] == pytest.approx(100)
    assert scores["word_overlap"] == pytest.approx(100)
    assert 0 < scores["source_bleu"] < 100


def test_the_evaluators_numbers_are_those_of_its_outputs(transfer_model, tokenizer, judges):
    data = reviews(40)
    evaluator = StyleTransferEvaluator(tokenizer, data, judges, num_printed=4, num_samples=20)
    evaluation = evaluator(transfer_model)
    metrics = evaluation.metrics
    assert set(evaluator.metric_names(transfer_model)) == set(metrics)
    outputs = rewrite_texts(transfer_model, tokenizer, data["text"], other_labels(data["label"], 2))
    assert metrics["source_bleu"] == Bleu().compute(predictions=outputs, references=list(data["text"]))["bleu"]
    assert metrics["transfer_score"] == pytest.approx((metrics["transfer_accuracy"] * metrics["source_bleu"]) ** 0.5)
    assert sum("->" in line for line in evaluation.samples) == 4
    assert {"reconstruction_bleu", "exact_match", "sample_distinct"} <= metrics.keys()


@pytest.mark.parametrize("floor", [float("nan"), -1.0, 100.1])
def test_a_floor_that_is_no_percentage_is_refused(tokenizer, judges, floor):
    with pytest.raises(ValueError, match="accuracy_floor"):
        StyleTransferEvaluator(tokenizer, reviews(20), judges, accuracy_floor=floor)


@pytest.mark.parametrize("floor", [0.0, 100.0])
def test_the_floor_ranks_accuracy_first_and_then_bleu(transfer_model, tokenizer, judges, floor):
    evaluator = StyleTransferEvaluator(tokenizer, reviews(20), judges, accuracy_floor=floor, num_samples=0)
    metrics = evaluator(transfer_model).metrics
    expected = metrics["source_bleu"] if floor == 0 else metrics["transfer_accuracy"] - floor
    assert metrics["bleu_at_floor"] == expected


def test_a_fresh_probe_reads_what_the_codes_hold(transfer_model, tokenizer):
    data = reviews(400)
    found = leakage(transfer_model, tokenizer, list(data["text"]), list(data["label"]))
    assert found["majority_share"] == pytest.approx(50, abs=5)
    assert found["probe_accuracy"] >= found["majority_share"]


def test_tables_align_and_leave_missing_cells_empty():
    table = markdown_table([{"system": "a", "x": 1.234}, {"system": "long", "y": 2.0}]).splitlines()
    assert table == [
        "| system |   x |   y |",
        "| ------ | --: | --: |",
        "| a      | 1.2 |     |",
        "| long   |     | 2.0 |",
    ]


def test_reverse_perplexity_can_steer_a_run(transfer_model, tokenizer, judges):
    evaluator = StyleTransferEvaluator(tokenizer, reviews(20), judges, num_samples=0, reverse_perplexity_samples=40)
    before = torch.get_rng_state()
    first, second = evaluator(transfer_model).metrics, evaluator(transfer_model).metrics
    assert first["reverse_perplexity"] == second["reverse_perplexity"] > 1
    assert torch.equal(before, torch.get_rng_state())
