"""Exported classifiers of images on onnxruntime: pictures in, labels out, numpy between."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from hf_arae.data.images.pixels import binarized, contrasted, open_picture, square_pixels
from hf_arae.data.images.ranges import VALUE_RANGES
from hf_arae.onnx.layout import CLASSIFIER, CONFIG, PROCESSOR, read_json, require_files
from hf_arae.onnx.sessions import OpenedFolder, open_session
from hf_arae.onnx.weights import check_weights
from hf_arae.utils.validation import check_number


class OnnxImageClassifier(OpenedFolder):
    """A classifier of images that was exported by `export_image_classifier`.

    ```python
    from hf_arae.onnx import OnnxImageClassifier

    classify = OnnxImageClassifier.from_pretrained(folder_or_repository)
    classify("digit.png")  # [{"label": "7", "score": 0.98}, ...], the likeliest first
    classify.logits(classify.pixel_values(["digit.png", "another.png"]))
    ```

    An image is a path, bytes of a file, a picture of PIL, or an array as
    [`~hf_arae.data.images.pixels.picture_of_array`] takes. It is read as the model's image processor reads it.

    Args:
        folder: an exported folder.
        providers: onnxruntime's execution providers, the preferred first; the CPU's by default.
        num_threads: threads of each operation; onnxruntime's choice (all cores) if `None`.
        batch_size: images that are read at once.

    Raises:
        ImportError: onnxruntime is not installed.
        FileNotFoundError: a file is missing.
        ValueError: the folder holds another kind of model, a damaged file, or files that do not belong together; a
            provider is not available; `num_threads` or `batch_size` is below 1.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        providers: Sequence[str] | None = None,
        num_threads: int | None = None,
        batch_size: int = 64,
    ):
        check_number("batch_size", batch_size, "[1, inf)", whole=True)
        super().__init__(folder, providers=providers, num_threads=num_threads, batch_size=batch_size)
        folder, self.batch_size = Path(folder).absolute(), batch_size
        require_files(folder, [CONFIG, CLASSIFIER])
        self.config = _read_config(folder / CONFIG)
        self.settings = _read_settings(folder / PROCESSOR, self.config) if (folder / PROCESSOR).is_file() else None
        self._session = open_session(folder / CLASSIFIER, providers, num_threads)
        config = self.config
        image = [config.num_channels, config.image_size, config.image_size]
        found = [[part.name, *part.shape[1:]] for part in (*self._session.get_inputs(), *self._session.get_outputs())]
        wanted = [["pixel_values", *image], ["logits", len(config.id2label)]]
        if found != wanted:
            raise ValueError(f"{folder / CLASSIFIER} does not belong to its config.json: {found}; expected {wanted}")
        check_weights(folder / CLASSIFIER)

    def __call__(self, images: Any, top_k: int = 5) -> list[dict[str, Any]] | list[list[dict[str, Any]]]:
        """Labels of one image or many, as the pipeline "image-classification" gives them.

        Args:
            images: an image, or a list of them.
            top_k: so many labels of each, the likeliest first; >= 1.

        Returns:
            Of an image, a list of `{"label": name, "score": probability}`; of a list, a list of such lists.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: an image cannot be read, `top_k` is no such number, or the folder holds no image processor.
        """
        check_number("top_k", top_k, "[1, inf)", whole=True)
        alone = not isinstance(images, (list, tuple))
        found = []
        for scores in self.probabilities([images] if alone else images):
            order = np.argsort(-scores, kind="stable")[:top_k]
            found.append([{"label": self.config.id2label[int(at)], "score": float(scores[at])} for at in order])
        return found[0] if alone else found

    def probabilities(self, images: Sequence[Any]) -> np.ndarray:
        """Probabilities of the labels, `(images, labels)` float32; the argument is that of `pixel_values`."""
        logits = self.logits(self.pixel_values(images))
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    def pixel_values(self, images: Sequence[Any]) -> np.ndarray:
        """What the model reads of images, float32 `(images, num_channels, image_size, image_size)`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: an image cannot be read, and its number is named; or the folder holds no image processor.
        """
        config, settings = self.config, self.settings
        if settings is None:
            raise ValueError(f"the folder holds no image processor ({PROCESSOR}): use logits, or export with one")
        size, channels = config.image_size, config.num_channels
        pixels = np.empty((len(images), size, size, channels), np.uint8)
        for number, image in enumerate(images):
            try:
                opened = open_picture(image) if isinstance(image, (str, bytes, os.PathLike)) else image
                pixels[number] = square_pixels(opened, size, channels)
            except (ValueError, AttributeError) as error:
                raise ValueError(f"image {number} cannot be read: {error}") from error
        low, high = VALUE_RANGES[config.value_range]
        pixels = contrasted(pixels) if settings.normalize_contrast else pixels
        values = np.moveaxis(binarized(pixels, settings.binarize), 3, 1).astype(np.float32)
        return np.ascontiguousarray(values * np.float32((high - low) / 255) + np.float32(low))

    def logits(self, pixel_values: np.ndarray) -> np.ndarray:
        """Logits of the labels, `(images, labels)` float32.

        Args:
            pixel_values: `(images, num_channels, image_size, image_size)`, in the config's range.

        Raises:
            ValueError: the shape or the range is another, or a value is not finite.
        """
        config, values = self.config, np.asarray(pixel_values)
        wanted = (config.num_channels, config.image_size, config.image_size)
        if values.ndim != 4 or values.shape[1:] != wanted or not np.issubdtype(values.dtype, np.floating):
            raise ValueError(
                f"pixel_values must be fractions (images, {', '.join(map(str, wanted))}), got "
                f"{values.dtype} {values.shape}"
            )
        low, high = VALUE_RANGES[config.value_range]
        if values.size and not (values.min() >= low - 1e-3 and values.max() <= high + 1e-3):  # NaN is in no range
            raise ValueError(
                f"pixel_values must lie in [{low:g}, {high:g}]; they lie in [{values.min():g}, {values.max():g}]"
            )
        values = np.ascontiguousarray(values, np.float32)
        parts = [values[start : start + self.batch_size] for start in range(0, len(values), self.batch_size)]
        found = [self._session.run(["logits"], {"pixel_values": part})[0] for part in parts]
        return np.concatenate(found) if found else np.empty((0, len(config.id2label)), np.float32)


