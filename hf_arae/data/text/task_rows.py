"""Rows of labelled texts, pairs and questions as token ids, and batches of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from hf_arae.data.collated_rows import CollatedRows

logger = logging.get_logger(__name__)

# What a batch holds of each kind of rows, beside the token ids.
LABELS = ("labels", "start_positions", "end_positions")
_PAIRS = ("premise", "hypothesis")


def label_rows(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """Token ids of labelled texts, or of labelled pairs.

    Args:
        dataset: columns `label`, and `text` or `premise` and `hypothesis`.
        tokenizer: of the model; longer texts are cut, of a pair the longer one.
        max_length: in tokens, special ones included.

    Returns:
        Columns `input_ids`, `length` and `labels`.
    """
    names = _PAIRS if _PAIRS[0] in dataset.column_names else ("text",)
    texts = [dataset[name][:] for name in names]
    ids = tokenizer(*texts, truncation=True, max_length=max_length, return_attention_mask=False)["input_ids"]
    return Dataset.from_dict({"input_ids": ids, "length": [len(row) for row in ids], "labels": dataset["label"][:]})


def question_rows(
    dataset: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int, answered: bool = True
) -> Dataset:
    """Token ids of questions with their passages, and where the answer stands: its first place in the passage.

    Args:
        dataset: columns `question`, `context` and `answers`, of which the first one in the passage counts.
        tokenizer: of the model, a fast one; passages are cut.
        max_length: in tokens, special ones included.
        answered: leave out the questions whose answer is cut off, or is no word of the tokenizer's; a warning says how
            many these are. Without, all rows stay, with -1 as the places of such answers.

    Returns:
        Columns `input_ids`, `length`, `start_positions`, `end_positions`; `offsets`, first and last character of each
        token in the passage (0 and 0 outside of it), and `context` and `answers`.

    Raises:
        ValueError: a question leaves no room for a passage; or no row is left.
    """
    questions, contexts, answers = (dataset[name][:] for name in ("question", "context", "answers"))
    longest = max_length - 5  # the frames of two texts, and one word
    lengths = [len(ids) for ids in tokenizer(questions, add_special_tokens=False, verbose=False)["input_ids"]]
    if max(lengths) > longest:
        raise ValueError(f"a question of {max(lengths)} words leaves no room for a passage in max_length={max_length}")
    read = tokenizer(questions, contexts, truncation="only_second", max_length=max_length, return_offsets_mapping=True)
    rows: list[dict[str, Any]] = []
    for number, (ids, offsets) in enumerate(zip(read["input_ids"], read["offset_mapping"], strict=True)):
        own = [text == 1 for text in read.sequence_ids(number)]
        offsets = [pair if inside else (0, 0) for pair, inside in zip(offsets, own, strict=True)]
        start, end = _place(contexts[number], answers[number], offsets)
        if answered and start < 0:
            continue
        rows.append(
            {
                "input_ids": ids,
                "length": len(ids),
                "start_positions": start,
                "end_positions": end,
                "offsets": offsets,
                "context": contexts[number],
                "answers": answers[number],
            }
        )
    if not rows:
        raise ValueError(f"no answer stands in the first {max_length} tokens of a question and its passage")
    if len(rows) < len(dataset):
        logger.warning("Left out %d of %d questions, whose answer is cut off.", len(dataset) - len(rows), len(dataset))
    return Dataset.from_list(rows)


def _place(context: str, answers: list[str], offsets: list[tuple[int, int]]) -> tuple[int, int]:
    """First and last token of the answer that begins first; -1 and -1 if none is there."""
    found = [(context.find(text), text) for text in answers if text in context]
    if not found:
        return -1, -1
    begin, text = min(found, key=lambda one: one[0])
    inside = [
        place
        for place, (first, last) in enumerate(offsets)
        if first < last and first < begin + len(text) and last > begin
    ]
    # An answer that goes on behind the cut is not there.
    whole = inside and offsets[inside[-1]][1] >= begin + len(text.rstrip(" .,;:!?\"')"))
    return (inside[0], inside[-1]) if whole else (-1, -1)


def collate_rows(pad_token_id: int) -> Callable[[list[dict[str, Any]]], dict[str, Tensor]]:
    """What makes a batch of such rows: `input_ids` and `attention_mask` `(batch, T)`, padded on the right; labels."""

    def collate(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        batch = {"input_ids": pad_sequence(ids, batch_first=True, padding_value=pad_token_id)}
        mask = torch.arange(batch["input_ids"].shape[1]) < torch.tensor([len(row) for row in ids]).unsqueeze(1)
        batch["attention_mask"] = mask.long()
        return batch | {name: torch.tensor([row[name] for row in rows]) for name in LABELS if name in rows[0]}

    return collate


def task_batches(rows: Dataset, pad_token_id: int) -> CollatedRows:
    """Rows for the loop; those of like length come together.

    Args:
        rows: of `label_rows` or `question_rows`.
        pad_token_id: fills up.
    """
    names = ("input_ids", "length", *LABELS)
    rows = rows.select_columns([name for name in names if name in rows.column_names])
    return CollatedRows(rows, collate_rows(pad_token_id), length_column="length")


__all__ = ["LABELS", "collate_rows", "label_rows", "question_rows", "task_batches"]
