"""Text with labels, from the Hub, a local folder, files or the built-in corpus, with one fixed schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from datasets.features.features import FeatureType
from transformers.utils import logging

from hf_arae.data.reviews import build_reviews
from hf_arae.data.sources import (
    EXTENSIONS,
    SPLITS,
    TEXT_TYPES,
    check_limits,
    check_sources,
    file_paths,
    in_chunks,
    iterate_lines,
    load_named,
    named_path,
    read_columns,
    require_column,
    rows_with_text,
    shorten,
    split_off_validation,
    usual_splits,
)

logger = logging.get_logger(__name__)

_LABEL_TYPES = (*TEXT_TYPES, "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "null")


@dataclass
class DataArguments:
    """Where the texts come from; for `transformers.HfArgumentParser`. With no source given: the built-in corpus."""

    dataset_name: str | None = field(
        default=None, metadata={"help": "A dataset on the Hub (owner/name) or a local folder in the Hub's layout."}
    )
    dataset_config_name: str | None = field(
        default=None, metadata={"help": "The configuration of `dataset_name`, where it has several."}
    )
    dataset_revision: str | None = field(
        default=None,
        metadata={"help": "A branch, tag or commit of `dataset_name` on the Hub; else its newest."},
    )
    train_file: str | None = field(
        default=None,
        metadata={
            "help": f"Training data: a file of type {EXTENSIONS}. A .txt file holds one text a line; labelled text "
            "is given as one .txt file a label, separated by commas (negative.txt,positive.txt), the file's name "
            "without .txt being the label. A .json file holds an array of objects or an object a line; .csv is quoted "
            "in the usual way, .tsv not at all; both begin with a line of column names."
        },
    )
    validation_file: str | None = field(
        default=None,
        metadata={"help": "Validation data, like train_file. Without it, a twentieth of train_file is split off."},
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
    check_arguments(arguments, label_required)
    raw = _load_raw(arguments, label_required)
    splits = usual_splits(raw)
    label_column = usable_label_column(splits, arguments.label_column, label_required)
    splits = with_schema(splits, arguments.text_column, label_column)
    splits = split_off_validation(splits)
    splits = shorten(splits, arguments.max_train_samples, arguments.max_eval_samples)
    if label_required:
        present = sorted(set(splits["train"]["label"][:]))
        if len(present) < 2:
            name = splits["train"].features["label"].int2str(present[0])
            raise ValueError(f"The training data hold only the label {name!r}; at least two labels are needed.")
    return splits


def check_arguments(arguments: DataArguments, label_required: bool) -> None:
    """Raise a ValueError if the arguments contradict each other."""
    if arguments.dataset_revision is not None and arguments.dataset_name is None:
        raise ValueError("dataset_revision goes with dataset_name, which is not given.")
    if arguments.dataset_revision is not None and named_path(arguments.dataset_name).is_dir():
        raise ValueError(
            f"dataset_revision goes with a dataset on the Hub; {arguments.dataset_name} is a local folder."
        )
    check_sources(arguments.dataset_name, arguments.dataset_config_name, files_of_splits(arguments))
    if arguments.text_column == arguments.label_column:
        raise ValueError(f"text_column and label_column are the same: {arguments.text_column!r}.")
    if label_required and arguments.label_column is None:
        raise ValueError("Labels are required here, but label_column is None; name the column of labels.")
    check_limits(max_train_samples=arguments.max_train_samples, max_eval_samples=arguments.max_eval_samples)


# ------------------------------------------------------------------------------------------------------- sources


def files_of_splits(arguments: DataArguments) -> dict[str, str | None]:
    """What is named as each split's file or files."""
    named = (arguments.train_file, arguments.validation_file, arguments.test_file)
    return dict(zip(SPLITS, named, strict=True))


def _load_raw(arguments: DataArguments, label_required: bool) -> Mapping[str, Dataset]:
    if arguments.dataset_name is not None:
        return load_named(arguments.dataset_name, arguments.dataset_config_name, arguments.dataset_revision)
    if arguments.train_file is None:
        return build_reviews()
    files = files_of_splits(arguments).items()
    return {split: _read_files(names, arguments, label_required) for split, names in files if names is not None}


