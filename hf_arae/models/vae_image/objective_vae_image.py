"""Training of a VAE of images: the evidence lower bound."""

from __future__ import annotations

from dataclasses import dataclass

from hf_arae.models.objectives.elbo import ElboArguments, ElboObjective
from hf_arae.models.vae_image.modeling_vae_image import VaeImageModel
from hf_arae.utils.defaults import other_default


@dataclass
class VaeImageObjectiveArguments(ElboArguments):
    """Settings of the objective, each of them a flag; those of [`ElboArguments`]. The KL counts from the start."""

    learning_rate: float = other_default(ElboArguments, "learning_rate", 5e-4)
    max_grad_norm: float = other_default(ElboArguments, "max_grad_norm", 0.0)
    annealing: str = other_default(ElboArguments, "annealing", "none")


class VaeImageObjective(ElboObjective):
    """The phase of [`ElboObjective`], for images; -log p(x | z) is summed over pixels.

    Batches: `pixel_values` `(batch, num_channels, image_size, image_size)`.

    Args:
        model: a [`VaeImageModel`].
        settings: see [`VaeImageObjectiveArguments`].
    """

    players = {"autoencoder": ("encoder", "decoder")}

    def __init__(self, model: VaeImageModel, settings: VaeImageObjectiveArguments | None = None):
        super().__init__(model, settings or VaeImageObjectiveArguments())


__all__ = ["VaeImageObjective", "VaeImageObjectiveArguments"]
