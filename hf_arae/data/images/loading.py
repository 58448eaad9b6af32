"""Images with or without labels, from the Hub, a local folder, files or the built-in corpus, as bytes of one size."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset, Image
from transformers.utils import logging

from hf_arae.data.corpora.glyphs import SPLIT_SIZES, build_glyphs
from hf_arae.data.files import Columns, extension, read_columns
from hf_arae.data.images.columns import NO_LABELS, find_columns, read_labels
from hf_arae.data.images.decoding import decoded
from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.data.source_arguments import SourceArguments, check_source_arguments, files_of_splits
from hf_arae.data.sources import DataError, load_named, located
from hf_arae.data.splits import SPLITS, VALIDATION_SHARE, sample_rows, split_names, usual_splits
from hf_arae.losses.classification import NO_LABEL
from hf_arae.utils.validation import check_number, check_range

logger = logging.get_logger(__name__)

_HINT = "With --drop_incomplete such rows are left out."


@dataclass
class ImageDataArguments(SourceArguments):
    """Where the images come from; each field is a flag. With no source given: the built-in corpus of glyphs."""

    train_file: str | None = field(
        default=None,
        metadata={
            "help": "Training images: files or patterns (pictures/*/*.png), separated by commas, whose labels are the "
            "names of the folders that they lie in where these are several; or one .parquet file."
        },
    )
    validation_file: str | None = field(
        default=None,
        metadata={"help": "Validation images, like train_file. Without them, a twentieth of train_file is split off."},
    )
    test_file: str | None = field(default=None, metadata={"help": "Test images, like train_file."})
    image_column: str | None = field(
        default=None, metadata={"help": "The column that holds the images; else the only one that does."}
    )
    label_column: str | None = field(
        default=None,
        metadata={
            "help": "The column that holds the labels: class labels, integers, strings or truth values; else the only "
            f"one of class labels, or the one called label. With {NO_LABELS!r}, labels are left alone."
        },
    )
    drop_incomplete: bool = field(
        default=False,
        metadata={
            "help": "Leave out the rows whose image is missing or cannot be read, and say how many. Without it, the "
            "first of them is an error."
        },
    )
    num_workers: int = field(default=0, metadata={"help": "Processes that read the images; 0: the main one does."})


def load_images(arguments: ImageDataArguments, image_size: int, num_channels: int) -> dict[str, LabelledImages]:
    """Loads the images that `arguments` names, each as the bytes of its middle square, scaled to the size.

    Where there is no validation split, 5 % of the training split (a random choice, always the same) becomes one; each
    label keeps a training row, and an image that is in both is left to the training. Splits of other names are left
    out. Rows without a label are kept, as such (-100), and a line says how many. Labels of class `ClassLabel` keep
    their names; others are named by themselves, in sorted order. The training split settles them for all splits.

    Args:
        arguments: the source, its columns and the size of subsets.
        image_size: height and width in pixels.
        num_channels: 1 for grey, 3 for colour.

    Returns:
        The splits `train` and `validation`, and `test` where there is one.

    Raises:
        FileNotFoundError: a file is missing, or `dataset_name` is neither a folder nor a dataset that the Hub gave
            out.
        ValueError: contradictory arguments, or a size or number of channels that cannot be; a missing column, or one
            that is none of images or labels, or several that could be meant; an image that cannot be read (its row is
            named); a label that training data do not have; no training split; an empty split; more images than there
            is free memory for.
    """
    check_source_arguments(arguments)
    check_range(arguments, "[0, inf)", "num_workers", whole=True)
    check_number("image_size", image_size, "[1, inf)", whole=True)
    if num_channels not in (1, 3):
        raise ValueError(f"num_channels must be 1 (grey) or 3 (colour), got {num_channels!r}")
    if arguments.image_column is not None and arguments.image_column == arguments.label_column:
        raise ValueError(f"image_column and label_column are the same: {arguments.image_column!r}.")
    if arguments.dataset_name is None and arguments.train_file is None:
        return _glyphs(arguments, image_size, num_channels)
    splits, files, columns = _load_raw(arguments)
    with located(files, {}, _HINT):
        labels, label_names = read_labels(splits, columns[1])
        loaded: dict[str, LabelledImages] = {}
        for split, (source, rows) in _chosen_rows(splits, labels, arguments, image_size**2 * num_channels).items():
            cells = splits[source].with_format("arrow").select_columns([columns[0]])[:][columns[0]]
            shape = (image_size, num_channels)
            pixels, kept = decoded(cells, rows, split, shape, arguments.num_workers, arguments.drop_incomplete)
            own = None if labels is None else labels[source][rows[kept]]
            loaded[split] = LabelledImages(pixels, own, label_names, split_off=source != split)
    return loaded if "validation" in splits else _without_shared(loaded)


def measured_split(splits: Mapping[str, LabelledImages]) -> str:
    """Which images a run's last numbers are of: "test", "validation" or, of the training data, "split off"."""
    if "test" in splits:
        return "test"
    return "split off" if splits["validation"].split_off else "validation"


