"""The built-in corpus of images: glyphs that are drawn here, a dozen kinds, in every place, size, slant and thickness.

It needs no network, no files and no fonts, so that examples and tests run anywhere. An image is made of sums,
products, quotients and square roots alone, whose bits are the same on every machine.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hf_arae.data.images.labelled_images import LabelledImages

SPLIT_SIZES = {"train": 20_000, "validation": 2_000, "test": 2_000}
_SEEDS = {"train": 0, "validation": 1, "test": 2}
_CHUNK = 512  # images that are drawn at once

_RING = tuple((3 * x / 5, 3 * y / 5) for x, y in ((5, 0), (4, 3), (3, 4), (0, 5), (-3, 4), (-4, 3), (-5, 0)))
_CIRCLE = tuple((x / 3, y / 3) for x, y in (*_RING, *((-x, -y) for x, y in _RING[1:])))
# Lines through points between -1 and 1; the first number goes to the right and the second one down.
GLYPHS: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "ring": (_CIRCLE,),
    "plus": (((-0.9, 0.0), (0.9, 0.0)), ((0.0, -1.0), (0.0, 1.0))),
    "saltire": (((-0.8, -0.9), (0.8, 0.9)), ((0.8, -0.9), (-0.8, 0.9))),
    "triangle": (((0.0, -1.0), (0.9, 0.9), (-0.9, 0.9), (0.0, -1.0)),),
    "square": (((-0.8, -0.9), (0.8, -0.9), (0.8, 0.9), (-0.8, 0.9), (-0.8, -0.9)),),
    "tee": (((-0.9, -0.9), (0.9, -0.9)), ((0.0, -0.9), (0.0, 1.0))),
    "ell": (((-0.7, -1.0), (-0.7, 0.9), (0.8, 0.9)),),
    "zed": (((-0.8, -0.9), (0.8, -0.9), (-0.8, 0.9), (0.8, 0.9)),),
    "wye": (((-0.8, -1.0), (0.0, 0.0), (0.8, -1.0)), ((0.0, 0.0), (0.0, 1.0))),
    "cup": (((-0.8, -0.9), (-0.8, 0.3), (-0.5, 0.8), (0.0, 0.95), (0.5, 0.8), (0.8, 0.3), (0.8, -0.9)),),
    "ladder": (((-0.7, -1.0), (-0.7, 1.0)), ((0.7, -1.0), (0.7, 1.0)), ((-0.7, 0.0), (0.7, 0.0))),
    "arrow": (((-0.1, -0.9), (0.8, 0.0), (-0.1, 0.9)), ((-0.9, 0.0), (0.8, 0.0))),
}


def build_glyphs(
    image_size: int = 28, num_channels: int = 1, seed: int = 0, sizes: dict[str, int] | None = None
) -> dict[str, LabelledImages]:
    """Draws the splits `train`, `validation` and `test`; the same bytes for the same seed.

    A glyph is light on dark. Its place, height, width, slant, turn, thickness and brightness, the ends of its lines
    and some noise over the picture are drawn anew for each image. Fewer images of a split are its first ones.

    Args:
        image_size: height and width in pixels, from 16 to 64.
        num_channels: 1, or 3 for three equal channels.
        seed: of all draws.
        sizes: images of each split; `SPLIT_SIZES` if `None`.

    Raises:
        ValueError: the size or the channels are others.
    """
    if not 16 <= image_size <= 64:
        raise ValueError(f"the glyphs of the built-in corpus are from 16 to 64 pixels high, not {image_size}")
    if num_channels not in (1, 3):
        raise ValueError(f"num_channels must be 1 (grey) or 3 (colour), got {num_channels}")
    splits = {}
    for split, count in (SPLIT_SIZES if sizes is None else sizes).items():
        pixels, labels = _split(image_size, count, np.random.SeedSequence((seed, _SEEDS[split])))
        splits[split] = LabelledImages(np.repeat(pixels[..., None], num_channels, 3), labels, list(GLYPHS))
    return splits


def _split(size: int, count: int, seed: np.random.SeedSequence) -> tuple[np.ndarray, np.ndarray]:
    """Grey bytes `(count, size, size)`, and the glyph of each."""
    shape, grain = (np.random.default_rng(one) for one in seed.spawn(2))
    points = max(sum(map(len, lines)) for lines in GLYPHS.values())
    # One row of numbers an image, so that the first images are the same for every count.
    drawn = shape.random((count, 10 + 2 * points))
    labels = (drawn[:, 0] * len(GLYPHS)).astype(np.int64)
    pixels = np.empty((count, size, size), np.uint8)
    for label, lines in enumerate(GLYPHS.values()):
        rows = np.flatnonzero(labels == label)
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            pixels[part] = _draw(lines, drawn[part, 1:], size)
    # From none to a tenth of the full brightness, up and down.
    strength = (drawn[:, 9] * drawn[:, 9] * 26).astype(np.int16)
    for start in range(0, count, _CHUNK):
        part = slice(start, start + _CHUNK)
        noise = grain.integers(-127, 128, pixels[part].shape, np.int16) * strength[part, None, None] // 127
        pixels[part] = (pixels[part] + noise).clip(0, 255)
    return pixels, labels


def _draw(lines: tuple[tuple[tuple[float, float], ...], ...], drawn: np.ndarray, size: int) -> np.ndarray:
    """Images `(n, size, size)` of one glyph; `drawn` holds the numbers in [0, 1) that are each one's own."""
    unit = drawn.astype(np.float32)
    signed = 2 * unit - 1
    half = np.float32(size / 2)
    height, width = half * (0.48 + 0.27 * unit[:, 0]), half * (0.42 + 0.30 * unit[:, 1])
    slant = 0.30 * signed[:, 2]
    tangent = 0.09 * signed[:, 3]  # of half of the angle by which it is turned
    cosine, sine = (1 - tangent * tangent) / (1 + tangent * tangent), 2 * tangent / (1 + tangent * tangent)
    across, down = half - 0.5 + 0.18 * half * signed[:, 4], half - 0.5 + 0.18 * half * signed[:, 5]
    thickness = half * (0.05 + 0.09 * unit[:, 6])  # half of a line's width
    brightness = 170 + 85 * unit[:, 7]
    jitter = iter(0.09 * signed[:, 9:].T)

    def placed(point: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        x, y = np.float32(point[0]) + next(jitter), np.float32(point[1]) + next(jitter)
        x, y = (x - slant * y) * width, y * height
        return across + cosine * x - sine * y, down + sine * x + cosine * y

    columns, rows = (
        np.arange(size, dtype=np.float32)[shape] for shape in ((None, None, slice(None)), (None, slice(None), None))
    )
    nearest = np.full((len(drawn), size, size), np.inf, np.float32)
    for line in lines:
        corners = [placed(point) for point in line]
        if line[0] == line[-1]:
            corners[-1] = corners[0]
        for first, second in pairwise(corners):
            np.minimum(nearest, _squared_distance(columns, rows, first, second), out=nearest)
    ink = (thickness[:, None, None] + np.float32(0.5) - np.sqrt(nearest)).clip(0, 1)
    return (ink * brightness[:, None, None]).astype(np.uint8)


def _squared_distance(
    columns: np.ndarray, rows: np.ndarray, first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """From each pixel to the line between two points, `(n, size, size)`."""
    x, y = (part[:, None, None] for part in first)
    along, below = ((end - start)[:, None, None] for start, end in zip(first, second, strict=True))
    across, down = columns - x, rows - y
    share = ((across * along + down * below) / (along * along + below * below + np.float32(1e-6))).clip(0, 1)
    across, down = across - share * along, down - share * below
    return across * across + down * down


__all__ = ["GLYPHS", "SPLIT_SIZES", "build_glyphs"]
