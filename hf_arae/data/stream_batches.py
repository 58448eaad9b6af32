"""Batches of a stream: a buffer of sentences at a time, each treated as data in memory are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from hf_arae.data.batching import LengthGroupedBatchSampler, balanced_batch_size
from hf_arae.data.streaming import TextStream
from hf_arae.data.text.encoding import token_ids
from hf_arae.data.text.token_arrays import TokenArrays

logger = logging.get_logger(__name__)

_AT_A_TIME = 1000  # texts that are tokenized together: where each gives many rows, few are wanted


class StreamedSentences:
    """A stream with what makes batches of it: to be given to the trainer where [`TokenArrays`] would not fit.

    Args:
        stream: the texts, with labels or without.
        tokenizer: see [`~hf_arae.data.text.tokenization.train_tokenizer`].
        shuffle_buffer: sentences, of all labels together, that are shuffled together and held in memory.
        drop_longer: leave out the sentences that the tokenizer would cut.
    """

    def __init__(
        self,
        stream: TextStream,
        tokenizer: PreTrainedTokenizerBase,
        shuffle_buffer: int = 10_000,
        drop_longer: bool = False,
    ):
        self.stream, self.tokenizer = stream, tokenizer
        self.shuffle_buffer, self.drop_longer = shuffle_buffer, drop_longer

    def batches(self, batch_size: int, seed: int, rank: int, world_size: int) -> StreamBatches:
        """Returns the batches of one process; see [`StreamBatches`]."""
        return StreamBatches(self, batch_size, seed, rank, world_size)

    def rows_of(self, texts: list[str]) -> list[list[list[int]] | None]:
        """The rows that each text gives, tokenized: one, or none where it holds nothing that is seen.

        `None` stands for a text that is left out because it is too long.
        """
        limit, frame = self.tokenizer.model_max_length, self.tokenizer.num_special_tokens_to_add()
        read = token_ids(texts, self.tokenizer, int(self.drop_longer))  # one more token tells which are longer
        return [None if len(ids) > limit else [ids] if len(ids) > frame else [] for ids in read]

    def identity(self) -> dict[str, Any]:
        """Names and values that tell these rows from others, for a run's checkpoints."""
        return self.stream.identity | {
            "drop_longer": self.drop_longer,
            "max_length": self.tokenizer.model_max_length,
        }


class _Reader:
    """The tokenized rows of one label's texts (`None`: of all), pass after pass."""

    def __init__(self, sentences: StreamedSentences, label: int | None, seed: int):
        self.sentences, self.label, self.seed = sentences, label, seed
        self.read = self.longer = 0

    def begin(self, epoch: int, repeat: int, row: int, used: int) -> None:
        """Stands at a row of a pass, whose first text's first `used` rows are past; each pass has its own order."""
        self.repeat, self.row, self.used, self.ended = repeat, row, used, False
        self._chunks = self.sentences.stream.texts(self.label, (self.seed, epoch, repeat), row)
        self._texts: list[str] = []
        self._rows = np.empty(0, int)

    def take(self, count: int) -> list[list[int]]:
        """So many rows, or fewer, and `ended`, where the pass ends before."""
        taken: list[list[int]] = []
        while len(taken) < count and not self.ended:
            if not self._texts:
                self._texts, self._rows = next(self._chunks, ([], self._rows))
                self.ended = not self._texts
                continue
            some = self._texts[: min(count - len(taken), _AT_A_TIME)]
            past = 0
            for found in self.sentences.rows_of(some):
                rows = (found or [])[self.used :]
                wanted = rows[: count - len(taken)]
                taken += wanted
                if len(wanted) < len(rows):  # the text goes on in the next buffer
                    self.used += len(wanted)
                    break
                self.used, self.row, past = 0, int(self._rows[past]), past + 1
                self.longer += found is None
            self.read += past
            self._texts, self._rows = self._texts[past:], self._rows[past:]
        return taken


