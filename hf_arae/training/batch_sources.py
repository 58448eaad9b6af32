"""What the loop takes its batches from: one contract for data in memory and for streams."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from torch.utils.data import DataLoader

from hf_arae.data.batching import SentenceBatchSampler
from hf_arae.data.text.token_arrays import PackedSentences
from hf_arae.utils.digests import digest, digest_rows


class BatchSource(Protocol):
    """Batches without an end, which from a position on are always the same."""

    def updates(self, epochs: float) -> int:
        """How many batches so many passes are. Raises a ValueError if that is not known."""

    def set_position(self, step: int, saved: dict[str, Any] | None) -> None:
        """The next `iter()` begins with batch `step` of the run; `saved` is what `position` was there."""

    def position(self) -> dict[str, Any] | None:
        """What a checkpoint must keep beside the step to go on after the last batch; JSON."""

    def fingerprint(self) -> dict[str, Any]:
        """Names and values that a run's course depends on; JSON."""

    def __iter__(self) -> Iterator[dict[str, Tensor]]: ...


class MemoryBatches:
    """Batches of rows in memory, pass after pass; the position is the step alone.

    Args:
        dataset: rows with `length` and what `collate` needs, and `attribute` where batches are to be balanced over
            its values; or [`PackedSentences`], which gives whole batches.
        collate: rows to a batch; `None` if the dataset gives batches. One that adds rows of its own has a `digest()`
            of them.
        batch_size, seed, rank, world_size: see [`SentenceBatchSampler`].

    Raises:
        ValueError: see [`SentenceBatchSampler`].
    """

    def __init__(
        self,
        dataset: Dataset | PackedSentences,
        collate: Callable[[Any], dict[str, Tensor]] | None,
        batch_size: int,
        seed: int,
        rank: int,
        world_size: int,
    ):
        attributes = dataset["attribute"] if "attribute" in dataset.column_names else None
        self.sampler = SentenceBatchSampler(dataset["length"], batch_size, attributes, seed, rank, world_size)
        # A generator of its own: iter() on a loader without one would draw from the global generator.
        self.loader = DataLoader(
            dataset,
            batch_sampler=self.sampler,
            collate_fn=collate or (lambda batch: batch),
            generator=torch.Generator(),
        )
        self.step = 0
        self.dataset, self.collate = dataset, collate

    def updates(self, epochs: float) -> int:
        return math.ceil(epochs * len(self.sampler))

    def set_position(self, step: int, saved: dict[str, Any] | None) -> None:
        self.step = step

    def position(self) -> None:
        return None

    def fingerprint(self) -> dict[str, Any]:
        lengths = np.asarray(self.sampler.lengths, np.int64)
        groups = [np.asarray(rows, np.int64) for rows in self.sampler.members]
        values = {
            "data.streamed": False,
            "data.rows": len(lengths),
            "data.lengths": digest(lengths),
            "data.attributes": digest(*groups),
            "data.contents": digest_rows(self.dataset) if isinstance(self.dataset, Dataset) else self.dataset.digest(),
        }
        if hasattr(self.collate, "digest"):  # it adds rows of its own
            values["data.added"] = self.collate.digest()
        return values

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        while True:
            self.sampler.set_position(*divmod(self.step, len(self.sampler)))
            for batch in self.loader:
                self.step += 1
                yield batch
