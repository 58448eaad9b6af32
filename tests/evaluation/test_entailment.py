"""Labels of pairs, and what several runs say together."""

from __future__ import annotations

import math

import pytest
import torch

from hf_arae import AraeConfig, AraeForSequenceClassification
from hf_arae.data.corpora.scenes import build_scenes
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.entailment import PairEvaluator, label_pairs, mean_and_interval


@pytest.fixture(scope="module")
def pairs():
    return build_scenes({"train": 30})["train"]


@pytest.fixture(scope="module")
def model_and_tokenizer(pairs):
    torch.manual_seed(0)
    tokenizer = train_tokenizer([*pairs["premise"], *pairs["hypothesis"]], max_length=50)
    sizes = {"vocab_size": len(tokenizer), "embedding_size": 6, "hidden_size": 8, "code_size": 6}
    model = AraeForSequenceClassification(AraeConfig(**sizes, num_labels=3, initialization="scaled")).eval()
    return model, tokenizer


def test_labels_stay_with_their_pairs_whatever_the_batches(model_and_tokenizer, pairs):
    premises, hypotheses = pairs["premise"][:], pairs["hypothesis"][:]
    found = label_pairs(*model_and_tokenizer, premises, hypotheses)
    assert found == label_pairs(*model_and_tokenizer, premises, hypotheses, batch_size=7)
    assert len(set(found)) > 1
    evaluator = PairEvaluator(model_and_tokenizer[1], pairs, num_printed=3)
    evaluation = evaluator(model_and_tokenizer[0])
    assert evaluator.metric_names(model_and_tokenizer[0]) == list(evaluation.metrics)
    right = sum(one == other for one, other in zip(found, pairs["label"], strict=True))
    assert evaluation.metrics == {"accuracy": pytest.approx(100 * right / 30)}
    assert len(evaluation.samples) == 3 and pairs["premise"][0] in evaluation.samples[0]


def test_the_interval_is_students():
    mean, half = mean_and_interval([1.0, 2.0, 3.0])
    assert mean == 2.0 and half == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)  # t at 97.5 %, 2 degrees
    assert mean_and_interval([5.0, 5.0]) == (5.0, 0.0)
    alone = mean_and_interval([7.0])
    assert alone[0] == 7.0 and math.isnan(alone[1])
    with pytest.raises(ValueError, match="no results"):
        mean_and_interval([])
