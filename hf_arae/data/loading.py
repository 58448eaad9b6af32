"""Text with labels, from the Hub, a local folder, files or the built-in corpus, with one fixed schema."""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value, load_dataset
from datasets.exceptions import DatasetGenerationError
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from transformers.utils import logging

from hf_arae.data.reviews import build_reviews

logger = logging.get_logger(__name__)

SPLITS = ("train", "validation", "test")
VALIDATION_SHARE = 0.05
_EXTENSIONS = ".txt, .csv, .tsv, .json, .jsonl, .parquet"
_TEXT_TYPES = ("string", "large_string")
_LABEL_TYPES = (*_TEXT_TYPES, "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "null")
_JSON_SHAPES = "an array of objects or one object a line"


@dataclass
class DataArguments:
    """Where the texts come from; for `transformers.HfArgumentParser`. With no source given: the built-in corpus."""

    dataset_name: str | None = field(
        default=None, metadata={"help": "A dataset on the Hub (owner/name) or a local folder in the Hub's layout."}
    )
    dataset_config_name: str | None = field(
        default=None, metadata={"help": "The configuration of `dataset_name`, where it has several."}
    )
    train_file: str | None = field(
        default=None,
        metadata={
            "help": f"Training data: a file of type {_EXTENSIONS}. A .txt file holds one text a line; labelled text "
            "is given as one .txt file a label, separated by commas (negative.txt,positive.txt), the file's name "
            "without .txt being the label. A .json file holds an array of objects or an object a line; .csv is quoted "
            "in the usual way, .tsv not at all; both begin with a line of column names."
        },
    )
    validation_file: str | None = field(
        default=None,
        metadata={"help": "Validation data, like train_file. Without it, 5 % of the training data is split off."},
    )
    test_file: str | None = field(default=None, metadata={"help": "Test data, like train_file."})
    text_column: str = field(default="text", metadata={"help": "The column that holds the text."})
    label_column: str | None = field(
        default="label", metadata={"help": "The column that holds the label: class labels, integers or strings."}
    )
    max_train_samples: int | None = field(
        default=None, metadata={"help": "Train on a random subset of this size (always the same one)."}
    )
    max_eval_samples: int | None = field(
        default=None, metadata={"help": "Shorten the validation and the test split to random subsets of this size."}
    )


def load_labelled_text(arguments: DataArguments, label_required: bool = True) -> DatasetDict:
    """Load the data that `arguments` names.

    Texts that are empty or all white space are dropped, with one warning. Where there is no validation split, 5 % of
    the training split (a random choice, always the same) becomes one. Splits of other names are left out. Labels of
    class `ClassLabel` keep their names, integers are named by their digits and strings by themselves, in sorted
    order; the training split settles the mapping for all splits. A held-out split in which no row has a label (as in
    GLUE's test sets) is left out, with a warning, when labels are required.

    Args:
        arguments: The source, its columns and the size of subsets.
        label_required: Whether a label must be there. If not, it is kept where every split has it.

    Returns:
        A `DatasetDict` with the splits `train` and `validation`, and `test` where there is one; columns `text`
        (`Value("string")`) and, except without labels, `label` (`ClassLabel`).

    Raises:
        FileNotFoundError: A file is missing, or `dataset_name` is neither a local folder nor a dataset that the Hub
            gave out (unknown, gated, or the Hub could not be reached; the cause is attached).
        ValueError: Contradictory arguments; an unknown extension; a file that is not valid UTF-8 or not well-formed
            (the line is named); a missing column; a text that is not a string or a label that is missing (the row is
            named, counting from 0); a label that training data do not have; a single label in the training data; no
            training split; an empty split.
    """
    _check_arguments(arguments, label_required)
    raw = _load_raw(arguments, label_required)
    if "train" not in raw:
        raise ValueError(f"The data have no training split. Splits found: {', '.join(raw) or 'none'}.")
    others = [name for name in raw if name not in SPLITS]
    if others:
        logger.warning("Left out the splits %s: only %s are used.", ", ".join(others), ", ".join(SPLITS))
    splits = {name: raw[name] for name in SPLITS if name in raw}

    label_column = _usable_label_column(splits, arguments.label_column, label_required)
    splits = _with_schema(splits, arguments.text_column, label_column)
    if "validation" not in splits:
        splits = _split_off_validation(splits)
    for name, dataset in splits.items():
        limit = arguments.max_train_samples if name == "train" else arguments.max_eval_samples
        if limit is not None and limit < len(dataset):
            splits[name] = dataset.select(_sample(len(dataset), limit))
    if label_required:
        present = sorted(set(splits["train"]["label"][:]))
        if len(present) < 2:
            name = splits["train"].features["label"].int2str(present[0])
            raise ValueError(f"The training data hold only the label {name!r}; at least two labels are needed.")
    return DatasetDict({name: splits[name] for name in SPLITS if name in splits})


def _check_arguments(arguments: DataArguments, label_required: bool) -> None:
    if arguments.dataset_name is not None and arguments.train_file is not None:
        raise ValueError("Both dataset_name and train_file are given; give one of them.")
    if arguments.train_file is None and (arguments.validation_file or arguments.test_file):
        raise ValueError("validation_file and test_file go with train_file, which is not given.")
    if arguments.dataset_config_name is not None and arguments.dataset_name is None:
        raise ValueError("dataset_config_name goes with dataset_name, which is not given.")
    if arguments.text_column == arguments.label_column:
        raise ValueError(f"text_column and label_column are the same: {arguments.text_column!r}.")
    if label_required and arguments.label_column is None:
        raise ValueError("Labels are required here, but label_column is None; name the column of labels.")
    for name in ("max_train_samples", "max_eval_samples"):
        limit = getattr(arguments, name)
        if limit is not None and limit < 1:
            raise ValueError(f"{name} is {limit}; it must be at least 1, or None for all.")


# ------------------------------------------------------------------------------------------------------- sources


def _load_raw(arguments: DataArguments, label_required: bool) -> dict[str, Dataset]:
    if arguments.dataset_name is not None:
        return _load_named(arguments.dataset_name, arguments.dataset_config_name)
    if arguments.train_file is None:
        return build_reviews()
    named = zip(SPLITS, (arguments.train_file, arguments.validation_file, arguments.test_file), strict=True)
    return {split: _read_files(names, arguments, label_required) for split, names in named if names is not None}


def _load_named(name: str, config: str | None) -> DatasetDict:
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


def _read_files(names: str, arguments: DataArguments, label_required: bool) -> Dataset:
    paths = [Path(name.strip()).expanduser() for name in names.split(",")]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"No file {str(path)!r}.")
        if path.suffix.lower() not in _EXTENSIONS.split(", "):
            raise ValueError(f"{path}: unknown extension {path.suffix!r}; accepted are {_EXTENSIONS}.")
    if all(path.suffix.lower() == ".txt" for path in paths):
        return _read_text_files(paths, arguments, label_required)
    if len(paths) > 1:
        raise ValueError(f"Only .txt files, one a label, may be listed with commas; got {names!r}.")
    path = paths[0]
    if path.suffix.lower() == ".parquet":
        return Dataset.from_parquet(str(path))
    if path.suffix.lower() in (".csv", ".tsv"):
        return _read_table(path)
    return _read_json(path, arguments)