def _glyphs(arguments: ImageDataArguments, image_size: int, num_channels: int) -> dict[str, LabelledImages]:
    """The built-in corpus, its images being drawn one like another, so that the first ones are a random subset."""
    limits = {
        split: arguments.max_train_samples if split == "train" else arguments.max_eval_samples for split in SPLITS
    }
    sizes = {split: min(size, limits[split] or size) for split, size in SPLIT_SIZES.items()}
    return build_glyphs(image_size, num_channels, sizes=sizes)


# ------------------------------------------------------------------------------------------------------- sources


def _load_raw(
    arguments: ImageDataArguments,
) -> tuple[dict[str, Dataset], dict[str, Sequence[Any]], tuple[str, str | None]]:
    """The splits, the files of each as far as rows are read by their lines, and the columns of images and labels."""
    names, wanted = split_names(arguments), (arguments.image_column, arguments.label_column)
    if arguments.dataset_name is None:
        given = {split: files for split, files in files_of_splits(arguments).items() if files is not None}
        paths = {split: _listed_files(files) for split, files in given.items()}
        folders = len({path.parent.name for path in paths["train"]}) > 1
        splits = {split: _read_files(listed, arguments, folders) for split, listed in paths.items()}
        return splits, {}, find_columns(splits, *wanted)
    where = (arguments.dataset_name, arguments.dataset_config_name)
    used: Columns = {column: "optional" for column in wanted if column not in (None, NO_LABELS)}
    source = load_named(*where, used, arguments.dataset_revision)
    splits = usual_splits(source.splits, names)
    columns = find_columns(splits, *wanted)
    # Of a split of several files, the columns that are named are read.
    found: Columns = {column: "optional" for column in columns if column is not None}
    if set(found) != set(used) and any(len(files) > 1 for files in source.files.values()):
        source = load_named(*where, found, arguments.dataset_revision)
        splits = {split: source.splits[names[split]] for split in splits}
    return splits, {split: source.files.get(name, ()) for split, name in names.items()}, columns


def _listed_files(names: str) -> list[Path]:
    found: list[Path] = []
    for name in names.split(","):
        pattern = os.path.expanduser(name.strip())
        listed = [Path(pattern)] if os.path.isfile(pattern) else sorted(map(Path, glob.glob(pattern, recursive=True)))
        listed = [path for path in listed if path.is_file()]
        if not listed:
            raise FileNotFoundError(f"No file {name.strip()!r}.")
        found += listed
    tables = [path for path in found if extension(path) == ".parquet"]
    if tables and len(found) > 1:
        raise ValueError(f"Only one .parquet file may be given, and no images beside it; got {names!r}.")
    return found


