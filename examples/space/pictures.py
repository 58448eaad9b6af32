"""Pictures that visitors upload, within bounds, and pictures as HTML."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable
from html import escape

from gradio.utils import get_upload_folder
from PIL import Image, UnidentifiedImageError

MAX_MEGABYTES = 4  # a photograph of a telephone's
_MAX_BYTES, _MAX_PIXELS = MAX_MEGABYTES * 2**20, 20_000_000
# Others are read by code that few people look at, or name files of their own.
_KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


def read_picture(path: str | None) -> Image.Image:
    """Opens an uploaded picture and reads its first frame; what it says of itself is looked at before.

    A program may name any file of the server's as the one that it uploaded, and gradio lets some of them through.

    Raises:
        ValueError: there is none, it is of another kind than those that are read here, too large, or damaged.
    """
    folder = os.path.join(os.path.realpath(get_upload_folder()), "")
    if not isinstance(path, str) or not os.path.realpath(path).startswith(folder) or not os.path.isfile(path):
        raise ValueError("there is no picture: upload one")
    if (size := os.path.getsize(path)) > _MAX_BYTES:
        raise ValueError(f"the picture has {size / 2**20:.1f} MB; at most {MAX_MEGABYTES} MB are read here")
    try:
        with Image.open(path, formats=_KINDS) as picture:
            if picture.width * picture.height <= _MAX_PIXELS:
                picture.load()
                return picture
    except UnidentifiedImageError:
        raise ValueError(f"the picture is of a kind that is not read here; accepted are {', '.join(_KINDS)}") from None
    except Image.DecompressionBombError:
        pass
    except Exception as error:  # decoders raise what they like
        raise ValueError("the picture is damaged or cut off") from error
    raise ValueError(f"the picture is too large: at most {_MAX_PIXELS / 1e6:.0f} million pixels are read here")


def figures(pictures: Iterable[Image.Image], captions: Iterable[str], large: bool = False) -> str:
    """Pictures in a row, each with its caption, which is escaped. They are part of the page: no file is kept."""
    drawn = []
    for picture, caption in zip(pictures, captions, strict=True):
        file, said = io.BytesIO(), escape(caption)
        picture.save(file, "PNG")
        data = base64.b64encode(file.getvalue()).decode("ascii")
        drawn.append(
            f"<figure><img src='data:image/png;base64,{data}' alt='{said}'><figcaption>{said}</figcaption></figure>"
        )
    return f"<div class='pictures{' large' * large}'>{''.join(drawn)}</div>"
