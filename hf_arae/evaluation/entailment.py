"""How often a model labels pairs of sentences right, and what several runs say together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.metrics.numbers import Number
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import gather_rows, rows_of_this_process
from hf_arae.utils.extras import import_extra

NUMBERS = {
    "accuracy": Number(
        "Accuracy (%)",
        "The share of texts, or pairs of texts, that are given their label.",
        in_metadata=True,
    ),
    "validation_accuracy": Number(
        "Accuracy on the validation split (%)",
        "The share of validation texts, or pairs, that are given their label.",
    ),
}


@torch.no_grad()
def label_pairs(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    premises: Sequence[str],
    hypotheses: Sequence[str],
    batch_size: int = 256,
) -> list[int]:
    """The most probable label of each pair; pairs over the tokenizer's limit are cut."""
    mine = list(rows_of_this_process(len(premises)))
    order = sorted(mine, key=lambda row: len(premises[row].split()) + len(hypotheses[row].split()))
    found: dict[int, int] = {}
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        first, second = [premises[row] for row in rows], [hypotheses[row] for row in rows]
        batch = tokenizer(first, second, truncation=True, padding=True, return_tensors="pt")["input_ids"]
        found |= zip(rows, model(batch.to(model.device)).logits.argmax(1).tolist(), strict=True)
    return gather_rows([found[row] for row in mine], len(premises))


class PairEvaluator:
    """Evaluator for the loop: `accuracy` on held-out pairs, in percent, and some of them with their labels.

    Args:
        tokenizer: the model's.
        pairs: rows with `premise`, `hypothesis` and `label`.
        num_printed: pairs among the samples.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, pairs: Dataset, num_printed: int = 0):
        self.tokenizer, self.num_printed = tokenizer, num_printed
        self.premises, self.hypotheses = pairs["premise"][:], pairs["hypothesis"][:]
        self.labels, self.names = pairs["label"][:], pairs.features["label"].names

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation."""
        return ["accuracy"]

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        found = label_pairs(model, self.tokenizer, self.premises, self.hypotheses)
        right = sum(one == other for one, other in zip(found, self.labels, strict=True))
        lines = [
            f"{self.premises[row]} | {self.hypotheses[row]}  ->  {self.names[found[row]]} "
            f"({self.names[self.labels[row]]})"
            for row in range(min(self.num_printed, len(found)))
        ]
        return Evaluation({"accuracy": 100 * right / len(found)}, lines)


def mean_and_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Mean of several runs' results, and half the width of its confidence interval by Student's t; NaN for one run.

    Raises:
        ImportError: scipy, which comes with scikit-learn, is not installed.
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("there are no results to average")
    if len(values) == 1:
        return values[0], math.nan
    quantile = float(import_extra("scipy.stats").t.ppf((1 + confidence) / 2, len(values) - 1))
    return mean(values), quantile * stdev(values) / len(values) ** 0.5
