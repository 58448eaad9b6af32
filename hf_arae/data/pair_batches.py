"""Batches that hold labelled pairs beside unlabelled sentences."""

from __future__ import annotations

import hashlib

import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from hf_arae.utils.distributed import place


class PairBatches:
    """Collator that adds labelled pairs, drawn evenly and with replacement, to a batch of unlabelled sentences.

    Adds `pair_input_ids` `(pairs, sequence)`, `<bos> ... <eos> <bos> ... <eos>` padded on the right, and `pair_labels`
    `(pairs,)`.

    Args:
        pairs: rows with `premise`, `hypothesis` and `label`.
        tokenizer: frames pairs; longer ones are cut to its `model_max_length`.
        batch_size: pairs in a batch on each process.
        seed: of the draws. Give `generator` to the trainer, whose checkpoints then keep its state.
    """

    def __init__(self, pairs: Dataset, tokenizer: PreTrainedTokenizerBase, batch_size: int, seed: int = 0):
        self.tokenizer, self.batch_size = tokenizer, batch_size
        self.ids = tokenizer(pairs["premise"][:], pairs["hypothesis"][:], truncation=True)["input_ids"]
        self.labels = torch.tensor(pairs["label"][:])
        self.generator = torch.Generator().manual_seed(seed)

    def digest(self) -> str:
        """A short name of the pairs and their order."""
        return hashlib.sha256(repr((self.ids, self.labels.tolist())).encode()).hexdigest()[:16]

    def __call__(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        rank, processes = place()  # all draw the same rows, and each takes its share
        rows = torch.randint(len(self.ids), (self.batch_size * processes,), generator=self.generator)[rank::processes]
        padded = self.tokenizer.pad({"input_ids": [self.ids[row] for row in rows.tolist()]}, return_tensors="pt")
        return batch | {"pair_input_ids": padded["input_ids"], "pair_labels": self.labels[rows]}
