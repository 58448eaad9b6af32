"""Batches that hold labelled pairs beside unlabelled sentences."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from hf_arae.data.batch_sources import RowBatches
from hf_arae.data.stream_batches import StreamBatches, StreamedSentences
from hf_arae.data.text.token_arrays import TokenArrays


class SentencesWithPairs:
    """Unlabelled sentences, to each batch of which labelled pairs are added, drawn evenly and with replacement.

    Adds `pair_input_ids` `(pairs, sequence)`, `<bos> ... <eos> <bos> ... <eos>` padded on the right, and `pair_labels`
    `(pairs,)`.

    Args:
        sentences: what makes the batches of sentences.
        pairs: rows with `premise`, `hypothesis` and `label`.
        tokenizer: frames pairs; longer ones are cut to its `model_max_length`.
        pairs_per_batch: pairs in a batch on each process.
    """

    def __init__(
        self,
        sentences: TokenArrays | StreamedSentences,
        pairs: Dataset,
        tokenizer: PreTrainedTokenizerBase,
        pairs_per_batch: int,
    ):
        self.sentences, self.tokenizer, self.pairs_per_batch = sentences, tokenizer, pairs_per_batch
        self.ids = tokenizer(pairs["premise"][:], pairs["hypothesis"][:], truncation=True)["input_ids"]
        self.labels = torch.tensor(pairs["label"][:])

    def digest(self) -> str:
        """A short name of the pairs and their order."""
        return hashlib.sha256(repr((self.ids, self.labels.tolist())).encode()).hexdigest()[:16]

    def pairs(self, rows: Tensor) -> dict[str, Tensor]:
        """Returns the pairs of some rows, as they are added to a batch."""
        padded = self.tokenizer.pad({"input_ids": [self.ids[row] for row in rows.tolist()]}, return_tensors="pt")
        return {"pair_input_ids": padded["input_ids"], "pair_labels": self.labels[rows]}

    def batches(self, batch_size: int, seed: int, rank: int, world_size: int) -> PairBatches:
        """Returns the batches of one process.

        Args:
            batch_size: sentences in a batch on each process.
            seed, rank, world_size: see [`~hf_arae.data.batching.LengthGroupedBatchSampler`].
        """
        return PairBatches(self, self.sentences.batches(batch_size, seed, rank, world_size), seed, rank, world_size)


class PairBatches:
    """The batches of some sentences, each with pairs; all processes draw the same ones, and each takes its share.

    Args:
        data: the pairs.
        sentences: the batches that they are added to.
        seed, rank, world_size: see [`SentencesWithPairs.batches`].
    """

    def __init__(
        self, data: SentencesWithPairs, sentences: RowBatches | StreamBatches, seed: int, rank: int, world_size: int
    ):
        self.data, self.sentences, self.seed = data, sentences, seed
        self.rank, self.world_size = rank, world_size
        self.generator = torch.Generator().manual_seed(seed)

    def _draw(self) -> Tensor:
        count = self.data.pairs_per_batch * self.world_size
        return torch.randint(len(self.data.ids), (count,), generator=self.generator)[self.rank :: self.world_size]

    def updates(self, epochs: float) -> int:
        """How many batches so many passes over the sentences are. Raises a ValueError if that is not known."""
        return self.sentences.updates(epochs)

    def set_position(self, step: int, saved: dict[str, Any] | None) -> None:
        """The next `iter()` begins with batch `step` of the run: what was drawn before it is drawn again."""
        self.sentences.set_position(step, saved)
        self.generator.manual_seed(self.seed)
        for _ in range(step):
            self._draw()

    def position(self) -> dict[str, Any] | None:
        """What the sentences must keep; the pairs depend on the number of batches alone."""
        return self.sentences.position()

    def fingerprint(self) -> dict[str, Any]:
        """What the batches depend on."""
        return self.sentences.fingerprint() | {"data.added": self.data.digest()}

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for batch in self.sentences:
            yield batch | self.data.pairs(self._draw())