def _read_files(paths: list[Path], arguments: ImageDataArguments, folders: bool) -> Dataset:
    """The rows of a .parquet file, or one for each image file, with its folder as label where they have several."""
    if extension(paths[0]) == ".parquet":
        return read_columns(paths[0], {})
    columns = {arguments.image_column or "image": pa.array(map(str, paths), pa.string())}
    if folders and arguments.label_column != NO_LABELS:
        columns[arguments.label_column or "label"] = pa.array([path.parent.name for path in paths], pa.string())
    return Dataset(pa.table(columns)).cast_column(arguments.image_column or "image", Image())


# ---------------------------------------------------------------------------------------------------------- rows


def _chosen_rows(
    splits: Mapping[str, Dataset],
    labels: Mapping[str, np.ndarray] | None,
    arguments: ImageDataArguments,
    bytes_each: int,
) -> dict[str, tuple[str, np.ndarray]]:
    """For each split the one that its rows are of, and these; nothing has been decoded yet."""
    chosen = {split: (split, np.arange(len(rows))) for split, rows in splits.items()}
    for split, (_, rows) in chosen.items():
        if not len(rows):
            raise DataError(f"The {split} split is empty.", split)
    if "validation" not in splits:
        held_out = _held_out(len(splits["train"]), None if labels is None else labels["train"])
        chosen["train"] = ("train", np.setdiff1d(chosen["train"][1], held_out))
        chosen["validation"] = ("train", held_out)
        logger.warning(
            "No validation split: took %d of the %d training rows for it.", len(held_out), len(splits["train"])
        )
    for split, (source, rows) in chosen.items():
        limit = arguments.max_train_samples if split == "train" else arguments.max_eval_samples
        if limit is not None and limit < len(rows):
            chosen[split] = (source, rows[sample_rows(len(rows), limit)])
    if labels is not None:
        lost = np.setdiff1d(labels["train"], labels["train"][chosen["train"][1]])
        if len(lost) and set(lost) != {NO_LABEL}:
            logger.warning(
                "max_train_samples=%s leaves no training row of %d label(s).",
                arguments.max_train_samples,
                len(set(lost) - {NO_LABEL}),
            )
    needed, free = bytes_each * sum(len(rows) for _, rows in chosen.values()), _free_memory()
    if free is not None and needed > free:
        raise ValueError(
            f"The images take {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free: give a smaller "
            "image_size or max_train_samples, or read them from the disk batch by batch with "
            "hf_arae.data.collated_rows.CollatedRows."
        )
    return {split: chosen[split] for split in SPLITS if split in chosen}


def _held_out(size: int, labels: np.ndarray | None) -> np.ndarray:
    """The training rows that become the validation split."""
    if size < 2:
        raise DataError("The train split has one row, so that no validation split can be taken from it.", "train")
    drawn = np.asarray(sample_rows(size, max(1, round(VALIDATION_SHARE * size))))
    if labels is None:
        return drawn
    left = Counter(labels.tolist())
    held_out = []
    for row in drawn.tolist():
        if left[int(labels[row])] > 1:  # one at least is trained on
            left[int(labels[row])] -= 1
            held_out.append(row)
    if not held_out:
        raise DataError(
            "No validation split can be taken from the train split, whose rows are each the only one of their label.",
            "train",
        )
    return np.asarray(held_out)


def _without_shared(splits: dict[str, LabelledImages]) -> dict[str, LabelledImages]:
    """Without the validation images that are trained on as well."""
    validation = splits["validation"]
    trained = {hash(one.tobytes()) for one in splits["train"].pixels}
    own = [row for row, one in enumerate(validation.pixels) if hash(one.tobytes()) not in trained]
    if len(own) == len(validation):
        return splits
    if not own:
        logger.warning("The images of the validation split are all among the training ones: there are too few.")
        return splits
    logger.warning("Left %d validation images out that are among the training ones.", len(validation) - len(own))
    return {**splits, "validation": validation.take(own)}


def _free_memory() -> int | None:
    """Bytes that can be taken; `None` where the system does not say."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


__all__ = ["ImageDataArguments", "load_images", "measured_split"]
