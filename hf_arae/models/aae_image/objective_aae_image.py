"""Training of an adversarial autoencoder of images: discriminate; reconstruct and confuse."""

from __future__ import annotations

from dataclasses import dataclass

from hf_arae.models.aae_image.modeling_aae_image import AaeImageModel
from hf_arae.models.objectives.code_discrimination import CodeDiscriminationArguments, CodeDiscriminationObjective
from hf_arae.utils.defaults import other_default


@dataclass
class AaeImageObjectiveArguments(CodeDiscriminationArguments):
    """Settings of the objective, each of them a flag; those of [`CodeDiscriminationArguments`]."""

    max_grad_norm: float = other_default(CodeDiscriminationArguments, "max_grad_norm", 0.0)


class AaeImageObjective(CodeDiscriminationObjective):
    """The phases of an AAE (Makhzani et al. 2016) for images; -log p(x | enc(x)) is summed over pixels.

    Batches: `pixel_values` `(batch, num_channels, image_size, image_size)`.

    Args:
        model: an [`AaeImageModel`].
        settings: see [`AaeImageObjectiveArguments`].
    """

    players = {"discriminator": ("discriminator",), "autoencoder": ("encoder", "decoder")}

    def __init__(self, model: AaeImageModel, settings: AaeImageObjectiveArguments | None = None):
        super().__init__(model, settings or AaeImageObjectiveArguments())


__all__ = ["AaeImageObjective", "AaeImageObjectiveArguments"]
