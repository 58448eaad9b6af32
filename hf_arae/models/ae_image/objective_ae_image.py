"""Training of a plain autoencoder of images: reconstruct, with noise on codes."""

from __future__ import annotations

from dataclasses import dataclass

from hf_arae.models.ae_image.modeling_ae_image import AeImageModel
from hf_arae.models.objectives.autoencoder import AutoencoderArguments, AutoencoderObjective
from hf_arae.utils.defaults import other_default


@dataclass
class AeImageObjectiveArguments(AutoencoderArguments):
    """Settings of the objective, each of them a flag; those of [`AutoencoderArguments`], for black and white digits.

    The published noise on codes is 0.4 a coordinate, times 0.99 every 100 updates, beside a code of norm 1.
    """

    autoencoder_optimizer: str = other_default(AutoencoderArguments, "autoencoder_optimizer", "adam")
    autoencoder_learning_rate: float = other_default(AutoencoderArguments, "autoencoder_learning_rate", 5e-4)
    max_grad_norm: float = other_default(AutoencoderArguments, "max_grad_norm", 0.0)
    noise_std: float = other_default(AutoencoderArguments, "noise_std", 0.04)
    noise_decay: float = other_default(AutoencoderArguments, "noise_decay", 1.0)


class AeImageObjective(AutoencoderObjective):
    """-log p(x | enc(x) + noise), summed over pixels, mean over images: the one phase of an autoencoder.

    Batches: `pixel_values` `(batch, num_channels, image_size, image_size)`.

    Args:
        model: an [`AeImageModel`].
        settings: see [`AeImageObjectiveArguments`].
    """

    players = {"autoencoder": ("encoder", "decoder")}

    def __init__(self, model: AeImageModel, settings: AeImageObjectiveArguments | None = None):
        super().__init__(model, settings or AeImageObjectiveArguments())


__all__ = ["AeImageObjective", "AeImageObjectiveArguments"]
