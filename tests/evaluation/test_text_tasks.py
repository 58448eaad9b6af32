"""Numbers of models of tasks, and how runs with the same seeds are compared."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset

from hf_arae.evaluation.paired_runs import paired_table, sign_test
from hf_arae.evaluation.text_tasks import AnswerEvaluator, LabelEvaluator, word_f1


def test_labels_that_are_right_are_counted():
    ids = [[1, 5, 2], [1, 6, 7, 8, 2], [1, 7, 2], [1, 5, 5, 2]]
    rows = Dataset.from_dict({"input_ids": ids, "length": [len(row) for row in ids], "labels": [0, 1, 1, 1]})

    class Model:
        """It says 1 where the second token is above 5."""

        device = torch.device("cpu")

        def __call__(self, input_ids, attention_mask):
            one = (input_ids[:, 1] > 5).float()
            return SimpleNamespace(logits=torch.stack([1 - one, one], 1))

    evaluator = LabelEvaluator(rows, 0, batch_size=3)
    assert evaluator(Model()).metrics == {"accuracy": 75.0}
    assert evaluator.metric_names(Model()) == ["accuracy"]


def test_answers_are_compared_as_squad_does():
    assert word_f1("The Cat!", "a cat") == 1.0
    assert word_f1("red cat", "cat") == pytest.approx(2 / 3)
    assert word_f1("dog", "cat") == 0.0
    context = "In 1999 Ann Lee came."
    offsets = [[0, 0], [0, 2], [3, 7], [8, 11], [12, 15], [16, 20], [20, 21]]
    row = {"input_ids": [0] * 7, "offsets": offsets, "context": context}
    rows = Dataset.from_list([row | {"answers": ["Ann Lee", "Ann"]}, row | {"answers": ["1999"]}])
    spans = torch.tensor([3, 4]), torch.tensor([3, 5])
    model = SimpleNamespace(device=torch.device("cpu"), answer_spans=lambda *_: spans)
    evaluator = AnswerEvaluator(rows, 0)
    assert evaluator(model).metrics == {"answer_exact_match": 50.0, "answer_f1": 50.0}
    assert list(evaluator(model).metrics) == evaluator.metric_names(model)


def test_the_sign_test_is_the_binomial_one():
    assert sign_test([1.0, 2.0, 3.0, 1.0, 5.0]) == 2 / 32
    assert sign_test([1.0, 2.0, 3.0, 1.0, -5.0, 0.0]) == 12 / 32
    assert sign_test([1.0, -1.0]) == sign_test([0.0]) == 1.0


def test_differences_are_taken_within_seeds():
    pytest.importorskip("scipy")
    results = {"none": {0: 50.0, 1: 60.0, 2: 70.0}, "learned": {0: 51.0, 1: 62.0, 2: 73.0, 3: 0.0}, "new": {}}
    none, learned = paired_table(results, ["none", "new"], "accuracy")
    assert none["accuracy"] == 60.0 and none["+-"] == pytest.approx(4.303 * 10 / math.sqrt(3), abs=0.01)
    assert learned["less none"] == "+2.00 +- 2.48 (3 of 3 above, p 0.25)"
    assert none["less none"] == "" and "less new" not in learned
    single = paired_table({"none": {0: 50.0}, "learned": {0: 51.0}}, ["none"], "accuracy")
    assert single[1] == {"graphs": "learned", "runs": 1, "accuracy": 51.0, "+-": None, "less none": "+1.00"}
