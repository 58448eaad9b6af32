"""Adversarially regularized autoencoder for text: one continuous code, a generator of codes, decoders by attribute."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import initialization as init

from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.recurrent.autoencoder import TextAutoencoder
from hf_arae.models.recurrent.labelled_decoders import LabelledDecoders
from hf_arae.nn.mlp import Mlp


class AraeModel(LabelledDecoders, TextAutoencoder):
    """ARAE for text (thesis, chapter 4): encoder, decoders, generator, critic and, for transfer, a code classifier.

    Codes have norm 1 if `normalize_code`. The encoder reads no label: codes are to be those of any.

    Args:
        config: sizes and switches; with two or more attributes there is a classifier of codes.
    """

    config: AraeConfig
    config_class = AraeConfig
    base_model_prefix = "arae"  # its name in models that are built around it
    _other_heads = ("pair_classifier",)

    def __init__(self, config: AraeConfig):
        super().__init__(config, **config.encoder_sizes())
        gain = config.code_size**0.5 if config.amplify_adversary else 1.0
        self.generator = Mlp(
            config.latent_size,
            config.generator_sizes,
            config.code_size,
            "relu",
            batch_norm=config.generator_batch_norm,
            bounded=True,
            output_scale=1 / gain,
            shortcut=config.generator_shortcut,
        )
        self.critic = Mlp(config.code_size, config.critic_sizes, 1, input_scale=gain)
        if config.num_attributes > 1:
            self.classifier = Mlp(config.code_size, config.classifier_sizes, config.num_attributes)
        self.post_init()
        self._set_generation_defaults()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """As the base does, with a small output layer of the generator."""
        if module is self.generator.output_layer:
            # Generated codes begin inside the sphere that real ones lie on. At the scale of 1 a coordinate they would
            # be code_size ** 0.5 long, and the critic's first lesson would be their length alone.
            init.normal_(module.weight, 0.0, 0.02)
            init.zeros_(module.bias)
        elif module is self.generator.shortcut:  # what it gives begins as long as real codes are
            length = 1 if self.config.amplify_adversary else self.config.code_size**-0.5
            init.normal_(module.weight, 0.0, length * module.in_features**-0.5)
        else:
            super()._init_weights(module)

    def generate_codes(self, latent: Tensor) -> Tensor:
        """Maps z `(batch, latent_size)` to generated codes `(batch, code_size)` in (-1, 1)."""
        return self.generator(latent)

    def sample_codes(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Draws z ~ N(0, I) and maps it to codes, `(num_samples, code_size)`, with noise if `draw_noise` is set."""
        latent = torch.randn(num_samples, self.config.latent_size, generator=generator).to(self.device)
        codes = self.generate_codes(latent.to(self.dtype))  # (num_samples, code_size)
        if self.config.draw_noise:
            codes = codes + self.config.draw_noise * torch.randn(codes.shape, generator=generator).to(codes)
        return codes


__all__ = ["AraeModel"]
