"""Adversarial autoencoder of images."""

from __future__ import annotations

from hf_arae.models.aae_image.configuration_aae_image import AaeImageConfig
from hf_arae.models.images.prior_autoencoder import PriorImageAutoencoder
from hf_arae.nn.mlp import Mlp


class AaeImageModel(PriorImageAutoencoder):
    """AAE of images: an autoencoder whose codes a discriminator cannot tell from draws of the prior.

    Args:
        config: sizes and switches.
    """

    config: AaeImageConfig
    config_class = AaeImageConfig

    def __init__(self, config: AaeImageConfig):
        super().__init__(config)
        self.discriminator = Mlp(config.code_size, config.discriminator_sizes, 1)
        self.post_init()


__all__ = ["AaeImageModel"]
