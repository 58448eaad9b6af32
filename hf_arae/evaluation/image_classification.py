"""How often a classifier of images is wrong, and whether it is as often right as it is sure."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_pixels import pixel_values
from hf_arae.metrics import CalibrationError
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import from_main


class ImageClassificationEvaluator:
    """Evaluator for the loop: `classification_error` and `calibration_error` (%) of a classifier of images.

    Args:
        processor: the model's.
        images: held-out images; those without a label are left out. Their labels are the model's, by number.
        batch_size: images at once.

    Raises:
        ValueError: no image has a label.
    """

    def __init__(self, processor: Any, images: LabelledImages, batch_size: int = 500):
        if images.labels is None or not (images.labels >= 0).any():
            raise ValueError("a classifier is measured on labelled images, and none of these has a label")
        self.images = images.take(np.flatnonzero(images.labels >= 0))
        self.values, self.batch_size = pixel_values(self.images, processor), batch_size

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation of that model."""
        return ["calibration_error", "classification_error"]

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        return Evaluation(from_main(lambda: self._measure(model)))

    @torch.no_grad()
    def _measure(self, model: PreTrainedModel) -> dict[str, float]:
        parts = [
            model(pixel_values=part.to(model.device, model.dtype)).logits.double().softmax(1).cpu()
            for part in self.values.split(self.batch_size)
        ]
        return CalibrationError().compute(predictions=torch.cat(parts), references=self.images.labels)
