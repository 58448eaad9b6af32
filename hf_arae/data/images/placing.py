"""Images on a larger ground, in its middle or moved from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.utils.validation import check_number


def placed(images: LabelledImages, size: int, across: int = 0, down: int = 0) -> LabelledImages:
    """Images, not scaled, on a black ground; what is moved beyond it is cut off.

    Args:
        images: of any size.
        size: height and width of the ground in pixels, at least that of the images.
        across: they stand so many pixels to the right of the middle; to the left, if negative.
        down: so many below it; above, if negative.

    Raises:
        ValueError: the ground is smaller than the images, or a number is not whole.
    """
    count, height, width, channels = images.pixels.shape
    check_number("size", size, "[1, inf)", whole=True)
    for name, number in (("across", across), ("down", down)):
        check_number(name, number, "(-inf, inf)", whole=True)
    if size < max(height, width):
        raise ValueError(f"images of {height} x {width} pixels do not fit on a ground of {size} x {size}")
    top, left = (size - height) // 2 + down, (size - width) // 2 + across
    ground = np.zeros((count, size, size, channels), np.uint8)
    starts = ((top, height), (left, width))
    rows, columns = (slice(*(max(0, min(end, size)) for end in (start, start + side))) for start, side in starts)
    own = images.pixels[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    ground[:, rows, columns] = own if own.size else 0
    return replace(images, pixels=ground)


__all__ = ["placed"]
