"""Endless batches of rows that are in memory, or that can be loaded by their number, by worker processes if wanted."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from hf_arae.data.batching import LengthGroupedBatchSampler
from hf_arae.utils.digests import digest

Load = Callable[[int, list[int]], dict[str, Tensor]]


class RowBatches:
    """Batches of rows, pass after pass; the position is the number of batches alone.

    Args:
        load: makes a batch of its number in the run and its rows. What it makes depends on these alone, so that the
            batches are the same with workers and without, and after a resume.
        sampler: the rows of each batch.
        contents: a short name of what the rows hold.
        num_workers: processes that load batches ahead; 0: this process loads each when it is asked for.
    """

    def __init__(self, load: Load, sampler: LengthGroupedBatchSampler, contents: str, num_workers: int = 0):
        self.load, self.sampler, self.contents, self.num_workers = load, sampler, contents, num_workers
        self.step = 0

    def updates(self, epochs: float) -> int:
        """How many batches so many passes are."""
        return math.ceil(epochs * len(self.sampler))

    def set_position(self, step: int, saved: dict[str, Any] | None) -> None:
        """The next `iter()` begins with batch `step` of the run."""
        self.step = step

    def position(self) -> None:
        """Nothing is to be kept beside the number of batches."""
        return None

    def fingerprint(self) -> dict[str, Any]:
        """What the batches depend on."""
        lengths = np.asarray(self.sampler.lengths, np.int64)
        groups = [np.asarray(rows, np.int64) for rows in self.sampler.members]
        values = {
            "data.streamed": False,
            "data.rows": len(lengths),
            "data.lengths": digest(lengths),
            "data.attributes": digest(*groups),
            "data.contents": self.contents,
        }
        if len(set(self.sampler.shares)) > 1:
            values["data.shares"] = self.sampler.shares
        return values

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        numbered = _Numbered(self.sampler, self.step)
        if not self.num_workers:
            loaded = (self.load(*batch) for batch in numbered)
        else:
            loaded = _loaded_by_workers(self.load, numbered, self.num_workers)
        with closing(loaded):
            for batch in loaded:
                self.step += 1
                yield batch


class _Numbered(Sampler[tuple[int, list[int]]]):
    """The number and the rows of each batch, from one batch on, without an end."""

    def __init__(self, sampler: LengthGroupedBatchSampler, start: int):
        self.sampler, self.start = sampler, start

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        number = self.start
        while True:
            self.sampler.set_position(*divmod(number, len(self.sampler)))
            for rows in self.sampler:
                yield number, rows
                number += 1


class _Batches(Dataset):
    """What a loader asks for whole batches."""

    def __init__(self, load: Load):
        self.load = load

    def __getitems__(self, batch: tuple[int, list[int]]) -> dict[str, Tensor]:
        return self.load(*batch)


def _loaded_by_workers(load: Load, numbered: _Numbered, num_workers: int) -> Iterator[dict[str, Tensor]]:
    """Batches in their order, loaded ahead."""
    batches = iter(
        DataLoader(
            _Batches(load),
            batch_sampler=numbered,
            collate_fn=_as_it_is,
            num_workers=num_workers,
            worker_init_fn=leave_signals_to_the_training,
            # A generator of its own: without one a loader would draw from the global generator.
            generator=torch.Generator(),
        )
    )
    try:
        yield from batches
    finally:
        # An error that comes from a worker keeps the iterator alive, and so its workers, which would outlive the
        # training and, as they leave signals alone, keep the process from ending.
        batches._shutdown_workers()


def _as_it_is(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return batch


def leave_signals_to_the_training(worker: int) -> None:
    """A signal to the whole group of processes is answered by the training, which needs its workers until then."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
