"""How often a classifier of images is wrong, and whether it is as sure as it is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_pixels import pixel_values
from hf_arae.losses.classification import NO_LABEL
from hf_arae.metrics.calibration_error import CalibrationError
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import from_main

_ROWS = 1000  # images that a model reads at once


class ImageClassificationEvaluator:
    """Evaluator for the loop: `classification_error` and `calibration_error` on held-out images, in percent.

    Labels of model and images are matched by their names; an evaluation of a model that lacks one is a `ValueError`.

    Args:
        processor: the model's.
        images: with labels; those without are left out.

    Raises:
        ValueError: no image has a label.
    """

    def __init__(self, processor: Any, images: LabelledImages):
        if images.labels is None or not (images.labels != NO_LABEL).any():
            raise ValueError("none of the held-out images has a label, so no error can be measured on them")
        images = images.take(np.flatnonzero(images.labels != NO_LABEL))
        self.pixel_values, self.labels = pixel_values(images, processor), images.labels
        self.label_names = list(images.label_names)

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation."""
        return ["classification_error", "calibration_error"]

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        return from_main(lambda: self._evaluate(model))

    @torch.no_grad()
    def _evaluate(self, model: PreTrainedModel) -> Evaluation:
        numbers = {name: number for number, name in model.config.id2label.items()}
        unknown = [name for name in self.label_names if name not in numbers]
        if unknown:
            raise ValueError(f"the model does not know the label {unknown[0]!r}; its labels: {', '.join(numbers)}")
        # The same names may stand in another order, in data that were read otherwise.
        labels = np.array([numbers[name] for name in self.label_names])[self.labels]
        parts = self.pixel_values.split(_ROWS)
        logits = torch.cat([model(part.to(model.device, model.dtype)).logits.double().cpu() for part in parts])
        return Evaluation(CalibrationError().compute(predictions=logits.softmax(1), references=labels))
