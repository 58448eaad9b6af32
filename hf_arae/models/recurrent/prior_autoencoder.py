"""Text autoencoders whose codes have a fixed prior: new sentences are written from draws of it."""

from __future__ import annotations

import torch
from torch import Tensor

from hf_arae.models.recurrent.autoencoder import TextAutoencoder
from hf_arae.models.recurrent.autoencoder_config import PriorAutoencoderConfig
from hf_arae.nn.priors import FixedPrior


class PriorAutoencoder(TextAutoencoder):
    """A [`TextAutoencoder`] with a fixed prior of codes.

    Args:
        config: sizes, switches and the prior.
    """

    config: PriorAutoencoderConfig
    config_class = PriorAutoencoderConfig

    def __init__(self, config: PriorAutoencoderConfig):
        super().__init__(config, encoder_size=config.hidden_size)
        self.prior = FixedPrior(config.prior_sparsity, config.prior_spike_std)

    def sample_codes(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Draws codes from the prior, `(num_samples, code_size)`; the same on every device."""
        codes = self.prior.draw(
            torch.empty(num_samples, self.config.code_size),
            lambda like: torch.randn(like.shape, generator=generator),
            lambda like: torch.rand(like.shape, generator=generator),
        )
        return codes.to(self.device, self.dtype)


__all__ = ["PriorAutoencoder"]