def _read_config(path: Path) -> SimpleNamespace:
    """An exported classifier's `config.json`.

    Raises:
        ValueError: it is none of a classifier of images, as a field is missing or out of its range.
    """
    config = SimpleNamespace(**read_json(path))
    missing = [name for name in ("image_size", "num_channels", "value_range") if not hasattr(config, name)]
    if missing:
        kind = getattr(config, "model_type", None)
        raise ValueError(f"{path} (model_type {kind!r}) is no classifier's of images: it lacks {', '.join(missing)}")
    try:
        check_number("image_size", config.image_size, "[1, 1024]", whole=True)
        if config.num_channels not in (1, 3) or config.value_range not in VALUE_RANGES:
            raise ValueError(f"num_channels {config.num_channels!r} or value_range {config.value_range!r} is none")
        names = getattr(config, "id2label", None) or {"0": "LABEL_0", "1": "LABEL_1"}  # which are not written
        if not isinstance(names, dict) or sorted(names, key=int) != [str(number) for number in range(len(names))]:
            raise ValueError("id2label must name each label, from 0")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    config.id2label = {int(value): str(name) for value, name in names.items()}
    return config


def _read_settings(path: Path, config: SimpleNamespace) -> SimpleNamespace:
    """An image processor's settings.

    Raises:
        ValueError: they are of other images than the model's, or of another kind of image processor.
    """
    found = read_json(path)
    size, side = found.get("size"), config.image_size
    own = {name: getattr(config, name) for name in ("num_channels", "value_range")}
    if size != {"height": side, "width": side} or own != {name: found.get(name) for name in own}:
        raise ValueError(f"{path} is not the model's: size {size}, and the model reads {side} x {side} pixels")
    if found.get("image_mean") is not None or found.get("binarize") not in (None, "threshold", "stochastic"):
        raise ValueError(f"{path} is of an image processor that no model of these has")
    contrast = found.get("normalize_contrast")
    if contrast not in (None, False, True):
        raise ValueError(f"{path} has the normalize_contrast {contrast!r}, which is neither true nor false")
    return SimpleNamespace(binarize=found.get("binarize"), normalize_contrast=contrast)


__all__ = ["OnnxImageClassifier"]
