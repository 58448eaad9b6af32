"""Where rows come from: datasets on the Hub, local folders and files; and what every loader does with them."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets import Dataset, DatasetDict, Features, Value, load_dataset
from datasets.exceptions import DatasetGenerationError
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from transformers.utils import logging

logger = logging.get_logger(__name__)

SPLITS = ("train", "validation", "test")
VALIDATION_SHARE = 0.05
_SPLIT_OFF = "rows of the training split"  # description of a validation split that the data do not have
EXTENSIONS = ".txt, .csv, .tsv, .json, .jsonl, .parquet"
TEXT_TYPES = ("string", "large_string")
CHUNK_ROWS = 10_000  # rows of a table when a file is read piece by piece
_JSON_SHAPES = "an array of objects or one object a line"


# ------------------------------------------------------------------------------------------------------- reading


def load_named(name: str, config: str | None, revision: str | None = None) -> DatasetDict:
    """All splits of a local folder, or of a dataset on the Hub (at `revision`).

    Raises:
        FileNotFoundError: `name` is neither a folder nor a dataset that the Hub gave out; the cause is attached.
        ValueError: `name` is a file, or a text file of the folder is not UTF-8 (its line is named).
    """
    path = named_path(name)
    if path.is_dir():
        try:
            return load_dataset(str(path), config)
        except DatasetGenerationError:
            # The usual reason in text files is an encoding, which the error does not locate.
            for file in sorted(path.rglob("*")):
                if file.suffix in (".txt", ".csv", ".tsv", ".json", ".jsonl"):
                    _check_utf8(file)
            raise
    try:
        return load_dataset(name, config, revision=revision)
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise FileNotFoundError(
            f"dataset_name {name!r}: found neither a local folder nor a reachable Hub dataset of that name. {error}"
        ) from error


def named_path(name: str) -> Path:
    """Where a local folder of this name would be; a ValueError if that is a file."""
    path = Path(name).expanduser()
    if path.is_file():
        raise ValueError(f"dataset_name {name!r} is a file; give it as train_file.")
    return path


def file_paths(names: str) -> list[Path]:
    """The files that `names` lists, separated by commas.

    Raises:
        FileNotFoundError: One of them is missing.
        ValueError: One of them has an unknown extension.
    """
    paths = [Path(name.strip()).expanduser() for name in names.split(",")]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"No file {str(path)!r}.")
        if path.suffix.lower() not in EXTENSIONS.split(", "):
            raise ValueError(f"{path}: unknown extension {path.suffix!r}; accepted are {EXTENSIONS}.")
    return paths


def read_columns(path: Path, accepted: Mapping[str, tuple[type, ...]]) -> Dataset:
    """The rows of a .csv, .tsv, .json, .jsonl or .parquet file.

    Args:
        path: The file.
        accepted: Of each column that will be used, the types that a value may have in JSON.

    Raises:
        ValueError: The file is not UTF-8 or not well-formed, or a value has a wrong type; its line or row is named.
    """
    if path.suffix.lower() == ".parquet":
        return Dataset.from_parquet(str(path))  # mapped into memory, not read
    return Dataset(pa.concat_tables(iterate_columns(path, accepted), promote_options="default"))


def iterate_columns(path: Path, accepted: Mapping[str, tuple[type, ...]]) -> Iterator[pa.Table]:
    """As `read_columns`, but table by table, of `CHUNK_ROWS` rows at most; one at least, if without rows."""
    if path.suffix.lower() == ".parquet":
        with pq.ParquetFile(path) as file:
            yield file.schema_arrow.empty_table()
            for batch in file.iter_batches(CHUNK_ROWS):
                yield pa.Table.from_batches([batch])
    elif path.suffix.lower() in (".csv", ".tsv"):
        yield from _iterate_table(path)
    else:
        yield from _iterate_json(path, accepted)


@contextmanager
def _open_utf8(path: Path, newline: str = "\n") -> Iterator[TextIO]:
    """The file, to be read as text. What is not UTF-8 becomes a ValueError that names the line."""
    try:
        with path.open(encoding="utf-8-sig", newline=newline) as file:
            yield file
    except UnicodeDecodeError as error:
        line = _first_undecodable(path)
        raise ValueError(f"{path}, line {line}: not valid UTF-8 ({error.reason}). Save the file as UTF-8.") from error


def _first_undecodable(path: Path) -> int:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 0


def _check_utf8(path: Path) -> None:
    with _open_utf8(path) as file:
        for _ in file:
            pass


def iterate_lines(path: Path) -> Iterator[str]:
    """The lines of a text file. Raises a ValueError that names the line if it is not UTF-8."""
    # newline="\n": not str.splitlines, which also breaks at form feeds and the like inside a text.
    with _open_utf8(path) as file:
        for line in file:
            yield line.removesuffix("\n").removesuffix("\r")


def read_lines(path: Path) -> list[str]:
    """As `iterate_lines`, all at once."""
    return list(iterate_lines(path))


def in_chunks(rows: Iterable) -> Iterator[list]:
    """Lists of `CHUNK_ROWS` rows at most; one at least, if an empty one."""
    rows = iter(rows)
    yield list(islice(rows, CHUNK_ROWS))
    while chunk := list(islice(rows, CHUNK_ROWS)):
        yield chunk


def _iterate_table(path: Path) -> Iterator[pa.Table]:
    # Not pandas, which turns the texts "NA", "null" and "12" into something else.
    dialect = {"strict": True} if path.suffix.lower() == ".csv" else {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    with _open_utf8(path, newline="") as file:
        reader = csv.reader(file, **dialect)
        try:
            header = next(filter(None, reader), None)
            if header is None:
                raise ValueError(f"{path}: the file is empty; it must begin with a line of column names.")
            for rows in in_chunks(_full_rows(path, reader, len(header))):
                columns = {name: [row[index] for row in rows] for index, name in enumerate(header)}
                yield pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
        except csv.Error as error:
            raise ValueError(f"{path}, line {reader.line_num}: not well-formed ({error}).") from error


def _full_rows(path: Path, reader: Iterator[list[str]], fields: int) -> Iterator[list[str]]:
    for row in reader:
        if row and len(row) != fields:
            raise ValueError(f"{path}, line {reader.line_num}: {len(row)} fields where the first line has {fields}.")
        if row:
            yield row


def is_json_array(path: Path) -> bool:
    """Whether a JSON file holds one array, which can only be read as a whole, and not an object a line."""
    with _open_utf8(path) as file:
        return next((line.lstrip()[0] for line in file if line.strip()), "") == "["


def _iterate_json(path: Path, accepted: Mapping[str, tuple[type, ...]]) -> Iterator[pa.Table]:
    kinds: dict[str, type] = {}  # of a column's values, by the first that is not None
    first = 0
    for rows in in_chunks(_json_rows(path)):
        columns = {}
        for name in dict.fromkeys(name for row in rows for name in row):
            values = [row.get(name) for row in rows]
            # Other columns may hold anything and are not used; their names are kept for messages.
            columns[name] = pa.nulls(len(values))
            if name in accepted:
                kind = next((type(value) for value in values if value is not None), None)
                kind = kinds.setdefault(name, kind) if kind is not None else kinds.get(name)
                columns[name] = _typed_column(values, kind, accepted[name], f"{path}, column {name!r}", first)
        yield pa.table(columns)
        first += len(rows)


def _json_rows(path: Path) -> Iterator[dict]:
    whole = is_json_array(path)
    with _open_utf8(path) as file:
        parsed = _parsed(path, [file.read()] if whole else file, whole)
        for number, row in enumerate(chain.from_iterable(parsed) if whole else parsed):
            if not isinstance(row, dict):
                raise ValueError(f"{path}, row {number}: {type(row).__name__}; accepted is {_JSON_SHAPES}.")
            yield row


def _parsed(path: Path, parts: Iterable[str], whole: bool) -> Iterator:
    for line, part in enumerate(parts, 1):
        try:
            if part.strip():
                yield json.loads(part)
        except json.JSONDecodeError as error:
            line = error.lineno if whole else line
            raise ValueError(f"{path}, line {line}: not JSON ({error.msg}); accepted is {_JSON_SHAPES}.") from error


def _typed_column(values: list, kind: type | None, accepted: tuple[type, ...], where: str, first_row: int) -> pa.Array:
    """The values, all of one kind, as one Arrow array. None passes: it is reported later, for all sources alike."""
    for row, value in enumerate(values, first_row):
        if value is not None and (type(value) is not kind or kind not in accepted):
            names = " or ".join(f"only {accepted_kind.__name__}" for accepted_kind in accepted)
            raise ValueError(f"{where}, row {row}: found {value!r}; accepted is {names}.")
    return pa.array(values, pa.null() if kind is None else pa.string() if kind is str else pa.int64())


# ------------------------------------------------------------------------------------------------------ checking


def check_sources(dataset_name: str | None, config: str | None, files: Mapping[str, str | None]) -> None:
    """Raise a ValueError if the arguments contradict each other. `files` has the keys `SPLITS`."""
    if dataset_name is not None and files["train"] is not None:
        raise ValueError("Both dataset_name and train_file are given; give one of them.")
    if files["train"] is None and (files["validation"] or files["test"]):
        raise ValueError("validation_file and test_file go with train_file, which is not given.")
    if config is not None and dataset_name is None:
        raise ValueError("dataset_config_name goes with dataset_name, which is not given.")


def check_limits(**limits: int | None) -> None:
    """Raise a ValueError that names the first limit below 1. None is no limit."""
    for name, limit in limits.items():
        if limit is not None and limit < 1:
            raise ValueError(f"{name} is {limit}; it must be at least 1, or None for all.")


def require_column(dataset: Dataset | pa.Table, split: str, column: str, argument: str) -> None:
    """Raise a ValueError that names the split, the argument and the columns there are, unless `column` is one."""
    if column not in dataset.column_names:
        raise ValueError(
            f"The {split} split has no column {column!r} ({argument}). Columns found: "
            f"{', '.join(dataset.column_names) or 'none'}."
        )


def rows_with_text(dataset: Dataset, column: str, split: str) -> list[int]:
    """The numbers of the rows whose text is more than white space.

    Raises:
        ValueError: A text is None or not a string; the first such row is named.
    """
    if not len(dataset):
        return []
    texts = dataset.with_format("arrow")[column][:]
    return pc.indices_nonzero(filled_texts(texts, dataset.features, column, split)).to_pylist()


def filled_texts(
    texts: pa.ChunkedArray, features: Features, column: str, split: str, first_row: int = 0
) -> pa.ChunkedArray:
    """Which texts are more than white space; raises as `rows_with_text` does. `first_row`: number of the first."""
    missing = pc.index(pc.is_null(texts), True).as_py()
    # A column of nothing but None has a type of its own: say None rather than that type.
    if missing >= 0:
        row = first_row + missing
        raise ValueError(f"The {split} split, row {row}: the text in column {column!r} is None, not a string.")
    kind = features[column]
    if not isinstance(kind, Value) or kind.dtype not in TEXT_TYPES:
        raise ValueError(
            f"Column {column!r} of the {split} split holds {kind}; texts must be strings (row {first_row} is not)."
        )
    return pc.not_equal(pc.utf8_trim_whitespace(texts), "")


# -------------------------------------------------------------------------------------------------------- splits


def usual_splits(raw: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """The splits that are used, in order; a warning names the others.

    Raises:
        ValueError: There is no training split.
    """
    if "train" not in raw:
        raise ValueError(f"The data have no training split. Splits found: {', '.join(raw) or 'none'}.")
    others = [name for name in raw if name not in SPLITS]
    if others:
        logger.warning("Left out the splits %s: only %s are used.", ", ".join(others), ", ".join(SPLITS))
    return {name: raw[name] for name in SPLITS if name in raw}


def sample_tables(tables: Iterable[pa.Table], most: int) -> pa.Table:
    """At most `most` rows, drawn evenly from those of all tables, in their order; always the same ones."""
    source, keys, kept = np.random.default_rng(0), np.empty(0), None
    for table in tables:
        keys = np.concatenate([keys, source.random(len(table))])
        kept = table if kept is None else pa.concat_tables([kept, table], promote_options="default")
        if len(keys) > most:
            best = np.sort(np.argpartition(keys, most)[:most])
            kept, keys = kept.take(best), keys[best]
    return pa.table({}) if kept is None else kept


def sample_rows(size: int, count: int) -> list[int]:
    """`count` of the row numbers below `size`, in order; always the same ones."""
    return sorted(random.Random(0).sample(range(size), count))


def split_off_validation(splits: dict[str, Dataset]) -> dict[str, Dataset]:
    """Without a validation split, `VALIDATION_SHARE` of the training rows become one; always the same rows."""
    if "validation" in splits:
        return splits
    train = splits["train"]
    if len(train) < 2:
        raise ValueError("The train split has one row, so that no validation split can be taken from it.")
    held_out = sample_rows(len(train), max(1, round(VALIDATION_SHARE * len(train))))
    kept = sorted(set(range(len(train))) - set(held_out))
    logger.warning("No validation split: took %d of the %d training rows for it.", len(held_out), len(train))
    validation = train.select(held_out)
    validation.info.description = _SPLIT_OFF
    return {**splits, "train": train.select(kept), "validation": validation}


def measured_split(splits: Mapping[str, Dataset]) -> str:
    """Which rows a run's last numbers are of: "test", "validation" or, of the training data, "split off"."""
    if "test" in splits:
        return "test"
    return "split off" if splits["validation"].info.description == _SPLIT_OFF else "validation"


def shorten(splits: Mapping[str, Dataset], max_train: int | None, max_eval: int | None) -> DatasetDict:
    """Random subsets of the splits (always the same ones) of at most these sizes."""
    shortened = DatasetDict()
    for name in SPLITS:
        if name in splits:
            limit, size = (max_train if name == "train" else max_eval), len(splits[name])
            subset = limit is not None and limit < size
            shortened[name] = splits[name].select(sample_rows(size, limit)) if subset else splits[name]
    return shortened
