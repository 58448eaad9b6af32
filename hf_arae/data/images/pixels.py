"""Pictures of any kind as bytes of one size: what loading and image processors do alike."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np

try:
    from PIL import Image, ImageOps, UnidentifiedImageError
except ImportError as error:
    raise ImportError("pillow is not installed: pip install pillow, or hf_arae[images]") from error

_ROWS = 1000  # images that are turned into floats at once
_TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")


def open_picture(source: bytes | str | Path) -> Image.Image:
    """Opens a picture of bytes or of a file and reads its first frame.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no picture, or not whole.
    """
    named = "the picture" if isinstance(source, bytes) else str(source)
    try:
        picture = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
        picture.load()
    except FileNotFoundError:
        raise
    except UnidentifiedImageError as error:
        raise ValueError(f"{named} is of no known kind of pictures") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{named} is too large: {error}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what decoders raise
        raise ValueError(f"{named} is damaged or cut off: {error}") from error
    return picture


def square_pixels(picture: Image.Image | np.ndarray, size: int, num_channels: int) -> np.ndarray:
    """The bytes of a picture `(size, size, num_channels)`: turned upright, its middle square, scaled.

    The rotation that a camera wrote down is carried out. What is transparent is seen before white. Sixteen bits
    become eight. Palettes, CMYK and the like become colour; grey is the weighted sum of ITU-R 601-2, and grey that is
    to be colour has three equal channels.

    Args:
        picture: of PIL (its current frame), or an array as `picture_of_array` takes.
        size: height and width in pixels.
        num_channels: 1 or 3.

    Raises:
        ValueError: the picture is damaged, holds other numbers than pixels, or no pixel.
    """
    if isinstance(picture, np.ndarray):
        picture = picture_of_array(picture)
    try:
        picture.load()
    except (OSError, SyntaxError) as error:  # opened, and not read until now
        raise ValueError(f"the picture is damaged or cut off: {error}") from error
    picture = _eight_bits(_upright(picture))
    if picture.mode in _TRANSPARENT or "transparency" in picture.info:
        picture = picture.convert({"La": "LA"}.get(picture.mode, "RGBA")).convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    if picture.mode not in ("1", "L"):  # grey comes from colour, whatever the picture was
        picture = picture.convert("RGB")
    picture = picture.convert("L" if num_channels == 1 else "RGB")
    width, height = picture.size
    if not width or not height:
        raise ValueError(f"a picture of {width} x {height} pixels holds none")
    if (width, height) != (size, size):
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        box = (left, top, left + side, top + side)
        picture = picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(picture, np.uint8).reshape(size, size, num_channels)


def binarized(pixels: np.ndarray, how: str | None, source: np.random.Generator | None = None) -> np.ndarray:
    """Images in black and white.

    Args:
        pixels: uint8 `(images, height, width, channels)`.
        how: `"threshold"`: white from half of the brightest on; `"stochastic"`: with the grey value's probability;
            `None`: images stay as they are.
        source: of the draws; `None`: each image's own, which depend on the image alone.
    """
    if how == "threshold":
        return (pixels > 127) * np.uint8(255)
    if how == "stochastic":
        # 255 is above every draw, and 0 above none.
        return (pixels > _draws(pixels, source)) * np.uint8(255)
    return pixels


def contrasted(pixels: np.ndarray) -> np.ndarray:
    """Images of one brightness and contrast.

    All channels together, each has half of the range as its mean and a quarter of it as its deviation; what lies
    beyond the ends is cut off. An image of one value becomes grey.

    Args:
        pixels: uint8 `(images, height, width, channels)`.
    """
    found = np.empty_like(pixels)
    for start in range(0, len(pixels), _ROWS):
        part = pixels[start : start + _ROWS].astype(np.float64)
        mean, deviation = (of(axis=(1, 2, 3), keepdims=True) for of in (part.mean, part.std))
        even = (part - mean) / np.maximum(deviation, 1.0) * (255 / 4) + 255 / 2
        found[start : start + _ROWS] = np.rint(even).clip(0, 255)
    return found


def _draws(pixels: np.ndarray, source: np.random.Generator | None) -> np.ndarray:
    if source is not None:
        return source.integers(0, 255, pixels.shape, np.uint8)
    own = [np.random.default_rng(zlib.crc32(one.tobytes())).integers(0, 255, one.shape, np.uint8) for one in pixels]
    return np.stack(own) if own else np.empty(pixels.shape, np.uint8)


def picture_of_array(values: Any) -> Image.Image:
    """An array as a picture.

    Args:
        values: `(height, width)`, `(height, width, channels)` or `(channels, height, width)` with 1, 3 or 4 channels
            (if it could be both, the channels come first); whole numbers from 0 to 255, truth values, uint16, or
            fractions in [0, 1], which are rounded to 256 steps.

    Raises:
        ValueError: the shape or the numbers are others.
    """
    values = np.asarray(values)
    if values.ndim == 3 and values.shape[0] in (1, 3, 4):
        values = np.moveaxis(values, 0, 2)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if not (values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (3, 4))) or not values.size:
        raise ValueError(
            f"an image must be (height, width), or have 1, 3 or 4 channels first or last; got {values.shape}"
        )
    return Image.fromarray(_bytes(values))


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # what a camera wrote beside the pixels is damaged, for which PIL has errors of many kinds
        return picture


def _bytes(values: np.ndarray) -> np.ndarray:
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if values.dtype == bool:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if np.issubdtype(values.dtype, np.floating):
        if not (values.min() >= -1e-3 and values.max() <= 1 + 1e-3):  # NaN is in no range
            raise ValueError(
                f"an image of fractions must lie in [0, 1]; it lies in [{values.min():g}, {values.max():g}]"
            )
        return np.rint(values.astype(np.float32).clip(0, 1) * 255).astype(np.uint8)
    if np.issubdtype(values.dtype, np.integer):
        if values.min() < 0 or values.max() > 255:
            raise ValueError(
                f"an image of whole numbers must lie in [0, 255]; it lies in [{values.min()}, {values.max()}]"
            )
        return values.astype(np.uint8)
    raise ValueError(f"an image must hold numbers, got {values.dtype}")


def _eight_bits(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        return Image.fromarray(_bytes(np.asarray(picture).astype(np.uint16)))
    if picture.mode == "I":  # of a file with sixteen bits, unless no value needs more than eight
        values = np.asarray(picture)
        wide = values.size and values.max() > 255
        if values.size and (values.min() < 0 or values.max() > 65535):
            raise ValueError(f"its pixels lie in [{values.min()}, {values.max()}], beyond sixteen bits")
        return Image.fromarray(_bytes(values.astype(np.uint16 if wide else np.uint8)))
    if picture.mode == "F":
        return Image.fromarray(_bytes(np.asarray(picture)))
    return picture


__all__ = ["binarized", "contrasted", "open_picture", "picture_of_array", "square_pixels"]
