"""Text with labels that is larger than memory: the training split is read from its source again and again.

The sources, columns and checks are those of `hf_arae.data.loading`. What is wrong is said when it is read: at the
start, of what stands at the beginning, and otherwise in the middle of a run, which can then be resumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from transformers.utils import logging

from hf_arae.data.files import (
    Columns,
    File,
)
from hf_arae.data.labels import LabelNames, check_label_type, sorted_names
from hf_arae.data.loading import (
    DROP_HINT,
    DataArguments,
    check_arguments,
    usable_label_column,
    warn_of_classes,
    with_schema,
)
from hf_arae.data.sources import DataError, filled_texts, located, require_column
from hf_arae.data.splits import SPLITS, sample_tables, split_names, usual_splits
from hf_arae.data.stream_sources import Shard, open_files, open_named

logger = logging.get_logger(__name__)

HELD_OUT_ROWS = 10_000  # of the validation and of the test split, where max_eval_samples says nothing else


@dataclass
class StreamingArguments:
    """How text is streamed; each field is a flag."""

    streaming: bool = field(
        default=False,
        metadata={
            "help": "Read the training split piece by piece, again in each pass, in place of loading it: for text "
            "larger than memory. Needs --max_steps and a validation split."
        },
    )
    shuffle_buffer: int = field(
        default=10_000, metadata={"help": "Sentences that are read, shuffled and cut into batches together."}
    )
    tokenizer_samples: int = field(
        default=100_000,
        metadata={
            "help": "Sentences of the stream's beginning (of each label as many) that are held in memory: vocabulary, "
            "word statistics and judges come from them."
        },
    )

    def check(self, max_steps: int, batch_size: int) -> None:
        """Raises a ValueError if a stream is wanted and a number is missing or out of range."""
        if self.streaming and max_steps < 1:
            raise ValueError("streaming needs max_steps: the length of a stream is not known.")
        if self.streaming and self.shuffle_buffer < batch_size:
            raise ValueError(f"shuffle_buffer is {self.shuffle_buffer}, smaller than a batch of {batch_size}.")
        if self.streaming and self.tokenizer_samples < 1:
            raise ValueError(f"tokenizer_samples is {self.tokenizer_samples}; it must be at least 1.")


class TextStream:
    """The training split of a text corpus, never held in memory.

    Args:
        shards: the parts of the split, each to be opened at its beginning as often as wanted.
        text_column, label_column: names in the shards' tables; no `label_column`: texts alone.
        identity: names and values that tell this source from others, for a run's checkpoints.
        files: of each shard, for messages; `None` for one that is no file.
        drop_incomplete: leave out rows without a label or with a text of None.

    Attributes:
        label_names: labels in the order of their ids; empty without labels. Those of a `ClassLabel` (after `sample`
            without the ones that have no row), else all that occur, which takes a pass over the whole stream.

    Raises:
        ValueError: a column is missing or holds something else; a label is missing; there is only one label.
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        text_column: str,
        label_column: str | None,
        identity: dict[str, Any],
        files: Sequence[File | None] = (),
        drop_incomplete: bool = False,
    ):
        self.shards, self.text_column, self.label_column = list(shards), text_column, label_column
        self.identity = identity | {"text_column": text_column, "label_column": label_column}
        if drop_incomplete:
            self.identity["drop_incomplete"] = True
        self.drop_incomplete = drop_incomplete
        self.columns: Columns = {text_column: "text"} | ({label_column: "label"} if label_column else {})
        self.files = {self._where(shard): [file] for shard, file in enumerate(files) if file is not None}
        self._said: set[str] = set()
        self.label_names: list[str] = []
        first = next(self.shards[0]())
        with self._located():
            self._check_columns(first)
            if label_column is not None:
                kind = _features(first)[label_column]
                check_label_type(kind, label_column, "train")
                self.label_names = kind.names if isinstance(kind, ClassLabel) else self._read_names()
                self._check_labels()

    def texts(
        self, label: int | None = None, order: Sequence[int] = (), skip: int = 0
    ) -> Iterator[tuple[list[str], np.ndarray]]:
        """One pass: the texts, or those of one label, without blank ones.

        Args:
            label: id of the label; `None`: all.
            order: seed of the order of the shards; empty: as they are.
            skip: rows of the pass that are left out, at the cost of reading past them.

        Yields:
            Some texts, and for each the number of rows of the pass up to it, itself included: the `skip` to go on.

        Raises:
            ValueError: as the class; a text that is no string, a label that is missing or unknown; the row is named.
        """
        numbers = range(len(self.shards))
        read = 0
        for number in np.random.default_rng(order).permutation(numbers) if order else numbers:
            row = 0
            for table in self.shards[number]():
                left_out = max(0, skip - read)
                if left_out < len(table):
                    with self._located():
                        wanted = self._filled(table, number, row)
                        wanted[:left_out] = False
                        if label is not None:
                            wanted &= self._labels(table, number, row, wanted) == label
                    rows = np.flatnonzero(wanted)
                    if len(rows):
                        yield table[self.text_column].take(rows).to_pylist(), read + rows + 1
                read += len(table)
                row += len(table)

    def sample(self, size: int) -> Dataset:
        """At most `size` rows from the beginning, of each label as many: columns `text` and, with labels, `label`.

        A class of which no row is found is left out of `label_names`, with a warning.

        Raises:
            ValueError: as `texts`; fewer than two labels have rows.
        """
        labels = range(len(self.label_names)) if self.label_names else [None]
        share = max(1, size // len(labels))
        found: list[list[str]] = []
        for label in labels:
            found.append([])
            for texts, _ in self.texts(label):
                found[-1] += texts
                if len(found[-1]) >= share:
                    break
        if not self.label_names:
            return Dataset.from_dict({"text": found[0][:share]}, features=Features({"text": Value("string")}))
        warn_of_classes([name for name, texts in zip(self.label_names, found, strict=True) if not texts])
        self.label_names = [name for name, texts in zip(self.label_names, found, strict=True) if texts]
        self._check_labels()
        found = [texts[:share] for texts in found if texts]
        columns = {
            "text": [text for texts in found for text in texts],
            "label": [label for label, texts in enumerate(found) for _ in texts],
        }
        features = {"text": Value("string"), "label": ClassLabel(names=self.label_names)}
        return Dataset.from_dict(columns, features=Features(features))

    # Checks of a table

    def _where(self, shard: int) -> str:
        """The name of the split for messages, which number the rows of a shard."""
        return "train" if len(self.shards) == 1 else f"train (part {shard})"

    def _located(self) -> AbstractContextManager[None]:
        return located(self.files, self.columns, DROP_HINT)

    def _say(self, message: str) -> None:
        """Warns once of what passes may meet again and again."""
        if message not in self._said:
            self._said.add(message)
            logger.warning(message)

    def _check_labels(self) -> None:
        if len(self.label_names) < 2:
            only = "".join(map(repr, self.label_names))
            raise ValueError(f"The training data hold only the label {only}; at least two labels are needed.")

    def _check_columns(self, table: pa.Table, shard: int = 0) -> None:
        require_column(table, self._where(shard), self.text_column, "text_column")
        if self.label_column is not None:
            require_column(table, self._where(shard), self.label_column, "label_column")

    def _filled(self, table: pa.Table, shard: int, row: int) -> np.ndarray:
        """Which texts are more than white space."""
        self._check_columns(table, shard)
        if not len(table):
            return np.zeros(0, bool)
        texts = table[self.text_column]
        where = self._where(shard)
        filled = filled_texts(texts, _features(table), self.text_column, where, row, self.drop_incomplete).to_numpy()
        if not filled.all():
            kinds = "empty, all white space or null" if self.drop_incomplete else "empty or all white space"
            self._say(f"Texts that are {kinds} are left out of the stream.")
        return filled.copy()

    def _labels(self, table: pa.Table, shard: int, row: int, wanted: np.ndarray) -> np.ndarray:
        """The labels' ids where `wanted`, -1 for a row that is left out; elsewhere anything."""
        names, codes = self._names(table, shard, row, wanted)
        ids = np.full(len(names), -1)
        for code in np.unique(codes[wanted]):
            name, at = names[code], row + int(np.flatnonzero(wanted & (codes == code))[0])
            if name is None and not self.drop_incomplete:
                value = table[self.label_column][at - row].as_py()
                raise DataError(
                    f"The {self._where(shard)} split, row {at}: no label in column {self.label_column!r} ({value!r}).",
                    self._where(shard),
                    at,
                    can_be_dropped=True,
                )
            if name is None:
                self._say("Rows without a label are left out of the stream.")
                continue
            if name not in self.label_names:
                raise DataError(
                    f"The {self._where(shard)} split, row {at}: label {name!r} is not one of training's: "
                    f"{', '.join(self.label_names)}.",
                    self._where(shard),
                    at,
                )
            ids[code] = self.label_names.index(name)
        return ids[codes]

    def _names(self, table: pa.Table, shard: int, row: int, wanted: np.ndarray) -> tuple[list[str | None], np.ndarray]:
        """The names of a table's labels, and for each row the place of its own among them."""
        codes, values = _coded(table[self.label_column])
        name_of = LabelNames(_features(table)[self.label_column])
        names: list[str | None] = [None] * len(values)
        for code in np.unique(codes[wanted]):
            try:
                names[code] = name_of(values[code])
            except ValueError as error:
                at = row + int(np.flatnonzero(wanted & (codes == code))[0])
                where = self._where(shard)
                raise DataError(f"The {where} split, row {at}: {error}.", where, at) from error
        return names, codes

    def _read_names(self) -> list[str]:
        logger.warning("Reading the whole stream for the names of its labels; a ClassLabel column would have them.")
        names: set[str | None] = set()
        for number, shard in enumerate(self.shards):
            row = 0
            for table in shard():
                filled = self._filled(table, number, row)
                names.update(self._names(table, number, row, filled)[0])
                row += len(table)
        names.discard(None)
        if not names:
            raise DataError(f"No row of the train split has a label in column {self.label_column!r}.", "train")
        return sorted_names(names)


def _features(table: pa.Table) -> Features:
    return Features.from_arrow_schema(table.schema)


def _coded(column: pa.ChunkedArray) -> tuple[np.ndarray, list]:
    """A column as places in a list of its different values."""
    encoded = pc.dictionary_encode(column, null_encoding="encode").combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.chunks) if encoded.num_chunks else pa.array([], encoded.type)
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()


