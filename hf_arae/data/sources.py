"""Where rows come from: datasets on the Hub, local folders and files; and what every loader checks of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from datasets import (
    Dataset,
    DatasetBuilder,
    DownloadConfig,
    DownloadManager,
    Features,
    Value,
    concatenate_datasets,
    load_dataset,
    load_dataset_builder,
)
from datasets.exceptions import DatasetGenerationError
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from transformers.utils import logging

from hf_arae.data.files import EXTENSIONS, Columns, File, check_twice, extension, find_row, iterate_lines, read_columns
from hf_arae.data.labels import clean_name

logger = logging.get_logger(__name__)

TEXT_TYPES = ("string", "large_string", "string_view")
_MAX_NAMED = 3  # files that one message names
_OWN_FIELDS = ("name", "version", "data_dir", "data_files", "description", "features")  # of any builder's settings


@dataclass(frozen=True)
class Source:
    """Splits, and the files that each was read from, as far as rows are read by their lines.

    Args:
        splits: by their names in the source.
        files: of a split, in the order of its rows; none for one that `datasets` read.
    """

    splits: Mapping[str, Dataset]
    files: Mapping[str, Sequence[File]] = field(default_factory=dict)


class DataError(ValueError):
    """What is wrong with a split, or with one of its rows.

    Args:
        message: says all but where the file has it.
        split: the split.
        row: the row's number in the split, from 0; None for the whole split.
        can_be_dropped: whether the row could be left out instead.
    """

    def __init__(self, message: str, split: str, row: int | None = None, can_be_dropped: bool = False):
        super().__init__(message)
        self.split, self.row, self.can_be_dropped = split, row, can_be_dropped


@contextmanager
def located(files: Mapping[str, Sequence[File]], columns: Columns, hint: str = "") -> Iterator[None]:
    """Puts the file, and the row's line, before what a `DataError` says; and `hint` behind it if that row could go."""
    try:
        yield
    except DataError as error:
        paths = files.get(error.split, ())
        place = ", ".join(map(str, paths[:_MAX_NAMED]))
        if paths and error.row is not None:
            place = find_row(paths, error.row, columns) or place
        said = f"{place}: {error}" if place else str(error)
        raise ValueError(f"{said}{' ' + hint if hint and error.can_be_dropped else ''}") from None


def detached(rows: Dataset) -> Dataset:
    """The same rows without files in the cache of `datasets`.

    What is made of them later, such as an order or ids, is then made anew and not looked up there, where it may be
    damaged or of other rows.
    """
    return Dataset(rows.with_format("arrow")[:], info=rows.info.copy())


# ------------------------------------------------------------------------------------------------------- reading


def load_named(name: str, config: str | None, columns: Columns, revision: str | None = None) -> Source:
    """All splits of a local folder, or of a dataset on the Hub (at `revision`).

    Files of text (csv, tsv, json, jsonl, txt) are read as they are when given as files: "NA" and "01" are words.

    Args:
        name: the folder, or owner/name.
        config: the configuration, where there are several.
        columns: those that will be used.
        revision: a branch, tag or commit on the Hub.

    Raises:
        FileNotFoundError: `name` is neither a folder nor a dataset that the Hub gave out; the cause is attached.
        ValueError: `name` is a file, or a file cannot be read; it is named, and its line where that is known.
    """
    path = named_path(name)
    try:
        if path.is_dir():
            return _load(load_dataset_builder(str(path), config), str(path), config, None, columns)
        try:
            builder = load_dataset_builder(name, config, revision=revision)
        except ConnectionError as error:
            copy = _downloaded(name, revision)
            if copy is None:
                raise
            logger.warning("The Hub cannot be reached; %s is read as it was downloaded before. %s", name, error)
            return _load(load_dataset_builder(copy, config), copy, config, None, columns)
        return _load(builder, name, config, revision, columns)
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        if path.is_dir():
            raise
        raise FileNotFoundError(
            f"dataset_name {name!r}: found neither a local folder nor a reachable Hub dataset of that name. {error}"
        ) from error


def _downloaded(name: str, revision: str | None) -> str | None:
    """Where a dataset lies that was downloaded before, for when the Hub cannot be asked."""
    try:
        return snapshot_download(name, repo_type="dataset", revision=revision, local_files_only=True)
    except Exception:  # whatever it is, the first error is the one to tell
        return None


def _load(builder: DatasetBuilder, name: str, config: str | None, revision: str | None, columns: Columns) -> Source:
    files = plain_files(builder)
    if files is None:
        try:
            raw = load_dataset(name, config, revision=revision)
        except (DatasetGenerationError, pa.ArrowException) as error:
            raise ValueError(f"dataset_name {name!r} cannot be read: {_causes(error)}") from error
        return Source({split: _renamed(rows, columns, f"{name}, {split} split") for split, rows in raw.items()})
    manager = DownloadManager(builder.dataset_name, download_config=DownloadConfig(token=builder.token))
    for split, paths in files.items():
        files[split] = [manager.download(path) if "://" in str(path) else path for path in paths]
    return Source({split: _read_parts(paths, columns, builder.info.features) for split, paths in files.items()}, files)


def plain_files(builder: DatasetBuilder) -> dict[str, list[File]] | None:
    """The files of each split, where `read_columns` reads them as the builder means it; else None.

    It does if they are of a known type and the builder has settings of its own for none. Those on the Hub come as
    addresses; Parquet files there are left to `datasets`, which streams and keeps them.
    """
    settings = builder.config
    listed = {str(split): list(paths) for split, paths in (settings.data_files or {}).items()}
    paths = [path for paths in listed.values() for path in paths]
    kinds = {extension(path) for path in paths}
    remote = any("://" in path for path in paths)
    if not paths or not kinds <= set(EXTENSIONS.split(", ")) or (remote and ".parquet" in kinds):
        return None
    usual = type(settings)()
    for setting in fields(settings):
        value = getattr(settings, setting.name)
        if setting.name in _OWN_FIELDS or value == getattr(usual, setting.name):
            continue
        if not (setting.name == "sep" and value == "\t" and kinds == {".tsv"}):
            return None
    return {split: [path if "://" in path else Path(path) for path in paths] for split, paths in listed.items()}


