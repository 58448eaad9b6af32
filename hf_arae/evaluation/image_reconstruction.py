"""How near a model's reconstructions come to images; of one whose poolings tell where, with other wheres too."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_pixels import pixel_values, rebuild_images, unit_pixels
from hf_arae.evaluation.what_where import middle_wheres, tells_where
from hf_arae.metrics import ReconstructionQuality
from hf_arae.metrics.numbers import Number
from hf_arae.metrics.reconstruction_quality import LEAST_SIDE
from hf_arae.models.swwae.modeling_swwae import SwwaeModel
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import from_main

_ROWS = 250  # images that a model reads at once
_QUALITY = ("psnr", "ssim")
_WAYS = ("middle", "other")

NUMBERS = {
    "middle_psnr": Number(
        "PSNR without the where (dB)", "The same as `psnr`, every maximum being put into the middle of its square."
    ),
    "middle_ssim": Number("Structural similarity without the where", "The same as `ssim`, so rebuilt."),
    "other_psnr": Number(
        "PSNR with the where of another image (dB)", "The same as `psnr`, every maximum being put where another's was."
    ),
    "other_ssim": Number("Structural similarity with the where of another image", "The same as `ssim`, so rebuilt."),
}


class ImageReconstructionEvaluator:
    """Evaluator for the loop, for models that rebuild images.

    Metrics: `psnr` (dB) and `ssim` of held-out images, pixels being in 0 to 1; and, of a model whose poolings tell
    where, `middle_psnr`, `middle_ssim` with every maximum in the middle of its square, and `other_psnr`, `other_ssim`
    with the where of another image: of image i, image i + half of their number.

    Args:
        processor: the model's.
        images: held-out images, 11 pixels high and wide or more.
        max_images: so many are rebuilt, the first ones.

    Raises:
        ValueError: the images are smaller.
    """

    def __init__(self, processor: Any, images: LabelledImages, max_images: int = 10_000):
        if images.pixels.shape[1] < LEAST_SIDE:
            raise ValueError(
                f"reconstructions are compared in windows of {LEAST_SIDE} pixels, and the images have "
                f"{images.pixels.shape[1]}"
            )
        self.pixel_values = pixel_values(images.take(slice(0, max_images)), processor)

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation of that model."""
        ways = [f"{way}_{name}" for way in _WAYS for name in _QUALITY] if tells_where(model) else []
        return [*_QUALITY, *ways]

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        return Evaluation(from_main(lambda: self._measure(model)))

    def _measure(self, model: PreTrainedModel) -> dict[str, float]:
        values, value_range = self.pixel_values, model.config.value_range
        references = unit_pixels(values, value_range)

        def quality(copies: Tensor) -> dict[str, float]:
            return ReconstructionQuality().compute(predictions=unit_pixels(copies, value_range), references=references)

        found = quality(rebuild_images(model, values))
        if tells_where(model):
            for way in _WAYS:
                found |= {f"{way}_{name}": value for name, value in quality(_rebuilt(model, values, way)).items()}
        return found


@torch.no_grad()
def _rebuilt(model: SwwaeModel, values: Tensor, way: str) -> Tensor:
    """Images of their own what and of no where, or of another's."""
    others, copies = values.roll(-(len(values) // 2), 0), []
    for own, other in zip(values.split(_ROWS), others.split(_ROWS), strict=True):
        what = model.encode(own.to(model.device, model.dtype)).what
        if way == "middle":
            wheres = middle_wheres(model, len(what))
        else:
            wheres = model.encode(other.to(model.device, model.dtype)).wheres
        copies.append(model.decode(what, wheres).float().cpu())
    return torch.cat(copies)


__all__ = ["ImageReconstructionEvaluator"]
