"""How well models of tasks do on held-out rows: labels that are right, answers that are found."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

import torch
from datasets import Dataset
from transformers import PreTrainedModel

from hf_arae.data.text.task_rows import collate_rows
from hf_arae.metrics.numbers import Number
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import from_main

NUMBERS = {
    "answer_exact_match": Number(
        "Answers found to the word (%)",
        "The share of questions whose answer is one of those that people gave, articles and punctuation aside.",
        in_metadata=True,
    ),
    "answer_f1": Number(
        "Words of answers found (F1, %)",
        "How well the words of answers overlap with those that people gave (SQuAD's F1); higher is better.",
        in_metadata=True,
    ),
}
_ARTICLES = re.compile(r"\b(a|an|the)\b")


class LabelEvaluator:
    """Evaluator for the loop: `accuracy` on held-out labelled texts, in percent.

    Args:
        rows: of `label_rows`.
        pad_token_id: of the model.
        batch_size: rows that are read at once.
    """

    def __init__(self, rows: Dataset, pad_token_id: int, batch_size: int = 128):
        self.rows, self.collate, self.batch_size = rows, collate_rows(pad_token_id), batch_size

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation."""
        return ["accuracy"]

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        return from_main(lambda: self._evaluate(model))

    @torch.no_grad()
    def _evaluate(self, model: PreTrainedModel) -> Evaluation:
        right = 0
        for batch in _batches(self.rows, self.collate, self.batch_size):
            labels = batch.pop("labels")
            inputs = {name: value.to(model.device) for name, value in batch.items()}
            right += int((model(**inputs).logits.argmax(1).cpu() == labels).sum())
        return Evaluation({"accuracy": 100 * right / len(self.rows)})


class AnswerEvaluator:
    """Evaluator for the loop: `answer_exact_match` and `answer_f1` on held-out questions, in percent.

    Answers are compared as SQuAD's own script does it (Rajpurkar et al. 2016): without case, punctuation, articles and
    superfluous blanks, and with the nearest of those that people gave. A question whose answer was cut off counts.

    Args:
        rows: of `question_rows`, with all questions.
        pad_token_id: of the model.
        longest_answer: in tokens.
        batch_size: rows that are read at once.
    """

    def __init__(self, rows: Dataset, pad_token_id: int, longest_answer: int = 15, batch_size: int = 64):
        self.rows, self.collate, self.batch_size = rows, collate_rows(pad_token_id), batch_size
        self.longest_answer = longest_answer

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation."""
        return ["answer_exact_match", "answer_f1"]

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        return from_main(lambda: self._evaluate(model))

    @torch.no_grad()
    def _evaluate(self, model: PreTrainedModel) -> Evaluation:
        exact = shared = 0.0
        for start in range(0, len(self.rows), self.batch_size):
            rows = [self.rows[row] for row in range(start, min(start + self.batch_size, len(self.rows)))]
            batch = self.collate(rows)
            inputs = (batch[name].to(model.device) for name in ("input_ids", "attention_mask"))
            spans = zip(*(part.tolist() for part in model.answer_spans(*inputs, self.longest_answer)), strict=True)
            for row, (first, last) in zip(rows, spans, strict=True):
                found = row["context"][row["offsets"][first][0] : row["offsets"][last][1]]
                exact += max(_normal(found) == _normal(answer) for answer in row["answers"])
                shared += max(word_f1(found, answer) for answer in row["answers"])
        count = len(self.rows)
        return Evaluation({"answer_exact_match": 100 * exact / count, "answer_f1": 100 * shared / count})


def word_f1(found: str, answer: str) -> float:
    """SQuAD's F1 of the words of two answers, in [0, 1]."""
    ours, theirs = _normal(found).split(), _normal(answer).split()
    common = sum((Counter(ours) & Counter(theirs)).values())
    if not common:
        return float(ours == theirs)
    return 2 * common / (len(ours) + len(theirs))


def _normal(text: str) -> str:
    bare = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def _batches(rows: Dataset, collate, batch_size: int):
    """Batches of rows of like length."""
    lengths: Sequence[int] = rows["length"][:]
    order = sorted(range(len(rows)), key=lengths.__getitem__)
    for start in range(0, len(order), batch_size):
        yield collate([rows[row] for row in order[start : start + batch_size]])


__all__ = ["AnswerEvaluator", "LabelEvaluator", "word_f1"]
