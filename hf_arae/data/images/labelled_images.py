"""Images of one size, packed in memory, with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_arae.losses.classification import NO_LABEL
from hf_arae.utils.digests import digest

_ROWS = 1000  # images that are counted at once


@dataclass(frozen=True)
class LabelledImages:
    """Images as bytes, one byte a pixel and channel.

    Args:
        pixels: `(n, height, width, channels)` uint8; 1 channel is grey, 3 are red, green and blue.
        labels: `(n,)` int64, numbers of `label_names`, -100 for an image without a label; `None`: none has one.
        label_names: what the labels are called.
        split_off: they are a validation split that was taken from training images.

    Raises:
        ValueError: shapes or types are others, or a label has no name.
    """

    pixels: np.ndarray
    labels: np.ndarray | None = None
    label_names: Sequence[str] = ()
    split_off: bool = False

    def __post_init__(self):
        pixels, labels = self.pixels, self.labels
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] not in (1, 3):
            raise ValueError(
                "pixels must be uint8 (n, height, width, channels) with 1 or 3 channels, got "
                f"{pixels.dtype} {pixels.shape}"
            )
        if labels is None:
            return
        if labels.dtype != np.int64 or labels.shape != (len(pixels),):
            raise ValueError(f"labels must be int64 ({len(pixels)},), got {labels.dtype} {labels.shape}")
        unnamed = labels[(labels != NO_LABEL) & ((labels < 0) | (labels >= len(self.label_names)))]
        if len(unnamed):
            raise ValueError(f"the label {unnamed[0]} is none of the {len(self.label_names)} label_names")

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def num_channels(self) -> int:
        return self.pixels.shape[3]

    def take(self, rows: Sequence[int] | np.ndarray | slice) -> LabelledImages:
        """The images of these row numbers, in their order; of a mask, those where it is true.

        Raises:
            ValueError: they are neither whole numbers nor a mask of as many truth values as there are images.
        """
        rows = rows if isinstance(rows, slice) else row_numbers(rows, len(self))
        labels = None if self.labels is None else self.labels[rows]
        return LabelledImages(self.pixels[rows], labels, self.label_names, self.split_off)

    def without_class(self, name: str) -> LabelledImages:
        """The images that are not of this class, which keeps its name and number.

        Raises:
            ValueError: there is no such class, or all images are of it.
        """
        if self.labels is None or name not in self.label_names:
            known = "there are no labels" if self.labels is None else f"the classes are {', '.join(self.label_names)}"
            raise ValueError(f"images of the class {name!r} cannot be left out: {known}")
        others = np.flatnonzero(self.labels != list(self.label_names).index(name))
        if not len(others):
            raise ValueError(f"all {len(self)} images are of the class {name!r}: none is left without it")
        return self.take(others)

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of each channel, pixels being in [0, 1]; the deviation of a single value counts as 1."""
        counts = np.zeros((self.num_channels, 256), np.int64)
        for start in range(0, len(self), _ROWS):
            for channel, count in enumerate(counts):
                count += np.bincount(self.pixels[start : start + _ROWS, :, :, channel].ravel(), minlength=256)
        shares, values = counts / counts.sum(1, keepdims=True), np.arange(256) / 255
        mean = shares @ values
        deviation = np.sqrt((shares * (values - mean[:, None]) ** 2).sum(1))
        return mean, np.where(deviation > 0, deviation, 1.0)

    def digest(self) -> str:
        """A short name of what the rows hold, and of their order."""
        labels = np.empty(0, np.int64) if self.labels is None else self.labels
        return digest(str(self.pixels.shape).encode(), np.ascontiguousarray(self.pixels), labels)


def row_numbers(rows: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """Row numbers as int64; of a mask, those of the rows where it is true.

    Args:
        rows: whole numbers, or `count` truth values, which as numbers would be rows 0 and 1.
        count: how many rows there are.

    Raises:
        ValueError: they are neither.
    """
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (count,):
        return np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
        raise ValueError(f"rows must be whole numbers, or {count} truth values, got {rows.dtype} {rows.shape}")
    return rows.astype(np.int64)


__all__ = ["LabelledImages", "row_numbers"]