def _read_files(names: str, arguments: DataArguments, label_required: bool) -> Dataset:
    paths = labelled_paths(names, label_required)
    if paths[0].suffix.lower() == ".txt":
        return Dataset(
            pa.concat_tables(table for path in paths for table in iterate_text_file(path, paths, arguments))
        )
    return read_columns(paths[0], accepted_types(arguments))


def labelled_paths(names: str, label_required: bool) -> list[Path]:
    """The file of a split, or its text files, one a label.

    Raises:
        FileNotFoundError: One is missing.
        ValueError: One has an unknown extension, or they do not go together.
    """
    paths = file_paths(names)
    if all(path.suffix.lower() == ".txt" for path in paths):
        if len(paths) == 1 and label_required:
            raise ValueError(
                f"{paths[0]}: a single .txt file has no labels. Give one file a label, separated by commas, as in "
                "negative.txt,positive.txt; or a file with a column of labels."
            )
    elif len(paths) > 1:
        raise ValueError(f"Only .txt files, one a label, may be listed with commas; got {names!r}.")
    return paths


def accepted_types(arguments: DataArguments) -> dict[str, tuple[type, ...]]:
    """Of each column that is used, the types that a value may have."""
    accepted: dict[str, tuple[type, ...]] = {arguments.text_column: (str,)}
    if arguments.label_column is not None:
        accepted[arguments.label_column] = (str, int)
    return accepted


def iterate_text_file(path: Path, paths: list[Path], arguments: DataArguments) -> Iterator[pa.Table]:
    """Tables of the lines of one of `paths`, labelled by its name where there are several."""
    for lines in in_chunks(iterate_lines(path)):
        columns = {arguments.text_column: lines}
        if len(paths) > 1 and arguments.label_column is not None:
            columns[arguments.label_column] = [path.stem] * len(lines)
        yield pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


# -------------------------------------------------------------------------------------------------------- schema


def usable_label_column(splits: dict[str, Dataset], column: str | None, label_required: bool) -> str | None:
    """The label column if labels are to be kept. Removes held-out splits without any label from `splits`."""
    if column is None:
        return None
    for split, dataset in list(splits.items()):
        if column not in dataset.column_names and not label_required:
            return None
        require_column(dataset, split, column, "label_column")
        kind = dataset.features[column]
        check_label_type(kind, column, split)
        labels = set(dataset.unique(column))
        if not labels or labels - missing_labels(kind):
            continue
        if not label_required:
            return None
        if split == "train":
            raise ValueError(f"No row of the train split has a label in column {column!r}.")
        logger.warning("Left out the %s split: none of its rows has a label.", split)
        del splits[split]
    return column


def check_label_type(kind: FeatureType, column: str, split: str) -> None:
    """Raise a ValueError if labels cannot be of this kind."""
    if not isinstance(kind, ClassLabel) and getattr(kind, "dtype", "") not in _LABEL_TYPES:
        raise ValueError(
            f"Column {column!r} of the {split} split holds {kind}; labels must be ClassLabel, integers or strings."
        )


def missing_labels(kind: FeatureType) -> set:
    """The values that stand for no label in a column of this kind."""
    return {None, -1} if isinstance(kind, ClassLabel) else {None, ""}


def _label_names(dataset: Dataset, column: str, split: str, rows: list[int]) -> list[str]:
    """The name of the label of each of `rows`."""
    kind = dataset.features[column]
    values = dataset[column][:]
    missing = missing_labels(kind)
    for row in rows:
        if values[row] in missing:
            raise ValueError(f"The {split} split, row {row}: no label in column {column!r} ({values[row]!r}).")
    return [kind.names[values[row]] if isinstance(kind, ClassLabel) else str(values[row]) for row in rows]


def sorted_names(names: set[str]) -> list[str]:
    """Labels in the order of their ids: by number if all are numbers."""
    try:
        return sorted(names, key=lambda name: (int(name), name))
    except ValueError:
        return sorted(names)


def with_schema(splits: dict[str, Dataset], text_column: str, label_column: str | None) -> dict[str, Dataset]:
    """Columns `text` and, given its column, `label`, without blank texts."""
    finished = {}
    dropped = 0
    classes: list[str] = []
    for split, dataset in splits.items():
        require_column(dataset, split, text_column, "text_column")
        rows = rows_with_text(dataset, text_column, split)
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
                classes = kind.names if isinstance(kind, ClassLabel) else sorted_names(set(names))
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
