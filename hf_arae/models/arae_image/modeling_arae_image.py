"""Adversarially regularized autoencoder of images: one continuous code, a generator of codes, a critic of both."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

from hf_arae.models.arae_image.configuration_arae_image import AraeImageConfig
from hf_arae.models.images.autoencoder import ImageAutoencoder
from hf_arae.models.images.image_model import check_rows
from hf_arae.nn.mlp import Mlp


class AraeImageModel(ImageAutoencoder):
    """ARAE of images (thesis, section 4.3): encoder, decoder, generator g and critic.

    Codes of images have norm 1 if `normalize_code`. Generated codes g(z) lie in (-1, 1), and are decoded as they are.

    Args:
        config: sizes and switches.
    """

    config: AraeImageConfig
    config_class = AraeImageConfig

    def __init__(self, config: AraeImageConfig):
        super().__init__(config)
        gain = config.code_size**0.5 if config.amplify_adversary else 1.0
        self.generator = Mlp(
            config.latent_size,
            config.generator_sizes,
            config.code_size,
            "relu",
            batch_norm=config.generator_batch_norm,
            bounded=True,
            output_scale=1 / gain,
        )
        self.critic = Mlp(
            config.code_size,
            config.critic_sizes,
            1,
            batch_norm=config.critic_batch_norm,
            input_scale=gain,
            plain_layers=1,
        )
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """As the base does; critic and generator as the config says."""
        super()._init_weights(module)
        std = self.config.adversary_init_std
        adversary = (*self.generator.modules(), *self.critic.modules())
        if std is not None and isinstance(module, nn.Linear) and any(module is layer for layer in adversary):
            init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                init.zeros_(module.bias)

    def encode(self, pixel_values: Tensor) -> Tensor:
        """Codes as the base's, of norm 1 if `normalize_code`."""
        codes = self.encoder_state(pixel_values)
        return F.normalize(codes, dim=1) if self.config.normalize_code else codes

    def generate_codes(self, z: Tensor) -> Tensor:
        """Maps z `(batch, latent_size)` to generated codes `(batch, code_size)` in (-1, 1)."""
        return self.generator(check_rows("z", z, self.config.latent_size))


__all__ = ["AraeImageModel"]
