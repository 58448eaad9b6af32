"""How GLoMo's graphs over images are learned: from what features along them tell of the units that follow."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hf_arae.models.glomo.graph_reader import Prediction
from hf_arae.models.glomo.objective_glomo import GlomoObjective, GlomoObjectiveArguments
from hf_arae.models.glomo_image.modeling_glomo_image_pretraining import GlomoImageForPreTraining
from hf_arae.training.objective import Batch
from hf_arae.utils.defaults import other_default


@dataclass
class GlomoImageObjectiveArguments(GlomoObjectiveArguments):
    """Settings of the objective, each of them a flag; those of [`GlomoObjectiveArguments`], for small models."""

    optimizer: str = other_default(GlomoObjectiveArguments, "optimizer", "adam")
    learning_rate: float = other_default(GlomoObjectiveArguments, "learning_rate", 2e-3)
    max_grad_norm: float = other_default(GlomoObjectiveArguments, "max_grad_norm", 1.0)


class GlomoImageObjective(GlomoObjective):
    """One phase: the mean of both directions' -log p of the window's later units, in nats a value.

    Batches: `pixel_values` `(batch, channels, size, size)`.

    Args:
        model: a [`GlomoImageForPreTraining`].
        settings: see [`GlomoImageObjectiveArguments`].
    """

    def __init__(self, model: GlomoImageForPreTraining, settings: GlomoImageObjectiveArguments | None = None):
        super().__init__(model, settings or GlomoImageObjectiveArguments())

    def _predictions(self, batch: Batch) -> dict[str, Prediction]:
        images = self.model.check_first_batch(batch["pixel_values"])
        mask = torch.ones(len(images), self.model.config.context_length, dtype=torch.bool, device=images.device)
        return self.model.predictions(images, self._positions(mask))


__all__ = ["GlomoImageObjective", "GlomoImageObjectiveArguments"]
