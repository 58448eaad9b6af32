"""What latent graphs over images have learned: what they tell of the next units, and how sparse they are."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_pixels import pixel_values
from hf_arae.metrics.numbers import Number
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import from_main

_BATCH = 32

NUMBERS = {
    "next_units_nll": Number(
        "-log p of the next units (nats a value)",
        "How badly each unit of held-out images tells the values of those of its window that come later in raster "
        "order and, mirrored, earlier; lower is better.",
        in_metadata=True,
    ),
}


class ImageGraphEvaluator:
    """Evaluator for the loop, for a `GlomoImageForPreTraining`: `next_units_nll`, `edges` and `empty_columns` (%).

    Args:
        processor: the model's.
        images: held-out ones.
    """

    def __init__(self, processor: Any, images: LabelledImages):
        self.pixel_values = pixel_values(images, processor)

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        return from_main(lambda: self._evaluate(model))

    @torch.no_grad()
    def _evaluate(self, model: PreTrainedModel) -> Evaluation:
        training, sums = model.training, torch.zeros(5, dtype=torch.float64)
        model.eval()
        try:
            for part in self.pixel_values.split(_BATCH):
                for found in model.predictions(part.to(model.device)).values():
                    values = (found.total, found.count, found.columns, found.empty, found.edges)
                    sums += torch.tensor([float(value) for value in values], dtype=torch.float64)
        finally:
            model.train(training)
        total, count, columns, empty, edges = sums.tolist()
        return Evaluation(
            {
                "next_units_nll": total / max(1.0, count),
                "edges": edges / max(1.0, columns),
                "empty_columns": 100 * empty / max(1.0, columns),
            }
        )


__all__ = ["ImageGraphEvaluator"]
