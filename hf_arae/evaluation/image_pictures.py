"""Pictures of a model's images as PNG files: grids, and the shares of classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from transformers import PreTrainedModel

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_judge import ImageJudge, Readings
from hf_arae.evaluation.image_pixels import (
    as_drawn,
    encode_images,
    pixel_values,
    to_bytes,
    to_unit,
    unit_pixels,
)
from hf_arae.evaluation.what_where import exchange_table, tells_where
from hf_arae.storage.run_files import PICTURES_FOLDER

_WIDTH = 640  # pixels that a grid is about wide, so that cards and TensorBoard show it whole
_GAP, _BORDER = 2, 255  # between images: pixels, and their grey
_LINES, _STEPS = 10, 10  # of interpolations
_NEAREST = 10  # samples whose nearest training images are shown
_MAX_SEARCHED = 60_000  # training images among which they are looked for
_CHUNK = 2000  # of these at once
_COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (170, 68, 153))  # told apart with every colour blindness


def image_grid(images: np.ndarray | Tensor, columns: int, scale: int = 1) -> Image.Image:
    """Images side by side in rows, on white, with a gap between them.

    Args:
        images: bytes `(images, height, width, channels)`, or pixels `(images, channels, height, width)` in [0, 1].
        columns: images in a row; the last row may have fewer.
        scale: each pixel becomes a square of so many.

    Raises:
        ValueError: there are no images, or columns or scale is not positive.
    """
    pixels = to_bytes(images) if isinstance(images, Tensor) else images
    if not len(pixels) or columns < 1 or scale < 1:
        raise ValueError(f"a grid has images, columns and a scale, got {len(pixels)}, {columns} and {scale}")
    pixels = pixels.repeat(scale, 1).repeat(scale, 2)
    count, height, width, channels = pixels.shape
    rows, columns = -(-count // columns), min(columns, count)
    shape = (rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, channels)
    whole = np.full(shape, _BORDER, np.uint8)
    for number, one in enumerate(pixels):
        row, column = divmod(number, columns)
        top, left = row * (height + _GAP) + _GAP, column * (width + _GAP) + _GAP
        whole[top : top + height, left : left + width] = one
    return Image.fromarray(whole[..., 0] if channels == 1 else whole)


def class_bars(shares: Mapping[str, np.ndarray], names: Sequence[str]) -> Image.Image:
    """Bars of the shares of classes, a colour a set of images.

    Args:
        shares: by what each set is, of each class, `(classes,)` in 0..1.
        names: of the classes; those of more than 20 are numbers.
    """
    sets, classes = list(shares), len(names)
    bar = max(min(_WIDTH // (classes * (len(sets) + 1)), 14), 2)
    step, height, left, below = bar * (len(sets) + 1), 200, 44, 22 + 14 * len(sets)
    texts = [str(name)[: max(step // 7, 1)] if classes <= 20 else "" for name in names]
    picture = Image.new("RGB", (left + step * classes + 10, height + 20 + below), "white")
    draw, base = ImageDraw.Draw(picture), height + 10
    highest = max(max(float(one.max()) for one in shares.values()), 1e-9)
    for part in (0, 0.5, 1):
        level = base - round(part * height)
        draw.line([(left, level), (picture.width - 10, level)], (215, 215, 215))
        draw.text((left - 6, level), f"{100 * part * highest:.1f}%", (60, 60, 60), anchor="rm")
    for number, text in enumerate(texts):
        for at, one in enumerate(sets):
            start = left + number * step + bar // 2 + at * bar
            top = base - round(float(shares[one][number]) / highest * height)
            draw.rectangle([start, top, start + bar - 1, base], _COLOURS[at % len(_COLOURS)])
        draw.text((left + (number + 0.5) * step, base + 4), text, (60, 60, 60), anchor="mt")
    for at, one in enumerate(sets):
        line = base + 22 + 14 * at
        draw.rectangle([left, line, left + 8, line + 8], _COLOURS[at % len(_COLOURS)])
        draw.text((left + 14, line + 4), one, (60, 60, 60), anchor="lm")
    return picture


def nearest_images(samples: Tensor, images: LabelledImages) -> np.ndarray:
    """Row numbers of the images nearest to samples, by the distance (l2) of pixels, `(samples,)`.

    Args:
        samples: pixels `(samples, channels, height, width)` in [0, 1].
        images: of the same size.
    """
    wanted = samples.flatten(1)
    best, rows = torch.full((len(samples),), float("inf")), torch.zeros(len(samples), dtype=torch.long)
    for start in range(0, len(images), _CHUNK):
        part = to_unit(images.pixels[start : start + _CHUNK]).flatten(1)
        distances, places = torch.cdist(wanted, part).min(1)
        nearer = distances < best
        best, rows = torch.where(nearer, distances, best), torch.where(nearer, places + start, rows)
    return rows.numpy()


class ImagePictures:
    """Draws the same pictures of a model at each call, into the subfolder `pictures` of a run's folder.

    `new-images.png`, and of binary images `probabilities-of-new-images.png`; `images-and-reconstructions.png`,
    originals above their copies; `lines-between-z.png` and `lines-between-codes.png`, interpolations, ten lines of
    ten images; `what-of-rows-and-where-of-columns.png`, what one image holds at the places of another, of a model
    whose poolings tell where; `new-images-and-nearest-training-images.png`, by pixels; `classes-of-new-images.png`, as
    the judge sees them. Each if the model can do it. Nothing is picked: the first samples of the seed, and the first
    held-out images.

    Args:
        folder: of the run.
        images: held-out ones, as the model sees them.
        train_images: the nearest are looked for among 60 000 of these at most, the first ones; `None`: they are not.
        processor: the model's.
        judge: `None`: classes are not shown.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        images: LabelledImages,
        train_images: LabelledImages | None,
        processor: Any,
        judge: ImageJudge | None,
    ):
        self.folder = Path(folder, PICTURES_FOLDER)
        self.images, self.processor, self.judge = images, processor, judge
        self.train_images = None if train_images is None else train_images.take(slice(0, _MAX_SEARCHED))
        size = images.pixels.shape[1]
        self.scale = 2 if size <= 32 else 1
        self.columns = min(max(_WIDTH // (size * self.scale + _GAP), 2), 10)

    def draw(
        self,
        model: PreTrainedModel,
        samples: Tensor | None,
        copies: Tensor | None,
        readings: Readings | None = None,
    ) -> list[Path]:
        """Draws what there is, and returns the paths.

        Args:
            model: for the lines.
            samples: new images, pixels in [0, 1].
            copies: reconstructions of the first held-out images, pixels in [0, 1].
            readings: of the samples by the judge.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        columns, paths = self.columns, []
        if samples is not None:
            shown = samples[: columns**2]
            paths.append(self._grid("new-images", as_drawn(shown, self.processor)))
            if getattr(self.processor, "binarize", None) is not None:
                paths.append(self._grid("probabilities-of-new-images", shown))
        if copies is not None:
            originals = to_unit(self.images.pixels[: 4 * columns])
            paths.append(self._grid("images-and-reconstructions", _in_turn(originals, copies[: 4 * columns], columns)))
        if model.draws_images:
            paths.append(self._lines("lines-between-z", self._between_z(model)))
        if model.decodes_codes and len(self.images) > 1:
            paths.append(self._lines("lines-between-codes", self._between_codes(model)))
        if tells_where(model):
            shown = pixel_values(self.images.take(slice(0, columns - 1)), self.processor)
            paths.append(self._grid("what-of-rows-and-where-of-columns", exchange_table(model, shown), len(shown) + 1))
        if samples is not None and self.train_images is not None:
            shown = samples[: min(_NEAREST, columns)]
            nearest = to_unit(self.train_images.pixels[nearest_images(shown, self.train_images)])
            name = "new-images-and-nearest-training-images"
            paths.append(self._grid(name, torch.cat([shown, nearest]), len(shown)))
        if readings is not None and self.judge is not None:
            paths.append(self._classes(readings))
        return paths

    def _between_z(self, model: PreTrainedModel) -> Tensor:
        ends = model.sample_z(2 * _LINES, torch.Generator().manual_seed(1))
        return model.interpolate(ends[:_LINES], ends[_LINES:], _STEPS, space="z")

    def _between_codes(self, model: PreTrainedModel) -> Tensor:
        lines = min(_LINES, len(self.images) // 2)
        values = pixel_values(self.images.take(slice(0, 2 * lines)), self.processor)
        codes = encode_images(model, values).to(model.device, model.dtype)
        return model.interpolate(codes[:lines], codes[lines:], _STEPS)

    def _lines(self, name: str, images: Tensor) -> Path:
        return self._grid(name, unit_pixels(images.flatten(0, 1), self.processor.value_range), _STEPS)

    def _grid(self, name: str, images: Tensor, columns: int | None = None) -> Path:
        return self._save(name, image_grid(images, columns or self.columns, self.scale))

    def _classes(self, readings: Readings) -> Path:
        names = self.judge.label_names

        def shares(labels: np.ndarray) -> np.ndarray:
            return np.bincount(labels, minlength=len(names)) / max(len(labels), 1)

        found = {"new images, as the judge sees them": shares(readings.probabilities.argmax(1).numpy())}
        if self.images.labels is not None:
            found["real images, by their labels"] = shares(self.images.labels[self.images.labels >= 0])
        return self._save("classes-of-new-images", class_bars(found, names))

    def _save(self, name: str, picture: Image.Image) -> Path:
        path = self.folder / f"{name}.png"
        unfinished = path.with_name(f".{path.name}.unfinished")
        picture.save(unfinished, "PNG", optimize=True)
        os.replace(unfinished, path)
        return path


def _in_turn(above: Tensor, below: Tensor, columns: int) -> Tensor:
    """A row of the one, then the row of the other that belongs to it, and so on."""
    pairs = zip(above.split(columns), below.split(columns), strict=True)
    return torch.cat([row for pair in pairs for row in pair])
