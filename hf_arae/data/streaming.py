"""Text with labels that is larger than memory: the training split is read from its source again and again.

The sources, columns and checks are those of `hf_arae.data.loading`. What is wrong is said when it is read: at the
start, of what stands at the beginning, and otherwise in the middle of a run, which can then be resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset, DatasetDict, Features, IterableDataset, Value, load_dataset_builder
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from transformers.utils import logging

from hf_arae.data.loading import (
    DataArguments,
    accepted_types,
    check_arguments,
    check_label_type,
    files_of_splits,
    iterate_text_file,
    labelled_paths,
    missing_labels,
    sorted_names,
    usable_label_column,
    with_schema,
)
from hf_arae.data.sources import (
    CHUNK_ROWS,
    SPLITS,
    filled_texts,
    is_json_array,
    iterate_columns,
    named_path,
    require_column,
    sample_tables,
    usual_splits,
)

logger = logging.get_logger(__name__)

HELD_OUT_ROWS = 10_000  # of the validation and of the test split, where max_eval_samples says nothing else

Shard = Callable[[], Iterator[pa.Table]]  # opens a part of a split at its beginning


@dataclass
class StreamingArguments:
    """How text is streamed; for `transformers.HfArgumentParser`."""

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
        """Raise a ValueError if a stream is wanted and a number is missing or out of range."""
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

    Attributes:
        label_names: labels in the order of their ids; empty without labels. Those of a `ClassLabel`, else all that
            occur, which takes a pass over the whole stream.

    Raises:
        ValueError: a column is missing or holds something else; a label is missing; there is only one label.
    """

    def __init__(self, shards: Sequence[Shard], text_column: str, label_column: str | None, identity: dict[str, Any]):
        self.shards, self.text_column, self.label_column = list(shards), text_column, label_column
        self.identity = identity | {"text_column": text_column, "label_column": label_column}
        self._said_blank = False
        self._kind: Any = None
        self.label_names: list[str] = []
        first = next(self.shards[0]())
        self._check_columns(first)
        if label_column is not None:
            kind = _features(first)[label_column]
            check_label_type(kind, label_column, "train")
            self._kind = kind if isinstance(kind, ClassLabel) else None
            self.label_names = kind.names if self._kind is not None else self._read_names()
            if len(self.label_names) < 2:
                only = "".join(map(repr, self.label_names))
                raise ValueError(f"The training data hold only the label {only}; at least two labels are needed.")

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
        """At most `size` rows from the beginning, of each label as many: columns `text` and, with labels, `label`."""
        columns: dict[str, list] = {"text": []}
        features = {"text": Value("string")}
        if self.label_names:
            columns["label"], features["label"] = [], ClassLabel(names=self.label_names)
        labels = range(len(self.label_names)) if self.label_names else [None]
        share = max(1, size // len(labels))
        for label in labels:
            found: list[str] = []
            for texts, _ in self.texts(label):
                found += texts
                if len(found) >= share:
                    break
            columns["text"] += found[:share]
            if label is not None:
                columns["label"] += [label] * len(found[:share])
        return Dataset.from_dict(columns, features=Features(features))

    # Checks of a table

    def _where(self, shard: int) -> str:
        """The name of the split for messages, which number the rows of a shard."""
        return "train" if len(self.shards) == 1 else f"train (part {shard})"

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
        filled = filled_texts(texts, _features(table), self.text_column, self._where(shard), row).to_numpy()
        if not filled.all() and not self._said_blank:
            self._said_blank = True
            logger.warning("Texts that are empty or all white space are left out of the stream.")
        return filled.copy()

    def _labels(self, table: pa.Table, shard: int, row: int, wanted: np.ndarray) -> np.ndarray:
        """The labels' ids where `wanted`; elsewhere anything."""
        codes, values = _coded(table[self.label_column])
        missing = missing_labels(self._kind)
        used = np.unique(codes[wanted])
        for code in used:
            value = values[code]
            at = row + int(np.flatnonzero(wanted & (codes == code))[0])
            if value in missing:
                raise ValueError(
                    f"The {self._where(shard)} split, row {at}: no label in column {self.label_column!r} ({value!r})."
                )
            known = range(len(self.label_names)) if self._kind is not None else self.label_names
            if (value if self._kind is not None else str(value)) not in known:
                raise ValueError(
                    f"The {self._where(shard)} split, row {at}: label {str(value)!r} is not one of training's: "
                    f"{', '.join(self.label_names)}."
                )
        ids = np.full(len(values), -1)
        for code in used:
            ids[code] = values[code] if self._kind is not None else self.label_names.index(str(values[code]))
        return ids[codes]

    def _read_names(self) -> list[str]:
        logger.warning("Reading the whole stream for the names of its labels; a ClassLabel column would have them.")
        names: set[str] = set()
        for number, shard in enumerate(self.shards):
            row = 0
            for table in shard():
                filled = self._filled(table, number, row)
                codes, values = _coded(table[self.label_column])
                names |= {str(values[code]) for code in np.unique(codes[filled])} - {"None", ""}
                row += len(table)
        if not names:
            raise ValueError(f"No row of the train split has a label in column {self.label_column!r}.")
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
        shards, identity = _open_named(arguments)
    else:
        shards, identity = _open_files(arguments, label_required)
    shards = usual_splits(shards)
    if "validation" not in shards:
        raise ValueError(
            f"The data have no validation split, and from a stream none is taken. Splits found: {', '.join(shards)}."
        )
    stream = TextStream(shards["train"], arguments.text_column, label_column, identity)
    raw = {"train": _raw_sample(stream, sample_size)}
    for split in shards.keys() - {"train"}:
        raw[split] = _held_out(shards[split], split, stream, arguments.max_eval_samples or HELD_OUT_ROWS)
    raw = {split: raw[split] for split in SPLITS if split in raw}
    label_column = usable_label_column(raw, label_column, label_required)
    return stream, DatasetDict(with_schema(raw, arguments.text_column, label_column))


def _raw_sample(stream: TextStream, size: int) -> Dataset:
    """The sample under the source's names of columns, to be brought into the schema beside the held-out splits."""
    names = {"text": stream.text_column, "label": stream.label_column}
    sample = stream.sample(size)
    changed = {name: names[name] for name in sample.column_names if names[name] != name}
    return sample.rename_columns(changed) if changed else sample


def _held_out(shards: list[Shard], split: str, stream: TextStream, most: int) -> Dataset:
    def tables() -> Iterator[pa.Table]:
        for shard in shards:
            for table in shard():
                columns = (stream.text_column, stream.label_column)
                yield table.select([name for name in columns if name in table.column_names])

    return Dataset(sample_tables(tables(), most))


def _open_files(arguments: DataArguments, label_required: bool) -> tuple[dict[str, list[Shard]], dict[str, Any]]:
    if arguments.train_file is None:
        raise ValueError("streaming needs dataset_name or train_file; the built-in corpus is made in memory.")
    shards: dict[str, list[Shard]] = {}
    for split, names in files_of_splits(arguments).items():
        if names is None:
            continue
        paths = labelled_paths(names, label_required)
        for path in paths:
            if path.suffix.lower() == ".json" and split == "train" and is_json_array(path):
                raise ValueError(f"{path}: an array is read as a whole; to stream it, write one object a line.")
        if paths[0].suffix.lower() == ".txt":
            shards[split] = [partial(iterate_text_file, path, paths, arguments) for path in paths]
        else:
            shards[split] = [partial(iterate_columns, paths[0], accepted_types(arguments))]
        if split == "train":
            identity = {"files": [[path.name, path.stat().st_size] for path in paths]}
    return shards, identity


def _open_named(arguments: DataArguments) -> tuple[dict[str, list[Shard]], dict[str, Any]]:
    name, config = arguments.dataset_name, arguments.dataset_config_name
    path = named_path(name)
    if path.is_dir():
        builder = load_dataset_builder(str(path), config)
        files = [str(file) for file in (builder.config.data_files or {}).get("train", [])]
        sizes = [[Path(file).name, Path(file).stat().st_size] for file in files]
        identity: dict[str, Any] = {"files": sizes}
    else:
        commit = _commit(name, arguments.dataset_revision)
        builder = load_dataset_builder(name, config, revision=commit)
        identity = {"dataset": name, "configuration": builder.config.name, "commit": commit}
    return {split: _shards_of(dataset) for split, dataset in builder.as_streaming_dataset().items()}, identity


def _commit(name: str, revision: str | None) -> str:
    """The commit of a dataset on the Hub, asked once and without the retries that take half a minute."""
    try:
        return HfApi().dataset_info(name, revision=revision, timeout=10).sha
    except RevisionNotFoundError as error:
        raise FileNotFoundError(f"dataset_name {name!r} has no revision {revision!r} on the Hub.") from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"dataset_name {name!r}: neither a local folder nor a dataset on the Hub. If it is private: hf auth "
            "login, or HF_TOKEN with a token that may read it."
        ) from error
    except Exception as error:  # of the network: their classes are those of the client's HTTP library
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise FileNotFoundError(
            f"dataset_name {name!r}: not a local folder, and the Hub cannot be asked for it: {reason}"
        ) from error


def _shards_of(dataset: IterableDataset) -> list[Shard]:
    count = dataset.num_shards
    return [partial(_iterate_shard, dataset, count, number) for number in range(count)]


def _iterate_shard(dataset: IterableDataset, count: int, number: int) -> Iterator[pa.Table]:
    """Tables of a shard, with the dataset's features in their schema."""
    schema = None if dataset.features is None else dataset.features.arrow_schema
    empty = True
    for table in dataset.shard(count, number).with_format("arrow").iter(CHUNK_ROWS):
        yield table if schema is None else table.select(schema.names).cast(schema)
        empty = False
    if empty:
        yield pa.table({}) if schema is None else schema.empty_table()
