"""How good are summaries that no summary taught: beside references, beside their documents, and as a code of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.data.text.encoding import read_texts
from hf_arae.data.text.reading import batches_by_length
from hf_arae.metrics import Rouge, SummaryShape
from hf_arae.metrics.numbers import Number
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import from_main, gather_rows, rows_of_this_process
from hf_arae.utils.escapes import plain

NUMBERS = {
    "reconstruction": Number(
        "-log p of the document given its summary (nats a token)",
        "How much of the document the summary does not tell; lower is better.",
    ),
    "language_model": Number(
        "-log p of the summary by the frozen language model (nats a token)",
        "How unlikely a text the summary is; lower is more fluent.",
    ),
}

_ARROW = "  ->  "


@torch.no_grad()
def summarize_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    batch_size: int = 128,
    **arguments: Any,
) -> list[str]:
    """Summarizes texts, those of like length together; with several processes each does its share.

    Args:
        texts: documents; longer ones are cut to the limit.
        arguments: anything that the model's `summarize` takes (`target_length` as one number).
    """
    mine = [texts[row] for row in rows_of_this_process(len(texts))]
    outputs = [""] * len(mine)
    for rows, ids, mask in batches_by_length(mine, tokenizer, batch_size, model.device):
        written = model.summarize(ids, mask, **arguments)
        for row, text in zip(rows, tokenizer.batch_decode(written, skip_special_tokens=True), strict=True):
            outputs[row] = text
    return gather_rows(outputs, len(texts))


@torch.no_grad()
def code_lengths(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    documents: Sequence[str],
    summaries: Sequence[str],
    batch_size: int = 64,
) -> dict[str, float]:
    """What any system's summaries are worth to the model, in nats; the objective's rewards are made of both.

    Summaries are cut to the model's longest.

    Returns:
        `reconstruction`, -log p_dec(document | summary) a token of the documents; `language_model`, -log p(summary)
        a token of the summaries.
    """
    chosen = rows_of_this_process(len(documents))
    mine, theirs = [documents[row] for row in chosen], [summaries[row] for row in chosen]
    longest = model.config.max_summary_length + 2
    rows_of_numbers: list[list[float]] = [[]] * len(mine)
    for rows, ids, _ in batches_by_length(mine, tokenizer, batch_size, model.device):
        batch = tokenizer([theirs[row] for row in rows], truncation=True, max_length=longest, padding=True)
        written = torch.tensor(batch["input_ids"], device=model.device)
        losses, counts = model.reconstruct_loss(written, ids)
        surprisal = -model.language_model_score(written)
        tokens = (written[:, 1:] != tokenizer.pad_token_id).sum(1)
        columns = torch.stack([losses, counts, surprisal, tokens], 1).tolist()
        for row, numbers in zip(rows, columns, strict=True):
            rows_of_numbers[row] = numbers
    losses, counts, surprisal, tokens = map(sum, zip(*gather_rows(rows_of_numbers, len(documents)), strict=True))
    return {"reconstruction": losses / counts, "language_model": surprisal / tokens}


def lead_words(texts: Sequence[str], count: int) -> list[str]:
    """The first `count` words of each text: the baseline to beat, at the same length."""
    return [" ".join(text.split()[:count]) for text in texts]


def lead_bytes(texts: Sequence[str], count: int = 75) -> list[str]:
    """The first `count` bytes of each text (UTF-8), as DUC's limit has it; the last word may be cut."""
    return [text.encode()[:count].decode(errors="ignore").strip() for text in texts]


def summary_scores(
    documents: Sequence[str], summaries: Sequence[str], references: Sequence[str] | None = None
) -> dict[str, float]:
    """ROUGE, if there are references, and the shape of one system's summaries."""
    row = {} if references is None else Rouge().compute(predictions=list(summaries), references=list(references))
    return row | SummaryShape().compute(predictions=list(summaries), references=list(documents))


class SummarizationEvaluator:
    """Evaluator for the loop: summarizes held-out documents.

    With several processes, each writes its share of the summaries and the main one scores them all.

    Metrics: those of [`SummaryShape`] (`mean_length`, `copy_rate`, `prefix_overlap`, `distinct`, ...); `rouge1`,
    `rouge2`, `rougeL`, if there are references; `reconstruction` and `language_model`, see `code_lengths`.

    Args:
        tokenizer: the model's.
        dataset: held-out rows with `document` and, where there are references, `summary`; the tokenizer reads both.
        num_printed: summaries that are printed, from places spread over the dataset.
        arguments: anything that `summarize_texts` takes.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, dataset: Dataset, num_printed: int = 5, **arguments: Any):
        self.tokenizer, self.num_printed, self.arguments = tokenizer, num_printed, arguments
        self.documents = read_texts(dataset["document"], tokenizer)
        summaries = dataset["summary"] if "summary" in dataset.column_names else None
        self.references = None if summaries is None else read_texts(summaries, tokenizer)

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation."""
        shape = ["mean_length", "compression", "copy_rate", "novel_bigrams", "prefix_overlap", "distinct", "empty"]
        rouge = [] if self.references is None else ["rouge1", "rouge2", "rougeL"]
        return [*rouge, *shape, "reconstruction", "language_model"]

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        return self.evaluate(model)[0]

    def evaluate(self, model: PreTrainedModel) -> tuple[Evaluation, list[str]]:
        """Returns what the loop is given, and all summaries."""
        summaries = summarize_texts(model, self.tokenizer, self.documents, **self.arguments)
        metrics = from_main(lambda: summary_scores(self.documents, summaries, self.references))
        metrics |= code_lengths(model, self.tokenizer, self.documents, summaries)
        count = min(self.num_printed, len(summaries))
        chosen = [place * len(summaries) // count for place in range(count)]
        return Evaluation(metrics, [f"{self.documents[row]}{_ARROW}{summaries[row]}" for row in chosen]), summaries


def samples_over_training(log_file: str | os.PathLike, start: Evaluation | None = None) -> str:
    """The summaries that a training printed, in Markdown: for each document how they changed.

    Args:
        log_file: the run's `training_log.jsonl`.
        start: an evaluation from before the first update.
    """
    lines = [(0, start.samples)] if start is not None else []
    lines += [(line["step"], line["samples"]) for line in _log_lines(log_file) if "samples" in line]
    written: dict[str, list[str]] = {}
    for step, samples in lines:
        for sample in samples:
            document, _, summary = sample.partition(_ARROW)
            written.setdefault(document, []).append(f"| {step} | {plain(summary)} |")
    parts = [
        f"{plain(document)}\n\n| updates | summary |\n| --: | --- |\n" + "\n".join(rows)
        for document, rows in written.items()
    ]
    return "\n\n".join(parts) + "\n"


def _log_lines(log_file: str | os.PathLike) -> Iterator[dict[str, Any]]:
    with open(log_file, encoding="utf-8") as file:
        yield from map(json.loads, file)
