"""Pictures of a column, read and brought to one size, by worker processes if wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch.utils.data import DataLoader
from transformers.utils import logging

from hf_arae.data.batch_sources import leave_signals_to_the_training
from hf_arae.data.images.pixels import open_picture, square_pixels
from hf_arae.data.sources import DataError
from hf_arae.utils.display import progress

logger = logging.get_logger(__name__)

_CHUNK = 256  # images that one worker decodes at once


class _Pictures(torch.utils.data.Dataset):
    """Cells of a column by lists of their places: pixels, what is wrong with which, and how many are not square."""

    def __init__(self, cells: pa.ChunkedArray, shape: tuple[int, int]):
        self.cells, self.shape = cells, shape

    def __getitems__(self, rows: list[int]) -> tuple[np.ndarray, dict[int, str], int]:
        size, channels = self.shape
        pixels, wrong, oblong = np.zeros((len(rows), size, size, channels), np.uint8), {}, 0
        for place, cell in enumerate(self.cells.take(pa.array(rows)).to_pylist()):
            try:
                picture = open_picture(_content(cell))
                pixels[place] = square_pixels(picture, size, channels)
                oblong += picture.width != picture.height
            except (ValueError, OSError) as error:
                wrong[place] = str(error)
        return pixels, wrong, oblong


def decoded(
    cells: pa.ChunkedArray,
    rows: np.ndarray,
    split: str,
    shape: tuple[int, int],
    num_workers: int = 0,
    drop_incomplete: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of some pictures, each its middle square, scaled.

    Args:
        cells: a column of pictures: bytes or paths, or both.
        rows: the places in it of those that are wanted.
        split: the split's name, for messages.
        shape: height (and width) in pixels, and channels.
        num_workers: processes that read pictures; 0: this one does.
        drop_incomplete: leaves out pictures that are missing or cannot be read, with a warning.

    Returns:
        uint8 `(n, size, size, channels)`, and the places in `rows` of these n.

    Raises:
        DataError: a picture cannot be read, or none of them; the first such row is named.
    """
    parts = [rows[start : start + _CHUNK].tolist() for start in range(0, len(rows), _CHUNK)]
    workers = num_workers if len(parts) > 1 else 0
    loader = DataLoader(
        _Pictures(cells, shape),
        batch_sampler=parts,
        collate_fn=_as_it_is,
        num_workers=workers,
        worker_init_fn=leave_signals_to_the_training,
        generator=torch.Generator(),
    )
    pixels, wrong, oblong = np.empty((len(rows), shape[0], shape[0], shape[1]), np.uint8), {}, 0
    with progress(total=len(rows), description=f"Images, {split}") as bar:
        for number, (part, faults, others) in enumerate(loader):
            start = number * _CHUNK
            pixels[start : start + len(part)] = part
            wrong |= {start + place: message for place, message in faults.items()}
            oblong += others
            bar.update(len(part))
            if wrong and not drop_incomplete:
                place, message = next(iter(wrong.items()))
                row = int(rows[place])
                raise DataError(f"The {split} split, row {row}: {message}.", split, row, True)
    if oblong:
        logger.warning("%d images of the %s split are not square: the middle of each is used.", oblong, split)
    if not wrong:
        return pixels, np.arange(len(rows))
    if len(wrong) == len(rows):
        raise DataError(f"No image of the {split} split can be read; the first: {next(iter(wrong.values()))}.", split)
    logger.warning("Dropped %d rows of the %s split whose image is missing or damaged.", len(wrong), split)
    kept = np.setdiff1d(np.arange(len(rows)), list(wrong))
    return pixels[kept], kept


def _content(cell: Any) -> bytes | str:
    """What a cell of a column of images holds."""
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    if not cell:
        raise ValueError("there is no image")
    return cell


def _as_it_is(part: Any) -> Any:
    return part


__all__ = ["decoded"]