# ------------------------------------------------------------------------------------------------------- sources


def load_text_stream(
    arguments: DataArguments, sample_size: int, label_required: bool = True
) -> tuple[TextStream, DatasetDict]:
    """As [`~hf_arae.data.loading.load_labelled_text`], without holding the training split.

    Args:
        arguments: the source and its columns; of the held-out splits at most `max_eval_samples` rows (`HELD_OUT_ROWS`
            if `None`), drawn evenly, are held. A dataset on the Hub is read at the commit that it has now.
        sample_size: rows of the training split's beginning, of each label as many, that are held.
        label_required: whether a label must be there. If not, there is none.

    Returns:
        The stream, and a `DatasetDict` with `train` (the sample), `validation` and, where there is one, `test`, in the
        schema of `load_labelled_text`.

    Raises:
        FileNotFoundError: a file is missing, or `dataset_name` is neither a local folder nor a dataset that the Hub
            gave out; says at once if the Hub cannot be reached, or if it may be a private one.
        ValueError: as `load_labelled_text`; no source, no validation split, `max_train_samples`, or a JSON array.
    """
    check_arguments(arguments, label_required)
    if arguments.max_train_samples is not None:
        raise ValueError("max_train_samples goes with data in memory; a stream is read whole.")
    label_column = arguments.label_column if label_required else None
    if arguments.dataset_name is not None:
        shards, files, identity = open_named(arguments, label_required)
    else:
        shards, files, identity = open_files(arguments, label_required)
    names = split_names(arguments)
    shards = usual_splits(shards, names)
    if "validation" not in shards:
        raise ValueError(
            f"The data have no validation split, and from a stream none is taken. Splits found: {', '.join(shards)}. "
            "Give validation_file, or a dataset with a validation split."
        )
    files = {split: files[name] for split, name in names.items() if name in files}
    drop = arguments.drop_incomplete
    stream = TextStream(shards["train"], arguments.text_column, label_column, identity, files.get("train", ()), drop)
    raw = {"train": _raw_sample(stream, sample_size)}
    known: dict[str, Sequence[File]] = {}
    for split in shards.keys() - {"train"}:
        limit = arguments.max_eval_samples or HELD_OUT_ROWS
        raw[split], whole = _held_out(shards[split], split, stream, limit)
        if whole:  # else the rows' numbers are not those of the files
            known[split] = files.get(split, ())
    raw = {split: raw[split] for split in SPLITS if split in raw}
    with located(known, stream.columns, DROP_HINT):
        label_column = usable_label_column(raw, label_column, label_required)
        return stream, DatasetDict(with_schema(raw, arguments.text_column, label_column, drop))


def _raw_sample(stream: TextStream, size: int) -> Dataset:
    """The sample under the source's names of columns, to be brought into the schema beside the held-out splits."""
    names = {"text": stream.text_column, "label": stream.label_column}
    sample = stream.sample(size)
    changed = {name: names[name] for name in sample.column_names if names[name] != name}
    return sample.rename_columns(changed) if changed else sample


def _held_out(shards: list[Shard], split: str, stream: TextStream, limit: int) -> tuple[Dataset, bool]:
    """At most `limit` rows, and whether these are all."""
    read = 0

    def tables() -> Iterator[pa.Table]:
        nonlocal read
        for shard in shards:
            for table in shard():
                read += len(table)
                columns = (stream.text_column, stream.label_column)
                yield table.select([name for name in columns if name in table.column_names])

    sample = sample_tables(tables(), limit)
    return Dataset(sample), read == len(sample)