def _read_utf8(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {line}: not valid UTF-8 ({error.reason}). Save the file as UTF-8.") from error


def _lines(path: Path) -> list[str]:
    # Not str.splitlines, which also breaks at form feeds and the like inside a text.
    lines = [line.removesuffix("\r") for line in _read_utf8(path).split("\n")]
    return lines[:-1] if lines[-1] == "" else lines


def _read_text_files(paths: list[Path], arguments: DataArguments, label_required: bool) -> Dataset:
    if len(paths) == 1 and label_required:
        raise ValueError(
            f"{paths[0]}: a single .txt file has no labels. Give one file a label, separated by commas, as in "
            "negative.txt,positive.txt; or a file with a column of labels."
        )
    texts: list[str] = []
    labels: list[str] = []
    for path in paths:
        lines = _lines(path)
        texts += lines
        labels += [path.stem] * len(lines)
    columns = {arguments.text_column: texts}
    if len(paths) > 1 and arguments.label_column is not None:
        columns[arguments.label_column] = labels
    return Dataset.from_dict(columns, features=Features({name: Value("string") for name in columns}))


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


def _read_json(path: Path, arguments: DataArguments) -> Dataset:
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
        if name in (arguments.text_column, arguments.label_column):
            accepted = (str,) if name == arguments.text_column else (str, int)
            columns[name] = _typed_column(values, accepted, f"{path}, column {name!r}")
    return Dataset(pa.table(columns))


def _typed_column(values: list, accepted: tuple[type, ...], where: str) -> pa.Array:
    """The values as one Arrow array. None passes: it is reported later, for all sources alike."""
    first = next((type(value) for value in values if value is not None), str)
    for row, value in enumerate(values):
        if value is not None and (type(value) is not first or first not in accepted):
            names = " or ".join(f"only {kind.__name__}" for kind in accepted)
            raise ValueError(f"{where}, row {row}: found {value!r}; accepted is {names}.")
    return pa.array(values, pa.string() if first is str else pa.int64())


# -------------------------------------------------------------------------------------------------------- schema


def _require_column(dataset: Dataset, split: str, column: str, argument: str) -> None:
    if column not in dataset.column_names:
        raise ValueError(
            f"The {split} split has no column {column!r} ({argument}). Columns found: "
            f"{', '.join(dataset.column_names) or 'none'}."
        )


def _usable_label_column(splits: dict[str, Dataset], column: str | None, label_required: bool) -> str | None:
    """The label column if labels are to be kept. Removes held-out splits without any label from `splits`."""
    if column is None:
        return None
    for split, dataset in list(splits.items()):
        if column not in dataset.column_names and not label_required:
            return None
        _require_column(dataset, split, column, "label_column")
        kind = dataset.features[column]
        if not isinstance(kind, ClassLabel) and getattr(kind, "dtype", "") not in _LABEL_TYPES:
            raise ValueError(
                f"Column {column!r} of the {split} split holds {kind}; labels must be ClassLabel, integers or strings."
            )
        labels = set(dataset.unique(column))
        if not labels or labels - _missing_labels(dataset, column):
            continue
        if not label_required:
            return None
        if split == "train":
            raise ValueError(f"No row of the train split has a label in column {column!r}.")
        logger.warning("Left out the %s split: none of its rows has a label.", split)
        del splits[split]
    return column


def _missing_labels(dataset: Dataset, column: str) -> set:
    """The values that stand for no label."""
    return {None, -1} if isinstance(dataset.features[column], ClassLabel) else {None, ""}


def _rows_with_text(dataset: Dataset, column: str, split: str) -> list[int]:
    _require_column(dataset, split, column, "text_column")
    if not len(dataset):
        return []
    texts = dataset.with_format("arrow")[column][:]
    missing = pc.index(pc.is_null(texts), True).as_py()
    # A column of nothing but None has a type of its own: say None rather than that type.
    if missing >= 0:
        raise ValueError(f"The {split} split, row {missing}: the text in column {column!r} is None, not a string.")
    kind = dataset.features[column]
    if not isinstance(kind, Value) or kind.dtype not in _TEXT_TYPES:
        raise ValueError(f"Column {column!r} of the {split} split holds {kind}; texts must be strings (row 0 is not).")
    filled = pc.not_equal(pc.utf8_trim_whitespace(texts), "")
    return pc.indices_nonzero(filled).to_pylist()


def _label_names(dataset: Dataset, column: str, split: str, rows: list[int]) -> list[str]:
    """The name of the label of each of `rows`."""
    kind = dataset.features[column]
    values = dataset[column][:]
    missing = _missing_labels(dataset, column)
    for row in rows:
        if values[row] in missing:
            raise ValueError(f"The {split} split, row {row}: no label in column {column!r} ({values[row]!r}).")
    return [kind.names[values[row]] if isinstance(kind, ClassLabel) else str(values[row]) for row in rows]


def _sorted_names(names: set[str]) -> list[str]:
    try:
        return sorted(names, key=lambda name: (int(name), name))
    except ValueError:
        return sorted(names)


def _with_schema(splits: dict[str, Dataset], text_column: str, label_column: str | None) -> dict[str, Dataset]:
    """Columns `text` and, given its column, `label`, without blank texts."""
    finished = {}
    dropped = 0
    classes: list[str] = []
    for split, dataset in splits.items():
        rows = _rows_with_text(dataset, text_column, split)
        if not rows:
            raise ValueError(f"The {split} split is empty: it holds no text that is more than white space.")
        dropped += len(dataset) - len(rows)
        texts = dataset.select_columns([text_column])
        if len(rows) < len(dataset):
            texts = texts.select(rows)
        if text_column != "text":
            texts = texts.rename_column(text_column, "text")
        texts = texts.cast(Features({"text": Value("string")}))
        if label_column is not None:
            names = _label_names(dataset, label_column, split, rows)
            if split == "train":
                kind = dataset.features[label_column]
                classes = kind.names if isinstance(kind, ClassLabel) else _sorted_names(set(names))
            ids = {name: index for index, name in enumerate(classes)}
            for row, name in zip(rows, names, strict=True):
                if name not in ids:
                    known = ", ".join(classes)
                    raise ValueError(
                        f"The {split} split, row {row}: label {name!r} is not one of training's: {known}."
                    )
            texts = texts.add_column("label", [ids[name] for name in names], feature=ClassLabel(names=classes))
        finished[split] = texts
    if dropped:
        logger.warning("Dropped %d texts that are empty or all white space.", dropped)
    return finished


def _sample(size: int, count: int) -> list[int]:
    """`count` of the row numbers below `size`, in order; always the same ones."""
    return sorted(random.Random(0).sample(range(size), count))


def _split_off_validation(splits: dict[str, Dataset]) -> dict[str, Dataset]:
    train = splits["train"]
    if len(train) < 2:
        raise ValueError("The train split has one row, so that no validation split can be taken from it.")
    held_out = _sample(len(train), max(1, round(VALIDATION_SHARE * len(train))))
    kept = sorted(set(range(len(train))) - set(held_out))
    logger.warning("No validation split: took %d of the %d training rows for it.", len(held_out), len(train))
    return {**splits, "train": train.select(kept), "validation": train.select(held_out)}
