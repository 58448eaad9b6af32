"""Text with labels, from the Hub, a local folder, files or the built-in corpus, with one fixed schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from datasets import ClassLabel, Dataset, DatasetDict, DatasetInfo, Features, Value
from transformers.utils import logging

from hf_arae.data.corpora.reviews import build_reviews
from hf_arae.data.files import EXTENSIONS, Columns, extension, file_paths, in_chunks, iterate_lines, read_columns
from hf_arae.data.labels import LabelNames, check_label_type, clean_name, is_label_type, label_order, left_out_classes
from hf_arae.data.source_arguments import SourceArguments, check_source_arguments, files_of_splits
from hf_arae.data.sources import (
    DataError,
    Source,
    load_named,
    located,
    require_column,
    rows_with_text,
)
from hf_arae.data.splits import shorten, split_names, split_off_validation, usual_splits

logger = logging.get_logger(__name__)

DROP_HINT = "With --drop_incomplete such rows are left out."


@dataclass
class DataArguments(SourceArguments):
    """Where the texts come from; each field is a flag. With no source given: the built-in corpus."""

    train_file: str | None = field(
        default=None,
        metadata={
            "help": f"Training data: a file of type {EXTENSIONS}. A .txt file holds one text a line; labelled text "
            "is given as one .txt file a label, separated by commas (negative.txt,positive.txt), the file's name "
            "without .txt being the label. A .json file holds an array of objects or an object a line; .csv is quoted "
            "in the usual way, .tsv not at all; both begin with a line of column names. Each may be gzipped (.csv.gz)."
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
    drop_incomplete: bool = field(
        default=False,
        metadata={
            "help": "Leave out the rows that have no label or whose text is null, and say how many. Without it, the "
            "first of them is an error. (Texts that are empty are left out in any case.)"
        },
    )


def load_labelled_text(arguments: DataArguments, label_required: bool = True) -> DatasetDict:
    """Loads the data that `arguments` names.

    Texts that are empty or all white space are dropped, with one warning. Where there is no validation split, 5 % of
    the training split (a random choice, always the same) becomes one; each label keeps a training row, where labels
    are required, and rows of the same text stay in one split. Splits of other names are left out. Labels of class
    `ClassLabel` keep their names, without the classes that have no training row; others are named by themselves,
    without blanks around them, in sorted order: integers, and whole floats, by their digits. The training split
    settles the mapping for all splits. A held-out split in which no row has a label (as in GLUE's test sets) is left
    out, with a warning, when labels are required.

    Args:
        arguments: the source, its columns and the size of subsets.
        label_required: whether a label must be there. If not, it is kept where every row has it.

    Returns:
        A `DatasetDict` with the splits `train` and `validation`, and `test` where there is one; columns `text`
        (`Value("string")`) and, except without labels, `label` (`ClassLabel`).

    Raises:
        FileNotFoundError: a file is missing, or `dataset_name` is neither a local folder nor a dataset that the Hub
            gave out (unknown, gated, or the Hub could not be reached; the cause is attached).
        ValueError: contradictory arguments; an unknown extension; a file that is not valid UTF-8 or not well-formed
            (the line is named); a missing column, or one that is there twice; a text that is not a string or a label
            that is missing (the file and line are named, and the row, counting from 0); a label that training data do
            not have; a single label in the training data, or in what `max_train_samples` leaves of them; no training
            split; an empty split.
    """
    check_arguments(arguments, label_required)
    source = _load_raw(arguments, label_required)
    with located(files_by_split(source, arguments), used_columns(arguments), DROP_HINT):
        splits = usual_splits(source.splits, split_names(arguments))
        label_column = usable_label_column(splits, arguments.label_column, label_required)
        try:
            splits = with_schema(splits, arguments.text_column, label_column, arguments.drop_incomplete)
        except DataError as error:
            if label_required or label_column is None:
                raise
            splits = with_schema(splits, arguments.text_column, None, arguments.drop_incomplete)
            logger.warning("Labels are left out: %s", error)
    if label_required:
        _check_labels(splits["train"])
    splits = split_off_validation(splits, label="label" if label_required else None)
    before = set(splits["train"]["label"][:]) if label_required else set()
    splits = shorten(splits, arguments.max_train_samples, arguments.max_eval_samples)
    if lost := before - set(splits["train"]["label"][:] if label_required else ()):
        names = ", ".join(splits["train"].features["label"].int2str(one) for one in sorted(lost))
        raise ValueError(
            f"max_train_samples={arguments.max_train_samples} leaves no training row of the label {names}; give a "
            "larger number."
        )
    return splits


def _check_labels(train: Dataset) -> None:
    names = train.features["label"].names
    if len(names) < 2:
        raise ValueError(f"The training data hold only the label {names[0]!r}; at least two labels are needed.")
    if len(names) > 50 and len(train) < 5 * len(names):
        logger.warning(
            "The %d training rows have %d different labels: is the column of labels the right one?",
            len(train),
            len(names),
        )


def check_arguments(arguments: DataArguments, label_required: bool) -> None:
    """Raises a ValueError if the arguments contradict each other."""
    check_source_arguments(arguments)
    if arguments.text_column == arguments.label_column:
        raise ValueError(f"text_column and label_column are the same: {arguments.text_column!r}.")
    if label_required and arguments.label_column is None:
        raise ValueError("Labels are required here, but label_column is None; name the column of labels.")


# ------------------------------------------------------------------------------------------------------- sources


def files_by_split(source: Source, arguments: DataArguments) -> dict[str, list]:
    """The files of each of `SPLITS`, as far as they are known."""
    return {split: list(source.files.get(name, ())) for split, name in split_names(arguments).items()}


def _load_raw(arguments: DataArguments, label_required: bool) -> Source:
    columns = used_columns(arguments, label_required)
    if arguments.dataset_name is not None:
        name, config = arguments.dataset_name, arguments.dataset_config_name
        return load_named(name, config, columns, arguments.dataset_revision)
    if arguments.train_file is None:
        return Source(build_reviews())
    named = {split: names for split, names in files_of_splits(arguments).items() if names is not None}
    paths = {split: labelled_paths(names, label_required, split) for split, names in named.items()}
    return Source({split: _read_files(listed, arguments, columns) for split, listed in paths.items()}, paths)


def _read_files(paths: list[Path], arguments: DataArguments, columns: Columns) -> Dataset:
    if extension(paths[0]) == ".txt":
        return Dataset(
            pa.concat_tables(table for path in paths for table in iterate_text_file(path, paths, arguments))
        )
    return read_columns(paths[0], columns)


def labelled_paths(names: str, label_required: bool, split: str) -> list[Path]:
    """The file of a split, or its text files, one a label.

    Raises:
        FileNotFoundError: one is missing.
        ValueError: one has an unknown extension, or they do not go together, or are all of one name.
    """
    paths = file_paths(names)
    if all(extension(path) == ".txt" for path in paths):
        if len(paths) == 1 and label_required:
            raise ValueError(
                f"{paths[0]}: a single .txt file has no labels. Give one file a label, separated by commas, as in "
                "negative.txt,positive.txt; or a file with a column of labels."
            )
        stems = {file_label(path) for path in paths}
        if label_required and split == "train" and len(stems) == 1:
            raise ValueError(
                f"The labels are the files' names, and all of {', '.join(map(str, paths))} are called "
                f"{stems.pop()!r}; give each the name of its label, as in negative.txt,positive.txt."
            )
    elif len(paths) > 1:
        raise ValueError(f"Only .txt files, one a label, may be listed with commas; got {names!r}.")
    return paths


def file_label(path: Path) -> str:
    """The label of a text file: its name before the extension."""
    return clean_name(path.name[: path.name.lower().rindex(".txt")])


def used_columns(arguments: DataArguments, label_required: bool = True) -> Columns:
    """What each column holds that is used."""
    if arguments.label_column is None:
        return {arguments.text_column: "text"}
    return {arguments.text_column: "text", arguments.label_column: "label" if label_required else "optional"}


def iterate_text_file(path: Path, paths: list[Path], arguments: DataArguments) -> Iterator[pa.Table]:
    """Tables of the lines of one of `paths`, labelled by its name where there are several."""
    for lines in in_chunks(iterate_lines(path)):
        columns = {arguments.text_column: lines}
        if len(paths) > 1 and arguments.label_column is not None:
            columns[arguments.label_column] = [file_label(path)] * len(lines)
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
        if not label_required and not is_label_type(kind):
            return None
        check_label_type(kind, column, split)
        if _has_label(dataset.unique(column), LabelNames(kind)):
            continue
        if not label_required:
            return None
        if split == "train":
            raise DataError(f"No row of the train split has a label in column {column!r}.", split)
        logger.warning("Left out the %s split: none of its rows has a label.", split)
        del splits[split]
    return column


def _has_label(values: list, names: LabelNames) -> bool:
    for value in values:
        try:
            if names(value) is not None:
                return True
        except ValueError:  # is said when its row is read
            return True
    return not values


def _row_labels(dataset: Dataset, column: str, split: str, rows: list[int], drop: bool) -> list[str | None]:
    """The name of the label of each of `rows`; None where there is none and such rows are dropped."""
    values = dataset[column][:]
    names = LabelNames(dataset.features[column])
    found: list[str | None] = []
    for row in rows:
        try:
            found.append(names(values[row]))
        except ValueError as error:
            raise DataError(f"The {split} split, row {row}: {error}.", split, row) from error
        if found[-1] is None and not drop:
            message = f"The {split} split, row {row}: no label in column {column!r} ({values[row]!r})"
            without = sum(1 for other in rows if not _has_label([values[other]], names))
            raise DataError(f"{message}; {without} of {len(rows)} rows have none.", split, row, True)
    return found


def with_schema(
    splits: dict[str, Dataset], text_column: str, label_column: str | None, drop_incomplete: bool = False
) -> dict[str, Dataset]:
    """Columns `text` and, given its column, `label`, without blank texts.

    Args:
        splits: with `train`.
        text_column, label_column: their names in `splits`.
        drop_incomplete: leaves out rows without a label or with a text of None.

    Raises:
        DataError: as `load_labelled_text` says.
    """
    finished = {}
    blank = unlabelled = 0
    classes: list[str] = []
    for split, dataset in splits.items():
        require_column(dataset, split, text_column, "text_column")
        rows = rows_with_text(dataset, text_column, split, drop_incomplete)
        blank += len(dataset) - len(rows)
        names: list[str] = []
        if label_column is not None:
            found = _row_labels(dataset, label_column, split, rows, drop_incomplete)
            unlabelled += found.count(None)
            rows = [row for row, name in zip(rows, found, strict=True) if name is not None]
            names = [name for name in found if name is not None]
        if not rows:
            raise DataError(f"The {split} split is empty: it holds no text that is more than white space.", split)
        texts = dataset.select_columns([text_column])
        if len(rows) < len(dataset):
            texts = texts.select(rows)
        columns = {"text": texts.with_format("arrow")[text_column][:].cast(pa.string())}
        features = {"text": Value("string")}
        if label_column is not None:
            if split == "train":
                kind = dataset.features[label_column]
                classes = label_order(kind, names)
                warn_of_classes(left_out_classes(kind, classes))
            ids = {name: index for index, name in enumerate(classes)}
            for row, name in zip(rows, names, strict=True):
                if name not in ids:
                    known = ", ".join(classes)
                    raise DataError(
                        f"The {split} split, row {row}: label {name!r} is not one of training's: {known}.", split, row
                    )
            columns["label"] = pa.array([ids[name] for name in names], pa.int64())
            features["label"] = ClassLabel(names=classes)
        # Not of the cache of `datasets`, from which damaged orders or ids could come later.
        finished[split] = Dataset(pa.table(columns), info=DatasetInfo(features=Features(features)))
    if blank:
        logger.warning("Dropped %d texts that are empty or all white space%s.", blank, " or null" * drop_incomplete)
    if unlabelled:
        logger.warning("Dropped %d rows without a label.", unlabelled)
    return finished


def warn_of_classes(names: list[str]) -> None:
    """Says which classes are left out."""
    if names:
        logger.warning("Left out the label %s: no training row has it.", ", ".join(names))
