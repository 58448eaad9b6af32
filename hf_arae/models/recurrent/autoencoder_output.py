"""What a text autoencoder returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from transformers.utils import ModelOutput

from hf_arae.nn.text.recurrent_cache import RecurrentCache


@dataclass
class TextAutoencoderOutput(ModelOutput):
    """Output of a [`TextAutoencoder`].

    Args:
        encoder_last_hidden_state: the code, `(batch, 1, code_size)`. First, so that the feature-extraction pipeline
            returns it.
        loss: reconstruction cross-entropy in nats per token, if `labels` were given.
        logits: `(batch, sequence, vocab_size)`, if `decoder_input_ids` or `labels` were given.
        cache: the decoder's state after the last token, if `use_cache`.
    """

    encoder_last_hidden_state: Tensor | None = None
    loss: Tensor | None = None
    logits: Tensor | None = None
    cache: RecurrentCache | None = None


__all__ = ["TextAutoencoderOutput"]
