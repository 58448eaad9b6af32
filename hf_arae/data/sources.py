"""Where rows come from: datasets on the Hub, local folders and files; and what every loader does with them."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, DatasetDict, Features, Value, load_dataset
from datasets.exceptions import DatasetGenerationError
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from transformers.utils import logging

logger = logging.get_logger(__name__)

SPLITS = ("train", "validation", "test")
VALIDATION_SHARE = 0.05
EXTENSIONS = ".txt, .csv, .tsv, .json, .jsonl, .parquet"
TEXT_TYPES = ("string", "large_string")
_JSON_SHAPES = "an array of objects or one object a line"


# ------------------------------------------------------------------------------------------------------- reading


def load_named(name: str, config: str | None) -> DatasetDict:
    """All splits of a local folder, or of a dataset on the Hub.

    Raises:
        FileNotFoundError: `name` is neither a folder nor a dataset that the Hub gave out; the cause is attached.
        ValueError: `name` is a file, or a text file of the folder is not UTF-8 (its line is named).
    """
    path = Path(name).expanduser()
    if path.is_file():
        raise ValueError(f"dataset_name {name!r} is a file; give it as train_file.")
    if path.is_dir():
        try:
            return load_dataset(str(path), config)
        except DatasetGenerationError:
            # The usual reason in text files is an encoding, which the error does not locate.
            for file in sorted(path.rglob("*")):
                if file.suffix in (".txt", ".csv", ".tsv", ".json", ".jsonl"):
                    _read_utf8(file)
            raise
    try:
        return load_dataset(name, config)
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise FileNotFoundError(
            f"dataset_name {name!r}: found neither a local folder nor a reachable Hub dataset of that name. {error}"
        ) from error


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
        return Dataset.from_parquet(str(path))
    if path.suffix.lower() in (".csv", ".tsv"):
        return _read_table(path)
    return _read_json(path, accepted)


def _read_utf8(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {line}: not valid UTF-8 ({error.reason}). Save the file as UTF-8.") from error


def read_lines(path: Path) -> list[str]:
    """The lines of a text file. Raises a ValueError that names the line if it is not UTF-8."""
    # Not str.splitlines, which also breaks at form feeds and the like inside a text.
    lines = [line.removesuffix("\r") for line in _read_utf8(path).split("\n")]
    return lines[:-1] if lines[-1] == "" else lines


def _read_table(path: Path) -> Dataset:
    # Not pandas, which turns the texts "NA", "null" and "12" into something else.
    dialect = {"strict": True} if path.suffix.lower() == ".csv" else {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    reader = csv.reader(io.StringIO(_read_utf8(path), newline=""), **dialect)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if rows and row and len(row) != len(rows[0]):
                raise ValueError(
                    f"{path}, line {reader.line_num}: {len(row)} fields where the first line has {len(rows[0])}."
                )
            if row:
                rows.append(row)
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: not well-formed ({error}).") from error
    if not rows:
        raise ValueError(f"{path}: the file is empty; it must begin with a line of column names.")
    header, *rows = rows
    columns = {name: [row[index] for row in rows] for index, name in enumerate(header)}
    return Dataset.from_dict(columns, features=Features({name: Value("string") for name in columns}))


def _read_json(path: Path, accepted: Mapping[str, tuple[type, ...]]) -> Dataset:
    text = _read_utf8(path)
    whole = text.lstrip().startswith("[")
    parts = [text] if whole else text.split("\n")
    parsed: list = []
    for line, part in enumerate(parts, 1):
        try:
            if part.strip():
                parsed.append(json.loads(part))
        except json.JSONDecodeError as error:
            line = error.lineno if whole else line
            raise ValueError(f"{path}, line {line}: not JSON ({error.msg}); accepted is {_JSON_SHAPES}.") from error
    rows = parsed[0] if whole else parsed
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ValueError(f"{path}, row {number}: {type(row).__name__}; accepted is {_JSON_SHAPES}.")
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        # Other columns may hold anything and are not used; their names are kept for messages.
        columns[name] = pa.nulls(len(values))
        if name in accepted:
            columns[name] = _typed_column(values, accepted[name], f"{path}, column {name!r}")
    return Dataset(pa.table(columns))


def _typed_column(values: list, accepted: tuple[type, ...], where: str) -> pa.Array:
    """The values as one Arrow array. None passes: it is reported later, for all sources alike."""
    first = next((type(value) for value in values if value is not None), str)
    for row, value in enumerate(values):
        if value is not None and (type(value) is not first or first not in accepted):
            names = " or ".join(f"only {kind.__name__}" for kind in accepted)
            raise ValueError(f"{where}, row {row}: found {value!r}; accepted is {names}.")
    return pa.array(values, pa.string() if first is str else pa.int64())


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


def require_column(dataset: Dataset, split: str, column: str, argument: str) -> None:
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
    missing = pc.index(pc.is_null(texts), True).as_py()
    # A column of nothing but None has a type of its own: say None rather than that type.
    if missing >= 0:
        raise ValueError(f"The {split} split, row {missing}: the text in column {column!r} is None, not a string.")
    kind = dataset.features[column]
    if not isinstance(kind, Value) or kind.dtype not in TEXT_TYPES:
        raise ValueError(f"Column {column!r} of the {split} split holds {kind}; texts must be strings (row 0 is not).")
    filled = pc.not_equal(pc.utf8_trim_whitespace(texts), "")
    return pc.indices_nonzero(filled).to_pylist()


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
    return {**splits, "train": train.select(kept), "validation": train.select(held_out)}


def shorten(splits: Mapping[str, Dataset], max_train: int | None, max_eval: int | None) -> DatasetDict:
    """Random subsets of the splits (always the same ones) of at most these sizes."""
    shortened = DatasetDict()
    for name in SPLITS:
        if name in splits:
            limit, size = (max_train if name == "train" else max_eval), len(splits[name])
            subset = limit is not None and limit < size
            shortened[name] = splits[name].select(sample_rows(size, limit)) if subset else splits[name]
    return shortened
