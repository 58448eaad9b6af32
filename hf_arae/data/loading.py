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
    dropped = 0
    for name, dataset in splits.items():
        keep = _rows_with_text(dataset, arguments.text_column, name)
        if len(keep) < len(dataset):
            dropped += len(dataset) - len(keep)
            splits[name] = dataset.select(keep)
        if not keep:
            raise ValueError(f"The {name} split is empty: it holds no text that is more than white space.")
    if dropped:
        logger.warning("Dropped %d texts that are empty or all white space.", dropped)

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
            f"dataset_name {name!r}: there is no local folder of that name, and no reachable dataset on the Hub ({error})"
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
    accepted = "an array of objects or one object a line"
    try:
        if text.lstrip().startswith("["):
            rows = list(enumerate(json.loads(text)))
            unit = "row"
        else:
            rows = [(number, json.loads(line)) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
            unit = "line"
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error}); accepted is {accepted}.") from error
    for number, row in rows:
        if not isinstance(row, dict):
            raise ValueError(f"{path}, {unit} {number}: {type(row).__name__}; accepted is {accepted}.")
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    columns = {}
    # Other columns may hold anything, so they are not even converted; their names are kept for the messages.
    for name in names:
        values = [row.get(name) for _, row in rows]
        if name in (arguments.text_column, arguments.label_column):
            kinds = (str,) if name == arguments.text_column else (str, int)
            first = next((type(value) for value in values if value is not None), str)
            for (number, _), value in zip(rows, values, strict=True):
                # None is reported later, for all sources alike.
                if value is not None and (type(value) not in kinds or type(value) is not first):
                    accepted = "a string" if kinds == (str,) else "strings or integers, one of them throughout"
                    raise ValueError(
                        f"{path}, {unit} {number}: column {name!r} holds {value!r}; accepted is {accepted}."
                    )
            columns[name] = pa.array(values, pa.string() if first is str else pa.int64())
        else:
            columns[name] = pa.nulls(len(values))
    return Dataset(pa.table(columns))
