"""Where streams begin: the parts of each split of files, folders and datasets on the Hub."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import Features, IterableDataset, load_dataset_builder
from datasets.table import cast_array_to_feature
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from hf_arae.data.files import (
    CHUNK_ROWS,
    Columns,
    File,
    extension,
    in_chunks,
    is_json_array,
    iterate_columns,
    iterate_lines,
)
from hf_arae.data.loading import DataArguments, files_of_splits, iterate_text_file, labelled_paths, used_columns
from hf_arae.data.sources import named_path, plain_files

_PART, _PARTS = 1 << 16, 256  # bytes of a file that are looked at in one place, and the number of places
Shard = Callable[[], Iterator[pa.Table]]  # opens a part of a split at its beginning
Opened = tuple[dict[str, list[Shard]], dict[str, Sequence[File]], dict[str, Any]]  # shards, files, identity


def open_files(arguments: DataArguments, label_required: bool) -> Opened:
    """The parts of each split of files; their files; what tells the training files from others.

    Raises:
        FileNotFoundError, ValueError: a file is missing or cannot be streamed.
    """
    if arguments.train_file is None:
        raise ValueError("streaming needs dataset_name or train_file; the built-in corpus is made in memory.")
    shards: dict[str, list[Shard]] = {}
    files: dict[str, Sequence[File]] = {}
    for split, names in files_of_splits(arguments).items():
        if names is None:
            continue
        paths = labelled_paths(names, label_required, split)
        if split == "train":
            _refuse_arrays(paths)
            identity = _identity(paths)
        files[split] = paths
        if extension(paths[0]) == ".txt":
            shards[split] = [partial(iterate_text_file, path, paths, arguments) for path in paths]
        else:
            shards[split] = [partial(iterate_columns, paths[0], used_columns(arguments, label_required))]
    return shards, files, identity


def _identity(paths: Sequence[Path]) -> dict[str, Any]:
    """What tells local files from others: names, sizes, and a digest of parts of each (of all, up to 16 MB)."""
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            for place in range(0, path.stat().st_size, max(_PART, path.stat().st_size // _PARTS)):
                file.seek(place)
                total.update(file.read(_PART))
    return {"files": [[path.name, path.stat().st_size] for path in paths], "contents": total.hexdigest()[:16]}


def _refuse_arrays(paths: Sequence[File]) -> None:
    for path in paths:
        if extension(path) == ".json" and is_json_array(path):
            raise ValueError(f"{path}: an array is read as a whole; to stream it, write one object a line.")


def open_named(arguments: DataArguments, label_required: bool) -> Opened:
    """As `open_files`, of a local folder or a dataset on the Hub, there by the splits' own names.

    Raises:
        FileNotFoundError, ValueError: as `load_text_stream`.
    """
    name, config = arguments.dataset_name, arguments.dataset_config_name
    path = named_path(name)
    if path.is_dir():
        builder = load_dataset_builder(str(path), config)
        identity = _identity([Path(file) for file in (builder.config.data_files or {}).get(arguments.train_split, [])])
    else:
        commit = _commit(name, arguments.dataset_revision)
        builder = load_dataset_builder(name, config, revision=commit)
        identity = {"dataset": name, "configuration": builder.config.name, "commit": commit}
    plain = plain_files(builder)
    if plain is None:
        shards = {split: _shards_of(dataset) for split, dataset in builder.as_streaming_dataset().items()}
        return shards, {}, identity
    _refuse_arrays(plain.get(arguments.train_split, ()))
    columns = used_columns(arguments, label_required)
    shards = {
        split: [partial(_iterate_file, path, columns, builder.info.features) for path in paths]
        for split, paths in plain.items()
    }
    return shards, plain, identity


def _iterate_file(path: File, columns: Columns, features: Features | None) -> Iterator[pa.Table]:
    """Tables of a file; the columns that are used with the types that the dataset's card names."""
    for table in _iterate_texts(path) if extension(path) == ".txt" else iterate_columns(path, columns):
        kinds = Features.from_arrow_schema(table.schema)
        typed = {name: features[name] for name in columns if features and name in features and name in kinds}
        if not typed or typed.items() <= kinds.items():
            yield table
            continue
        kinds.update(typed)
        try:
            values = [cast_array_to_feature(table[name], kind) for name, kind in kinds.items()]
            yield pa.table(values, schema=kinds.arrow_schema)
        except (ValueError, TypeError, pa.ArrowException) as error:
            raise ValueError(f"{path} does not hold what the dataset's card says: {error}") from error


def _iterate_texts(path: File) -> Iterator[pa.Table]:
    for lines in in_chunks(iterate_lines(path)):
        yield pa.table({"text": pa.array(lines, pa.string())})


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
