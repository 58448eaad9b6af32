"""Adversarial autoencoder for text."""

from __future__ import annotations

from torch import Tensor

from hf_arae.models.aae.configuration_aae import AaeConfig
from hf_arae.models.recurrent.prior_autoencoder import PriorAutoencoder
from hf_arae.nn.mlp import Mlp


class AaeModel(PriorAutoencoder):
    """AAE for text: an autoencoder whose codes a discriminator cannot tell from draws of the prior.

    The encoder is deterministic, and a linear layer makes its last state the code: the state itself lies in (-1, 1).

    Args:
        config: sizes and switches.
    """

    config: AaeConfig
    config_class = AaeConfig

    def __init__(self, config: AaeConfig):
        super().__init__(config)
        self.code_head = Mlp(config.hidden_size, [], config.code_size)
        self.discriminator = Mlp(config.code_size, config.discriminator_sizes, 1)
        self.post_init()
        self._set_generation_defaults()

    def encode(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, attribute: Tensor | None = None
    ) -> Tensor:
        """Codes as the base's, by a linear map of what the encoder gives; no label is read."""
        return self.code_head(self.encoder_state(input_ids, attention_mask))


__all__ = ["AaeModel"]
