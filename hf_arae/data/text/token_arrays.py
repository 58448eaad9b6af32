"""Sentences in flat arrays, from which a batch is gathered in one go."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from hf_arae.data.batch_sources import RowBatches
from hf_arae.data.batching import LengthGroupedBatchSampler
from hf_arae.data.text.encoding import encode_dataset, read_dataset


def flat_column(dataset: Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns a list column's values, one after another, and the length of each row's list."""
    column = dataset.with_format("arrow")[name][:].combine_chunks()
    return column.flatten().to_numpy(), column.value_lengths().to_numpy()


class TokenArrays:
    """Rows of `encode_dataset`, ready to be taken in batches; `from_texts` makes them of plain texts.

    A batch is `input_ids` and `attention_mask`, `(batch, sequence)` int64, padded on the right to its longest
    sentence, and where the rows have them `attribute` `(batch,)` and `labels` `(batch, sequence)`, 0 at padding.
    Taking it costs microseconds, where taking 128 rows one by one costs over a millisecond; the tokens stand in
    memory, at four bytes each.

    Args:
        dataset: columns `input_ids`, and `attribute` and `labels` (as many as ids) where there are any.
        pad_token_id: fills up.
    """

    def __init__(self, dataset: Dataset, pad_token_id: int):
        self.pad_token_id = pad_token_id
        tokens, self.lengths = flat_column(dataset, "input_ids")
        self.tokens = tokens.astype(np.int32)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.labels = flat_column(dataset, "labels")[0] if "labels" in dataset.column_names else None
        self.attributes = np.asarray(dataset["attribute"][:]) if "attribute" in dataset.column_names else None

    @classmethod
    def from_texts(cls, texts: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> TokenArrays:
        """Tokenizes texts to train on.

        Those without a word and those over the tokenizer's limit are left out; warnings say how many.

        Args:
            texts: a list of sentences, a column of a dataset, or any other collection.
            tokenizer: see [`~hf_arae.data.text.tokenization.train_tokenizer`].

        Raises:
            TypeError: `texts` is a single string or no collection, or one of them is no string.
            ValueError: no text is left, or the tokenizer lacks the tokens around a sentence or the padding.
        """
        missing = [name for name in ("pad", "bos", "eos") if getattr(tokenizer, f"{name}_token_id") is None]
        if missing:
            names = ", ".join(f"{name}_token" for name in missing)
            raise ValueError(f"the tokenizer has no {names}: hf_arae.train_tokenizer makes one that has")
        if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
            raise TypeError(f"texts must be a list of sentences or a column of a dataset, got {type(texts).__name__}")
        listed = list(texts)
        other = next((row for row, text in enumerate(listed) if not isinstance(text, str)), None)
        if other is not None:
            raise TypeError(f"texts must hold strings only, got {type(listed[other]).__name__} in row {other}")
        if not listed:
            raise ValueError("texts are empty: there is no sentence to train on")
        read = read_dataset(Dataset.from_dict({"text": listed}), tokenizer, "train")
        return cls(encode_dataset(read, tokenizer), tokenizer.pad_token_id)

    def batches(self, batch_size: int, seed: int, rank: int, world_size: int) -> RowBatches:
        """Returns batches for training: rows of like length together, and as many of each attribute value.

        Args:
            batch_size, seed, rank, world_size: see [`LengthGroupedBatchSampler`].

        Raises:
            ValueError: see [`LengthGroupedBatchSampler`].
        """
        sampler = LengthGroupedBatchSampler(self.lengths, batch_size, self.attributes, seed, rank, world_size)
        return RowBatches(lambda number, rows: self.__getitems__(rows), sampler, self.digest())

    def digest(self) -> str:
        """A short name of what the rows hold, and of their order."""
        total = hashlib.sha256(self.tokens)
        for part in (self.lengths, self.labels, self.attributes):
            total.update(b"" if part is None else np.ascontiguousarray(part, np.int64))
        return total.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitems__(self, rows: list[int]) -> dict[str, Tensor]:
        lengths, starts = self.lengths[rows][:, None], self.starts[rows][:, None]
        places = np.arange(lengths.max())
        mask = places < lengths
        at = np.minimum(starts + places, len(self.tokens) - 1)
        ids = np.where(mask, self.tokens[at], self.pad_token_id)
        batch = {
            "input_ids": torch.from_numpy(ids.astype(np.int64)),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)),
        }
        if self.labels is not None:
            batch["labels"] = torch.from_numpy(np.where(mask, self.labels[at], 0).astype(np.int64))
        if self.attributes is not None:
            batch["attribute"] = torch.from_numpy(self.attributes[rows])
        return batch
