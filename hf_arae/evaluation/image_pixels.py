"""Between bytes of images, the values that a model reads and writes, and pixels in [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.latent_codes import CodeGaussian
from hf_arae.models.images.image_config import VALUE_RANGES

_ROWS = 500  # images that are turned into floats at once


def to_unit(pixels: np.ndarray) -> Tensor:
    """Bytes `(images, height, width, channels)` as pixels `(images, channels, height, width)` in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255


def to_bytes(pixels: Tensor) -> np.ndarray:
    """Pixels `(images, channels, height, width)` in [0, 1] as bytes `(images, height, width, channels)`."""
    return (pixels.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()


def unit_pixels(pixel_values: Tensor, value_range: str) -> Tensor:
    """What a model reads or writes as pixels in [0, 1], float32 on the CPU.

    Args:
        pixel_values: `(images, channels, height, width)`.
        value_range: of the model's config.
    """
    low, high = VALUE_RANGES[value_range]
    return ((pixel_values.detach().float().cpu() - low) / (high - low)).clamp(0, 1)


def as_drawn(pixels: Tensor, processor: Any, seed: int = 0) -> Tensor:
    """What a model means by the pixels that it writes: itself or, of binary images, these for their probabilities.

    Args:
        pixels: in [0, 1].
        processor: the model's. Where it binarises by a threshold, pixels become the likelier value; where it draws
            them, they are drawn.
        seed: of the draws.
    """
    how = getattr(processor, "binarize", None)
    if how is None:
        return pixels
    if how == "threshold":
        return (pixels >= 0.5).float()
    return torch.bernoulli(pixels, generator=torch.Generator().manual_seed(seed))


def pixel_values(images: LabelledImages, processor: Any, seed: int = 0) -> Tensor:
    """Images as a model reads them, `(images, channels, height, width)`; what is drawn depends on the seed alone."""
    source = np.random.default_rng(seed)
    parts = [processor.scale(images.pixels[start : start + _ROWS], source) for start in range(0, len(images), _ROWS)]
    return torch.cat(parts)


def as_read(images: LabelledImages, processor: Any, seed: int = 0) -> LabelledImages:
    """Images as a model sees them: binarised, where its processor does that.

    To be measured against: samples of a model of binary images are to be like binary images, not like grey ones.
    """
    if getattr(processor, "binarize", None) is None:
        return images
    source, parts = np.random.default_rng(seed), []
    for start in range(0, len(images), _ROWS):
        values = processor.scale(images.pixels[start : start + _ROWS], source)
        parts.append(to_bytes(unit_pixels(values, processor.value_range)))
    return LabelledImages(np.concatenate(parts), images.labels, images.label_names)


@torch.no_grad()
def encode_images(model: PreTrainedModel, values: Tensor, batch_size: int = 256) -> Tensor:
    """Codes `(images, code size)` float32 on the CPU, of what `pixel_values` returns."""
    parts = [model.features(part.to(model.device, model.dtype)).flatten(1) for part in values.split(batch_size)]
    return torch.cat(parts).float().cpu()


@torch.no_grad()
def rebuild_images(model: PreTrainedModel, values: Tensor, batch_size: int = 256) -> Tensor:
    """Reconstructions, in the model's range, on the CPU, of what `pixel_values` returns."""
    parts = [model.reconstruct(part.to(model.device, model.dtype)).float().cpu() for part in values.split(batch_size)]
    return torch.cat(parts)


@torch.no_grad()
def decode_images(model: PreTrainedModel, codes: Tensor, batch_size: int = 256) -> Tensor:
    """Images of codes `(images, code size)`, in the model's range, on the CPU."""
    parts = [model.decode(part.to(model.device, model.dtype)).float().cpu() for part in codes.split(batch_size)]
    return torch.cat(parts)


def new_images(
    model: PreTrainedModel, num_samples: int, gaussian: CodeGaussian | None = None, seed: int = 0
) -> Tensor:
    """Draws new images, pixels in [0, 1] on the CPU.

    Args:
        gaussian: fitted to codes, for a model that does not know where codes of new images lie; `None`: it does.

    Raises:
        ValueError: the model draws no images, and there is no Gaussian.
    """
    if gaussian is None:
        return unit_pixels(model.sample(num_samples, seed=seed), model.config.value_range)
    return unit_pixels(decode_images(model, gaussian.draw(num_samples, seed)), model.config.value_range)


def fit_gaussian(model: PreTrainedModel, images: LabelledImages, processor: Any) -> CodeGaussian:
    """A Gaussian of the codes of images, for a model that does not know where codes of new images lie."""
    return CodeGaussian.fit(encode_images(model, pixel_values(images, processor)))
