"""Batches of row numbers: rows of like length together, balanced over groups, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler
from transformers.utils import logging

logger = logging.get_logger(__name__)

POOL_BATCHES = 50  # rows are sorted by length within pools of this many batches: little padding, much mixing


def balanced_batch_size(batch_size: int, num_groups: int, rank: int = 0) -> int:
    """The largest multiple of the number of groups not above `batch_size`; the first process says if that is smaller.

    Raises:
        ValueError: it is smaller than the number of groups.
    """
    if batch_size < num_groups:
        raise ValueError(
            f"per_device_train_batch_size={batch_size} has no place for a row of each of the {num_groups} labels: "
            f"give {num_groups} or a multiple of it"
        )
    balanced = batch_size - batch_size % num_groups
    if balanced != batch_size and rank == 0:
        logger.warning(
            "A batch holds %d rows instead of per_device_train_batch_size=%d: as many of each of the %d labels.",
            balanced,
            batch_size,
            num_groups,
        )
    return balanced


class LengthGroupedBatchSampler(Sampler[list[int]]):
    """Yields lists of row numbers, one a batch, for this process.

    An epoch's order depends on `(seed, epoch)` alone. Rows are shuffled, cut into pools, sorted by length within a
    pool and cut into batches, whose order is shuffled again. With `groups` each batch holds the same number of rows of
    each group (or as many as `shares` says), in the groups' order. An epoch is then one pass over the group that takes
    longest, and the others are repeated. The last, incomplete batch of an epoch is left out.

    Args:
        lengths: length of each row; all the same where they do not matter.
        batch_size: rows in a batch on each process; with groups, see [`balanced_batch_size`].
        groups: group of each row, 0, 1, ..., or `None`.
        seed: of the order.
        rank, world_size: this process's place. Batches of `world_size * batch_size` rows are drawn, and process r
            takes every `world_size`-th row of each group, so all processes see about the same lengths.
        shares: rows of each group in a batch on each process, in place of equal parts; their sum is `batch_size`.

    Raises:
        ValueError: too few rows for one batch, an empty group, a batch size below the number of groups, or shares that
            are not of this many groups and rows.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        groups: Sequence[int] | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        shares: Sequence[int] | None = None,
    ):
        self.lengths = np.asarray(lengths)
        self.seed, self.rank, self.world_size = seed, rank, world_size
        if not len(self.lengths):
            raise ValueError("there are no rows to make batches of")
        values = np.zeros(len(self.lengths), dtype=int) if groups is None else np.asarray(groups)
        self.members = [np.flatnonzero(values == value) for value in range(int(values.max(initial=0)) + 1)]
        empty = [value for value, rows in enumerate(self.members) if not len(rows)]
        if empty:
            raise ValueError(
                f"no training row has the label {', '.join(map(str, empty))}: each of the labels "
                f"0 to {len(self.members) - 1} needs some"
            )
        if shares is None:
            batch_size = balanced_batch_size(batch_size, len(self.members), rank)
            shares = [batch_size // len(self.members)] * len(self.members)
        elif len(shares) != len(self.members) or min(shares) < 1 or sum(shares) != batch_size:
            raise ValueError(
                f"a batch of {batch_size} rows cannot hold {list(shares)} rows of {len(self.members)} group(s)"
            )
        self.shares = list(shares)
        parts = list(zip(self.members, self.shares, strict=True))
        self.batches_per_epoch = max(len(rows) // (share * world_size) for rows, share in parts)
        if not self.batches_per_epoch and len(set(self.shares)) > 1:
            raise ValueError(
                f"per_device_train_batch_size={batch_size} is to hold {' and '.join(map(str, self.shares))} rows of "
                f"the groups on each of {world_size} process(es), and there are "
                f"{' and '.join(str(len(rows)) for rows in self.members)} rows: give fewer"
            )
        if not self.batches_per_epoch:
            rows, share = max(parts, key=lambda part: len(part[0]) / part[1])
            kind = "rows" if len(self.members) == 1 else "rows of one label"
            processes = f" on {world_size} processes" if world_size > 1 else ""
            raise ValueError(
                f"per_device_train_batch_size={batch_size}{processes} needs at least {share * world_size} "
                f"{kind}, and there are at most {len(rows)}: give at most "
                f"{len(rows) // world_size * len(self.members)}"
            )
        self.epoch, self.start = 0, 0

    def set_position(self, epoch: int, start: int = 0) -> None:
        """The next `iter()` begins at batch `start` of `epoch`."""
        self.epoch, self.start = epoch, start

    def __len__(self) -> int:
        return self.batches_per_epoch

    def __iter__(self) -> Iterator[list[int]]:
        source = np.random.default_rng((self.seed, self.epoch))
        count = self.batches_per_epoch
        shares = [share * self.world_size for share in self.shares]
        drawn = [self._draw(rows, share * count, source) for rows, share in zip(self.members, shares, strict=True)]
        ordered = []
        for rows, share in zip(drawn, shares, strict=True):
            pool = share * POOL_BATCHES
            pools = [rows[at : at + pool] for at in range(0, len(rows), pool)]
            ordered.append(np.concatenate([part[np.argsort(self.lengths[part], kind="stable")] for part in pools]))
        # Every group's batch b comes from pool b // POOL_BATCHES at the same rank of length, so a batch's groups
        # are alike in length as well.
        for batch in source.permutation(count)[self.start :]:
            cuts = [slice(batch * share + self.rank, (batch + 1) * share, self.world_size) for share in shares]
            yield np.concatenate([rows[cut] for rows, cut in zip(ordered, cuts, strict=True)]).tolist()

    @staticmethod
    def _draw(rows: np.ndarray, count: int, source: np.random.Generator) -> np.ndarray:
        passes = [source.permutation(rows) for _ in range(-(-count // len(rows)))]
        return np.concatenate(passes)[:count]
