"""Batches of sentences: of one length for training, balanced and the same for the same seed; or for reading texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Sampler
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from hf_arae.data.text.cutting import cut_ids

logger = logging.get_logger(__name__)

POOL_BATCHES = 50  # sentences are sorted by length within pools of this many batches: little padding, much mixing


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


class SentenceBatchSampler(Sampler[list[int]]):
    """Yields lists of row indices, one a batch, for this process.

    An epoch's order depends on `(seed, epoch)` alone. Rows are shuffled, cut into pools, sorted by length within a
    pool and cut into batches, whose order is shuffled again. With `groups` each batch holds the same number of rows of
    each group, in the groups' order; an epoch is then one pass over the largest group, and the smaller ones are
    repeated. The last, incomplete batch of an epoch is left out.

    Args:
        lengths: length of each row.
        batch_size: rows in a batch on each process; with groups, see [`balanced_batch_size`].
        groups: group (attribute value) of each row, or `None`.
        seed: of the order.
        rank, world_size: this process's place. Batches of `world_size * batch_size` rows are drawn, and process r
            takes every `world_size`-th row of each group, so all processes see about the same lengths.

    Raises:
        ValueError: too few rows for one batch, an empty group, or a batch size below the number of groups.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        groups: Sequence[int] | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ):
        self.lengths = np.asarray(lengths)
        self.seed, self.rank, self.world_size = seed, rank, world_size
        values = np.zeros(len(self.lengths), dtype=int) if groups is None else np.asarray(groups)
        self.members = [np.flatnonzero(values == value) for value in range(int(values.max(initial=0)) + 1)]
        empty = [value for value, rows in enumerate(self.members) if not len(rows)]
        if empty:
            raise ValueError(f"no training row has attribute value {empty}: every value needs some")
        batch_size = balanced_batch_size(batch_size, len(self.members), rank)
        self.share = batch_size // len(self.members)
        self.epoch, self.start = 0, 0
        largest = max(len(rows) for rows in self.members)
        self.batches_per_epoch = largest // (self.share * world_size)
        if not self.batches_per_epoch:
            kind = "rows" if len(self.members) == 1 else "rows of one label"
            processes = f" on {world_size} processes" if world_size > 1 else ""
            raise ValueError(
                f"per_device_train_batch_size={batch_size}{processes} needs at least {self.share * world_size} "
                f"{kind}, and there are at most {largest}: give at most {largest // world_size * len(self.members)}"
            )

    def set_position(self, epoch: int, start: int = 0) -> None:
        """The next `iter()` begins at batch `start` of `epoch`."""
        self.epoch, self.start = epoch, start

    def __len__(self) -> int:
        return self.batches_per_epoch

    def __iter__(self) -> Iterator[list[int]]:
        source = np.random.default_rng((self.seed, self.epoch))
        share, count = self.share * self.world_size, self.batches_per_epoch
        drawn = [self._draw(rows, share * count, source) for rows in self.members]
        pool = share * POOL_BATCHES
        ordered = []
        for rows in drawn:
            pools = [rows[at : at + pool] for at in range(0, len(rows), pool)]
            ordered.append(np.concatenate([part[np.argsort(self.lengths[part], kind="stable")] for part in pools]))
        # Every group's batch b comes from pool b // POOL_BATCHES at the same rank of length, so a batch's groups
        # are alike in length as well.
        for batch in source.permutation(count)[self.start :]:
            cut = slice(batch * share + self.rank, (batch + 1) * share, self.world_size)
            yield np.concatenate([rows[cut] for rows in ordered]).tolist()

    @staticmethod
    def _draw(rows: np.ndarray, count: int, source: np.random.Generator) -> np.ndarray:
        passes = [source.permutation(rows) for _ in range(-(-count // len(rows)))]
        return np.concatenate(passes)[:count]


def batches_by_length(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, batch_size: int, device: torch.device
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Yields (row numbers, `input_ids`, `attention_mask`), sentences of like length together, padded on the right.

    Longer ones are cut to the tokenizer's limit.
    """
    limit = tokenizer.model_max_length - 2
    order = sorted(range(len(texts)), key=lambda row: len(texts[row].split()))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        read = tokenizer([texts[row] for row in rows], verbose=False)["input_ids"]
        parts = [torch.tensor(cut_ids(ids, limit)) for ids in read]
        masks = [torch.ones_like(part) for part in parts]
        yield (
            rows,
            pad_sequence(parts, batch_first=True, padding_value=tokenizer.pad_token_id).to(device),
            pad_sequence(masks, batch_first=True).to(device),
        )
