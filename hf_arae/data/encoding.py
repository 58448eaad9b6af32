"""From text columns to the columns that a model is trained on."""

from __future__ import annotations

from datasets import Dataset
from transformers import PreTrainedTokenizerBase


def encode_dataset(dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """Tokenizes a dataset with the fixed schema (`text` and, for transfer, `label`).

    Sentences over the tokenizer's `model_max_length` are cut there.

    Returns:
        Columns `input_ids` (list of ids, `<bos>` and `<eos>` included), `length` and, if there is a `label`,
        `attribute` (its id).
    """

    def encode(rows: dict) -> dict:
        ids = tokenizer(rows["text"], truncation=True, return_attention_mask=False)["input_ids"]
        columns = {"input_ids": ids, "length": [len(sentence) for sentence in ids]}
        if "label" in rows:
            columns["attribute"] = rows["label"]
        return columns

    return dataset.map(encode, batched=True, batch_size=10_000, remove_columns=dataset.column_names, desc="Tokenizing")
