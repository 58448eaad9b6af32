"""Autoencoders of images whose codes have a fixed prior: new images are decoded from draws of it."""

from __future__ import annotations

from typing import ClassVar

from huggingface_hub.dataclasses import strict
from torch import Tensor

from hf_arae.models.images.autoencoder import ImageAutoencoder
from hf_arae.models.images.autoencoder_config import ImageAutoencoderConfig
from hf_arae.models.images.image_model import check_rows
from hf_arae.nn.priors import FixedPrior


@strict
class PriorImageAutoencoderConfig(ImageAutoencoderConfig):
    """Sizes and switches of such an autoencoder: its z are its codes. Fields as in [`ImageAutoencoderConfig`].

    Codes have the standard normal as their prior, whose coordinates have the size of 1 already.
    """

    attribute_map: ClassVar[dict[str, str]] = {"latent_size": "code_size"}

    amplify_code: bool = False


class PriorImageAutoencoder(ImageAutoencoder):
    """An [`ImageAutoencoder`] whose codes have the prior N(0, I).

    Args:
        config: sizes and switches.
        encoder_outputs: see the base.
    """

    config: PriorImageAutoencoderConfig
    config_class = PriorImageAutoencoderConfig

    def __init__(self, config: PriorImageAutoencoderConfig, encoder_outputs: int | None = None):
        super().__init__(config, encoder_outputs)
        self.prior = FixedPrior()

    def generate_codes(self, z: Tensor) -> Tensor:
        """Draws of the prior, which are codes as they are."""
        return check_rows("z", z, self.config.latent_size)


__all__ = ["PriorImageAutoencoder", "PriorImageAutoencoderConfig"]