class StreamBatches:
    """Endless batches of a stream, with each process's share, the same for the same seed.

    `shuffle_buffer` sentences are read at a time and treated as an epoch in memory is (see
    [`LengthGroupedBatchSampler`]): shuffled, sorted by length in pools, cut into batches, whose order is shuffled,
    each with the same number of rows of each label. Each label has a reader and an equal part of the buffer, so that
    it does not matter in which order the labels stand in the stream: the stream is read once for each label. An epoch
    is a pass over the largest label; the others are read again until it ends, and the last, incomplete batch is left
    out.

    All processes read the same rows and take every `world_size`-th: they make the same number of updates by
    themselves, and train as one with `world_size` times the batch.

    A position is the batch in the buffer and the row of the stream at which each label's part of the buffer begins
    (and how much of that row's text is past). To go on there, rows up to it are read and neither tokenized nor, but
    for those of the buffer itself, even looked at.

    Args:
        sentences: stream, tokenizer and buffer.
        batch_size, seed, rank, world_size: see [`LengthGroupedBatchSampler`].

    Raises:
        ValueError: a batch size below the number of labels, or a buffer smaller than a batch.
    """

    def __init__(
        self,
        sentences: StreamedSentences,
        batch_size: int,
        seed: int,
        rank: int,
        world_size: int,
    ):
        names = sentences.stream.label_names
        batch_size = balanced_batch_size(batch_size, max(1, len(names)), rank)
        if sentences.shuffle_buffer < batch_size * world_size:
            raise ValueError(
                f"shuffle_buffer is {sentences.shuffle_buffer}, smaller than a batch of {batch_size} on {world_size} "
                "process(es)"
            )
        self.sentences, self.names = sentences, names
        self.place = {"batch_size": batch_size, "seed": seed, "rank": rank, "world_size": world_size}
        self.readers = [_Reader(sentences, label, seed) for label in range(len(names))] or [
            _Reader(sentences, None, seed)
        ]
        self.share = batch_size // len(self.readers) * world_size  # of a label, in a batch of all processes
        self.buffer = sentences.shuffle_buffer // (batch_size * world_size) * self.share  # of a label
        self.epoch = self.pool = self.start = 0
        self.begins = [[0, 0, 0] for _ in self.readers]  # repeat, row, and rows of its text that are past
        self._said_longer = False

    def updates(self, epochs: float) -> int:
        raise ValueError("a stream's length is not known: give max_steps")

    def set_position(self, step: int, saved: dict[str, Any] | None) -> None:
        if saved is None:
            raise ValueError("the checkpoint is of a run whose data were in memory; it cannot go on with a stream")
        self.epoch, self.pool, self.start = saved["epoch"], saved["pool"], saved["start"]
        self.begins = [list(begin) for begin in saved["begins"]]

    def position(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "pool": self.pool, "start": self.start, "begins": self.begins}

    def fingerprint(self) -> dict[str, Any]:
        values = self.sentences.identity() | {
            "streamed": True,
            "labels": self.names,
            "shuffle_buffer": self.sentences.shuffle_buffer,
        }
        return {f"data.{name}": value for name, value in values.items()}

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        self._begin_readers()
        while True:
            pool = self._fill()
            if pool is None:
                self.epoch, self.pool, self.start = self.epoch + 1, 0, 0
                self.begins = [[0, 0, 0] for _ in self.readers]
                self._begin_readers()
                continue
            sampler = LengthGroupedBatchSampler(pool.lengths, groups=pool.attributes, **self.place)
            sampler.set_position((self.epoch << 32) + self.pool, self.start)
            for rows in sampler:
                self.start += 1
                yield pool.__getitems__(rows)
            self.pool, self.start = self.pool + 1, 0
            self.begins = [[reader.repeat, reader.row, reader.used] for reader in self.readers]

    def _begin_readers(self) -> None:
        for reader, begin in zip(self.readers, self.begins, strict=True):
            reader.begin(self.epoch, *begin)

    def _fill(self) -> TokenArrays | None:
        """The next buffer's sentences, of each label as many; `None` at the end of the epoch."""
        pools = [[] if reader.repeat else reader.take(self.buffer) for reader in self.readers]
        largest = max(map(len, pools))
        count = largest // self.share * self.share
        if self.pool == 0:
            self._check(pools, largest)
        if not count:
            return None
        for reader, pool in zip(self.readers, pools, strict=True):
            while len(pool) < count:
                if reader.ended:
                    reader.begin(self.epoch, reader.repeat + 1, 0, 0)
                pool += reader.take(count - len(pool))
            del pool[count:]
        columns = {"input_ids": [sentence for pool in pools for sentence in pool]}
        if self.names:
            columns["attribute"] = np.repeat(np.arange(len(pools)), count)
        return TokenArrays(Dataset.from_dict(columns), self.sentences.tokenizer.pad_token_id)

    def _check(self, pools: list[list], largest: int) -> None:
        """What can only be seen when the first buffer of an epoch is read."""
        empty = [self.names[label] if self.names else "" for label, pool in enumerate(pools) if not pool]
        if empty and self.names:
            raise ValueError(f"no training row has the label {', '.join(empty)}: every label needs some")
        if largest < self.share:
            raise ValueError(
                f"a batch needs {self.share} rows{' of a label' if self.names else ''} for all processes; the stream "
                f"has {largest}"
            )
        read, longer = (sum(getattr(reader, name) for reader in self.readers) for name in ("read", "longer"))
        if longer and not self._said_longer:
            self._said_longer = True
            limit = self.sentences.tokenizer.model_max_length - 2
            logger.warning("Leaving out sentences of over %d words: %d of the first %d.", limit, longer, read)