def _read_parts(paths: Sequence[File], columns: Columns, features: Features | None) -> Dataset:
    """The rows of the files of a split, one after another, with the types that the dataset's card names."""
    parts = [_read_part(path, columns) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        for column in columns:
            if (column in part.column_names) != (column in parts[0].column_names):
                has, lacks = (path, paths[0]) if column in part.column_names else (paths[0], path)
                raise ValueError(f"{lacks} has no column {column!r}, as {has} has, a file of the same split.")
    used = [column for column in columns if column in parts[0].column_names]
    if len(parts) > 1:
        parts = [part.select_columns(used) for part in parts] if used else parts[:1]
    typed = {column: features[column] for column in used if features is not None and column in features}
    try:
        for column, kind in typed.items():
            parts = [part.cast_column(column, kind) for part in parts]
        return concatenate_datasets(parts)
    except (ValueError, TypeError, pa.ArrowException) as error:
        listed = ", ".join(map(str, paths[:_MAX_NAMED]))
        raise ValueError(f"The columns of {listed} cannot be read as one: {_causes(error)}") from error


def _read_part(path: File, columns: Columns) -> Dataset:
    if extension(path) != ".txt":
        return read_columns(path, columns)
    return Dataset(pa.table({"text": pa.array(iterate_lines(path), pa.string())}))


def _renamed(rows: Dataset, columns: Columns, where: str) -> Dataset:
    """Without blanks around the names of the columns that are used."""
    check_twice(where, rows.column_names, columns)
    renamed = {name: clean_name(name) for name in rows.column_names if name != clean_name(name) in columns}
    return rows.rename_columns(renamed) if renamed else rows


def _causes(error: BaseException) -> str:
    """What an error and its causes say, each by its first line."""
    said: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        said += [(str(cause) or type(cause).__name__).strip().splitlines()[0]]
        cause = cause.__cause__
    return "; ".join(dict.fromkeys(said))


def named_path(name: str) -> Path:
    """Where a local folder of this name would be; a ValueError if that is a file, or the name is empty."""
    if not name.strip():
        raise ValueError("dataset_name is an empty name.")
    path = Path(name).expanduser()
    if path.is_file():
        raise ValueError(f"dataset_name {name!r} is a file; give it as train_file.")
    return path


# ------------------------------------------------------------------------------------------------------ checking


def check_sources(dataset_name: str | None, config: str | None, files: Mapping[str, str | None]) -> None:
    """Raises a ValueError if the arguments contradict each other. `files` has the keys `SPLITS`."""
    if dataset_name is not None and files["train"] is not None:
        raise ValueError("Both dataset_name and train_file are given; give one of them.")
    if files["train"] is None and (files["validation"] or files["test"]):
        raise ValueError("validation_file and test_file go with train_file, which is not given.")
    if config is not None and dataset_name is None:
        raise ValueError("dataset_config_name goes with dataset_name, which is not given.")


def check_limits(**limits: int | None) -> None:
    """Raises a ValueError that names the first limit below 1. None is no limit."""
    for name, limit in limits.items():
        if limit is not None and limit < 1:
            raise ValueError(f"{name} is {limit}; it must be at least 1, or None for all.")


def require_column(dataset: Dataset | pa.Table, split: str, column: str, argument: str) -> None:
    """Raises a DataError that names the split, the argument and the columns there are, unless `column` is one."""
    if column not in dataset.column_names:
        found = [name if name.replace("_", "").isalnum() else repr(name) for name in dataset.column_names]
        raise DataError(
            f"The {split} split has no column {column!r} ({argument}). Columns found: {', '.join(found) or 'none'}.",
            split,
        )


def rows_with_text(dataset: Dataset, column: str, split: str, drop_nulls: bool = False) -> list[int]:
    """The numbers of the rows whose text is more than white space.

    Args:
        dataset: has the column.
        column: that of the texts.
        split: the split's name, for messages.
        drop_nulls: whether a text of None counts as blank.

    Raises:
        DataError: a text is None or not a string; the first such row is named.
    """
    if not len(dataset):
        return []
    texts = dataset.with_format("arrow")[column][:]
    filled = filled_texts(texts, dataset.features, column, split, drop_nulls=drop_nulls)
    return pc.indices_nonzero(filled).to_pylist()


def filled_texts(
    texts: pa.ChunkedArray, features: Features, column: str, split: str, first_row: int = 0, drop_nulls: bool = False
) -> pa.ChunkedArray:
    """Which texts are more than white space; raises as `rows_with_text` does. `first_row`: number of the first."""
    missing = pc.index(pc.is_null(texts), True).as_py()
    # A column of nothing but None has a type of its own: say None rather than that type.
    if missing >= 0 and (not drop_nulls or texts.null_count == len(texts)):
        row = first_row + missing
        raise DataError(
            f"The {split} split, row {row}: the text in column {column!r} is None, not a string.", split, row, True
        )
    kind = features[column]
    if not isinstance(kind, Value) or kind.dtype not in TEXT_TYPES:
        raise DataError(
            f"Column {column!r} of the {split} split holds {kind}; texts must be strings (row {first_row} is not).",
            split,
        )
    return pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(texts), ""), False)
