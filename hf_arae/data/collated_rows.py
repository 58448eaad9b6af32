"""Rows of any dataset with a function that makes batches of them: to be given to the trainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from hf_arae.data.batch_sources import RowBatches
from hf_arae.data.batching import LengthGroupedBatchSampler
from hf_arae.losses.classification import NO_LABEL
from hf_arae.utils.digests import digest_rows
from hf_arae.utils.seeding import seeded
from hf_arae.utils.validation import check_range


class CollatedRows:
    """A `datasets.Dataset` whose rows `collate` turns into batches, in worker processes if that takes long.

    What is drawn from torch's global generator while a batch is made (by a transform of the dataset, say, or by
    `collate`) depends on the seed, the batch's number and the process alone. So batches are the same with workers and
    without, and a resumed run has those of one that was never stopped.

    Args:
        dataset: the rows; its format or transform may decode them.
        collate: a list of rows to a batch, named tensors whose first dimension is the rows.
        num_workers: processes that load and collate batches ahead; 0: the training's own process does.
        length_column: name of a column of lengths; rows of like length then come together.
        balanced_column: name of a column of values 0, 1, ..., of each of which a batch holds as many rows.
        label_column: name of a column of labels, -100 for the rows that have none.
        labelled_rows: rows with a label in each batch on each process, the other rows being without, for a training
            that learns from both; needs `label_column`. A pass goes once over those of the two that take longer, and
            the others are repeated.

    Raises:
        TypeError: the dataset is none, or is one of several splits or a stream.
        ValueError: a column is not there or holds anything but whole numbers, both kinds of groups are asked for, or
            only one of `label_column` and `labelled_rows` is given.
    """

    def __init__(
        self,
        dataset: Dataset,
        collate: Callable[[list[dict[str, Any]]], dict[str, Tensor]],
        num_workers: int = 0,
        length_column: str | None = None,
        balanced_column: str | None = None,
        label_column: str | None = None,
        labelled_rows: int | None = None,
    ):
        if not isinstance(dataset, Dataset):
            raise TypeError(f"dataset must be a datasets.Dataset, of one split, got {type(dataset).__name__}")
        self.dataset, self.collate, self.num_workers = dataset, collate, num_workers
        self.labelled_rows = labelled_rows
        check_range(self, "[0, inf)", "num_workers", whole=True)
        if (label_column is None) != (labelled_rows is None):
            raise ValueError("label_column and labelled_rows go together: give both or neither")
        if balanced_column is not None and label_column is not None:
            raise ValueError("batches can be balanced over balanced_column or hold labelled_rows: give one of the two")
        for name in (length_column, balanced_column, label_column):
            if name is not None and name not in dataset.column_names:
                raise ValueError(f"no column {name!r}; accepted: {', '.join(dataset.column_names)}")
        self.lengths = np.zeros(len(dataset), int)
        self.groups: np.ndarray | None = None
        if length_column is not None:
            self.lengths = _whole_numbers(dataset, length_column)
        if balanced_column is not None:
            self.groups = _whole_numbers(dataset, balanced_column)
            if self.groups.min(initial=0) < 0:
                raise ValueError(
                    f"column {balanced_column!r} has {self.groups.min()}, and batches can be balanced over 0, 1, ..."
                )
        if label_column is not None:
            self.groups = (_whole_numbers(dataset, label_column) == NO_LABEL).astype(int)
            if len(set(self.groups.tolist())) < 2:
                raise ValueError(f"labelled_rows needs rows with a label in {label_column!r} and rows with {NO_LABEL}")
            check_range(self, "[1, inf)", "labelled_rows", whole=True)

    def batches(self, batch_size: int, seed: int, rank: int, world_size: int) -> RowBatches:
        """Returns the batches of one process; see [`LengthGroupedBatchSampler`].

        Raises:
            ValueError: the rows are too few for one batch, or do not fit the groups, or a batch has no room for
                rows without a label.
        """
        shares = None
        if self.labelled_rows is not None:
            if not 0 < self.labelled_rows < batch_size:
                raise ValueError(
                    f"labelled_rows must lie between 1 and per_device_train_batch_size - 1 = {batch_size - 1}, got "
                    f"{self.labelled_rows}"
                )
            shares = [self.labelled_rows, batch_size - self.labelled_rows]
        sampler = LengthGroupedBatchSampler(self.lengths, batch_size, self.groups, seed, rank, world_size, shares)

        def load(number: int, rows: list[int]) -> dict[str, Tensor]:
            own = int(np.random.SeedSequence((seed, number, rank)).generate_state(1)[0])
            with seeded(own, torch.device("cpu")):
                batch = self.collate(self.dataset.__getitems__(rows))
            if not isinstance(batch, Mapping) or not batch:
                raise TypeError(f"collate must give named tensors, a dictionary, and gave {batch!r:.80}")
            for name, value in batch.items():
                if not isinstance(value, Tensor) or not value.dim():
                    raise TypeError(
                        f"collate must give tensors whose first dimension is the rows, and gave {name} "
                        f"as {value!r:.80}"
                    )
            return batch

        return RowBatches(load, sampler, digest_rows(self.dataset), self.num_workers)


def _whole_numbers(dataset: Dataset, name: str) -> np.ndarray:
    values = dataset.with_format(None)[name][:]
    wrong = next((row for row, value in enumerate(values) if not isinstance(value, int)), None)
    if wrong is not None:
        raise ValueError(f"column {name!r} must hold whole numbers; row {wrong} has {values[wrong]!r}")
    return np.asarray(values, int)
