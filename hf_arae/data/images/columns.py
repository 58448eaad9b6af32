"""Which columns of a dataset hold images and labels, and what the labels are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset, Image
from transformers.utils import logging

from hf_arae.data.labels import LabelNames, check_label_type, is_label_type, label_order
from hf_arae.data.sources import DataError, require_column
from hf_arae.losses.classification import NO_LABEL

logger = logging.get_logger(__name__)

NO_LABELS = "none"  # as label_column: labels are left alone
_PATHS = ("string", "large_string")


def find_columns(splits: Mapping[str, Dataset], image: str | None, label: str | None) -> tuple[str, str | None]:
    """The columns of images and of labels; of labels `None`, where there are none.

    Args:
        splits: with `train`.
        image: the column of images; `None`: the only one that is of images.
        label: that of labels; `None`: the only one of class labels, else the one called label or labels; `NO_LABELS`:
            they are left alone.

    Raises:
        ValueError: a column is not there or is of another kind, or several could be meant; the columns are named.
    """
    train, guessed = splits["train"], []
    if image is None:
        found = [name for name, kind in train.features.items() if _holds_images(kind)]
        if len(found) != 1:
            reason = "No column holds images" if not found else f"Several columns hold images ({', '.join(found)})"
            raise ValueError(f"{reason}; name one with image_column. Columns found: {', '.join(train.column_names)}.")
        image = found[0]
        guessed += [f"images are read from the column {image!r}"] * (image != "image")
    if label is None:
        classes = [name for name, kind in train.features.items() if isinstance(kind, ClassLabel)]
        plain = [name for name in ("label", "labels") if name in train.column_names and name != image]
        plain = [name for name in plain if is_label_type(train.features[name])]
        label = classes[0] if len(classes) == 1 else plain[0] if plain else None
        if len(classes) > 1 and label is None:
            listed = ", ".join(classes)
            logger.warning("Labels are left alone: %s could all be meant; name one with label_column.", listed)
        guessed += [f"labels are read from the column {label!r}"] * (label not in (None, "label"))
    if guessed:
        logger.warning("As no column is named, %s.", " and ".join(guessed))
    label = None if label == NO_LABELS else label
    for split, rows in splits.items():
        require_column(rows, split, image, "image_column")
        if not _holds_images(rows.features[image]) and getattr(rows.features[image], "dtype", "") not in _PATHS:
            raise ValueError(f"Column {image!r} of the {split} split holds {rows.features[image]}, not images.")
        if label is not None and (label in rows.column_names or split == "train"):
            require_column(rows, split, label, "label_column")
            check_label_type(rows.features[label], label, split)
    return image, label


def _holds_images(kind: Any) -> bool:
    """Whether a column is of images, or of bytes and paths as `datasets` keeps them."""
    if isinstance(kind, Image):
        return True
    if isinstance(kind, dict):
        return set(kind) == {"bytes", "path"}
    return getattr(kind, "dtype", "") in ("binary", "large_binary")


def read_labels(splits: Mapping[str, Dataset], column: str | None) -> tuple[dict[str, np.ndarray] | None, list[str]]:
    """Numbers of the labels of each split, -100 where there is none, and what they are called.

    Args:
        splits: with `train`, which settles what labels there are; another one may lack the column.
        column: that of the labels; `None`: there are none.

    Raises:
        DataError: a value cannot be a label, or is none of the training's; its row is named.
    """
    if column is None:
        return None, []
    named = {split: _label_names(rows, column, split) for split, rows in splits.items()}
    names = label_order(splits["train"].features[column], {name for name in named["train"] if name is not None})
    if not names:
        logger.warning("Labels are left alone: no row of the train split has one in column %r.", column)
        return None, []
    numbers = {name: number for number, name in enumerate(names)} | {None: NO_LABEL}
    found = {}
    for split, labels in named.items():
        other = next((row for row, name in enumerate(labels) if name not in numbers), None)
        if other is not None:
            known = ", ".join(names)
            raise DataError(
                f"The {split} split, row {other}: label {labels[other]!r} is not one of training's: {known}.",
                split,
                other,
            )
        found[split] = np.array([numbers[name] for name in labels], np.int64)
        if without := labels.count(None):
            logger.warning("%d of the %d images of the %s split have no label.", without, len(labels), split)
    return found, names


def _label_names(rows: Dataset, column: str, split: str) -> list[str | None]:
    if column not in rows.column_names:
        return [None] * len(rows)
    named, found = LabelNames(rows.features[column]), []
    for row, value in enumerate(rows.with_format(None)[column][:]):
        try:
            found.append(named(value))
        except (ValueError, IndexError) as error:
            raise DataError(f"The {split} split, row {row}: {error}.", split, row) from error
    return found


__all__ = ["NO_LABELS", "find_columns", "read_labels"]
