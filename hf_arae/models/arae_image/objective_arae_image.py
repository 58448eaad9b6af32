"""Training of an ARAE of images: reconstruct; criticise; imitate; conceal (thesis, Algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

from hf_arae.models.ae_image.objective_ae_image import AeImageObjective, AeImageObjectiveArguments
from hf_arae.models.arae_image.modeling_arae_image import AraeImageModel
from hf_arae.models.objectives.adversarial import AdversarialArguments, AdversarialObjective
from hf_arae.utils.defaults import other_default


@dataclass
class AraeImageObjectiveArguments(AeImageObjectiveArguments, AdversarialArguments):  # the first one's defaults win
    """Settings of the objective, each of them a flag; those of both bases.

    The defaults are those that were measured to be better on digits than the published ones, which a preset has.
    """

    critic_learning_rate: float = other_default(AdversarialArguments, "critic_learning_rate", 5e-4)
    generator_learning_rate: float = other_default(AdversarialArguments, "generator_learning_rate", 5e-4)
    gradient_penalty: float = other_default(AdversarialArguments, "gradient_penalty", 10.0)
    encoder_learning_rate: float = other_default(AdversarialArguments, "encoder_learning_rate", 5e-5)


class AraeImageObjective(AdversarialObjective, AeImageObjective):
    """The phases of ARAE, see [`AdversarialObjective`], for images.

    Batches: `pixel_values` `(batch, num_channels, image_size, image_size)`.

    Args:
        model: an [`AraeImageModel`].
        settings: see [`AraeImageObjectiveArguments`].

    Raises:
        ValueError: a gradient penalty is asked of a critic with batch norm.
    """

    def __init__(self, model: AraeImageModel, settings: AraeImageObjectiveArguments | None = None):
        super().__init__(model, settings or AraeImageObjectiveArguments())
        if model.config.critic_batch_norm and self.settings.lipschitz == "gradient_penalty":
            raise ValueError(
                "critic_batch_norm ties a batch's examples together, and lipschitz=gradient_penalty is of each: leave "
                "batch norm out, or choose weight_clipping"
            )


__all__ = ["AraeImageObjective", "AraeImageObjectiveArguments"]
