"""Batches of images that lie in memory, and draws of the few that are to be labelled."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from hf_arae.data.batch_sources import RowBatches
from hf_arae.data.batching import LengthGroupedBatchSampler
from hf_arae.data.images.augmentation import ImageAugmentation
from hf_arae.data.images.labelled_images import LabelledImages, row_numbers
from hf_arae.losses.classification import NO_LABEL
from hf_arae.storage.processors import describe_processor
from hf_arae.utils.digests import digest
from hf_arae.utils.validation import check_range


class Scaler(Protocol):
    """What makes pixel values of bytes, as an image processor does."""

    def scale(self, pixels: np.ndarray, source: np.random.Generator | None = None) -> Tensor:
        """Maps uint8 `(batch, height, width, channels)` to float32 `(batch, channels, height, width)`.

        Args:
            source: what is drawn comes from it.
        """


class ImageArrays:
    """Images ready to be taken in batches.

    A batch is `pixel_values` `(batch, channels, height, width)` float32 in the processor's range. With labelled rows
    it holds `labelled_pixel_values` and `labels` beside, in an order of their own: all images, these among them, count
    as unlabelled too. What the processor draws (stochastic binarisation) is drawn anew at every visit, and depends on
    the seed, the batch's number and the process alone; how an image is augmented, on the seed, the batch's number and
    the image, whatever the process.

    Args:
        images: their size and channels are the processor's.
        processor: makes values of bytes.
        labelled_rows: the rows whose labels may be learnt from, their numbers or a mask; `None`: none.
        labelled_batch_size: how many of these a batch holds on each process.
        augmentation: shifts and mirrors images; `None`: they stay as they are.
        unlabelled: `False`: batches hold labelled rows alone, the same in the same order as with `True`. What a pass
            is, all images still say.

    Raises:
        ValueError: one of `labelled_rows` and `labelled_batch_size` is given without the other, a row is not there or
            has no label, batches would be empty, or the processor or the augmentation is of other images.
    """

    def __init__(
        self,
        images: LabelledImages,
        processor: Scaler,
        labelled_rows: np.ndarray | None = None,
        labelled_batch_size: int = 0,
        augmentation: ImageAugmentation | None = None,
        unlabelled: bool = True,
    ):
        self.images, self.processor, self.labelled_batch_size = images, processor, labelled_batch_size
        self.labelled_rows = None if labelled_rows is None else row_numbers(labelled_rows, len(images))
        check_range(self, "[0, inf)", "labelled_batch_size", whole=True)
        if (self.labelled_rows is None) != (labelled_batch_size == 0):
            raise ValueError("labelled_rows and labelled_batch_size go together: give both or neither")
        if self.labelled_rows is not None:
            self._check_labelled(self.labelled_rows)
        elif not unlabelled:
            raise ValueError("unlabelled is False, and there are no labelled_rows: batches would hold nothing")
        self.augmentation, self.unlabelled = augmentation or ImageAugmentation(), unlabelled
        self.augmentation.check_size(images.pixels.shape[1])
        processor.scale(images.pixels[:1])  # raises now, if it is of other images

    def batches(self, batch_size: int, seed: int, rank: int, world_size: int) -> RowBatches:
        """Returns the batches of one process; the last, incomplete one of a pass is left out.

        Raises:
            ValueError: the rows are too few for one batch.
        """
        lengths = np.zeros(len(self.images), np.int64)
        sampler = LengthGroupedBatchSampler(lengths, batch_size, None, seed, rank, world_size)

        def load(number: int, rows: list[int]) -> dict[str, Tensor]:
            source, batch = np.random.default_rng((seed, number, rank, 1)), {}
            if self.unlabelled:
                pixels = self.augmentation(self.images.pixels[rows], (seed, number, 4), rows)
                batch["pixel_values"] = self.processor.scale(pixels, source)
            if self.labelled_rows is not None:
                visits, labelled = self._labelled(number, seed, rank, world_size)
                pixels = self.augmentation(self.images.pixels[labelled], (seed, 5), visits)
                batch["labelled_pixel_values"] = self.processor.scale(pixels, source)
                batch["labels"] = torch.from_numpy(self.images.labels[labelled])
            return batch

        return RowBatches(load, sampler, self.digest())

    def digest(self) -> str:
        """A short name of what the batches are made of."""
        labelled = () if self.labelled_rows is None else (str(self.labelled_batch_size).encode(), self.labelled_rows)
        settings = repr(sorted(describe_processor(self.processor).items()))
        more = [b"labelled alone"] * (not self.unlabelled)
        more += [self.augmentation.describe().encode()] * self.augmentation.changes
        return digest(self.images.digest().encode(), settings.encode(), *labelled, *more)

    def __len__(self) -> int:
        return len(self.images)

    def _labelled(self, number: int, seed: int, rank: int, world_size: int) -> tuple[np.ndarray, np.ndarray]:
        """The labelled rows of a batch, the next of an endless row of permutations, and their places in it, first."""
        count, share = len(self.labelled_rows), self.labelled_batch_size * world_size
        places = np.arange(number * share + rank, (number + 1) * share, world_size)
        passes, within = np.divmod(places, count)
        found = np.empty(len(places), np.int64)
        for one in np.unique(passes):
            order = np.random.default_rng((seed, int(one), 2)).permutation(self.labelled_rows)
            found[passes == one] = order[within[passes == one]]
        return places, found

    def _check_labelled(self, rows: np.ndarray) -> None:
        if not len(rows):
            raise ValueError("labelled_rows is empty: there is no label to learn from")
        if rows.min() < 0 or rows.max() >= len(self.images):
            raise ValueError(f"labelled_rows must lie between 0 and {len(self.images) - 1}, as the images' rows do")
        if self.images.labels is None:
            raise ValueError("labelled_rows are given, and the images have no labels")
        without = rows[self.images.labels[rows] == NO_LABEL]
        if len(without):
            raise ValueError(f"the image of row {without[0]} is among labelled_rows, and has no label")


def draw_labels(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draws rows that are to keep their labels, the same number of each class.

    Args:
        labels: `(n,)`; -100 where there is none.
        count: how many in all. Where the classes do not divide it, some have one row more.
        seed: of the draw. More rows of a seed are those of fewer, and others, wherever the classes divide both.

    Returns:
        `(count,)` row numbers, in order.

    Raises:
        ValueError: there are not so many labels, of all or of one class, or fewer are asked than there are classes.
    """
    labels = np.asarray(labels)
    classes = np.unique(labels[labels != NO_LABEL])
    if not len(classes):
        raise ValueError("no image has a label: there is none to draw")
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < len(classes):
        raise ValueError(f"{count} labels do not reach for one of each of the {len(classes)} classes")
    source = np.random.default_rng((seed, 3))
    orders = {one: source.permutation(np.flatnonzero(labels == one)) for one in classes}
    more = set(source.permutation(classes)[: count % len(classes)].tolist())
    found = []
    for one, order in orders.items():
        wanted = count // len(classes) + (int(one) in more)
        if wanted > len(order):
            raise ValueError(
                f"{count} labels are {wanted} of each of the {len(classes)} classes, and class {one} has "
                f"{len(order)}: ask for fewer"
            )
        found.append(order[:wanted])
    return np.sort(np.concatenate(found))


__all__ = ["ImageArrays", "Scaler", "draw_labels"]
