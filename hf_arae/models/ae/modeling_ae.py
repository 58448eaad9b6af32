"""Plain autoencoder for text: one continuous code, and a decoder, or one for each label."""

from __future__ import annotations

import torch
from torch import Tensor

from hf_arae.models.ae.configuration_ae import AeConfig
from hf_arae.models.recurrent.autoencoder import TextAutoencoder
from hf_arae.models.recurrent.labelled_decoders import LabelledDecoders


class AeModel(LabelledDecoders, TextAutoencoder):
    """A sentence x is encoded to c = enc(x), and p(x | c) writes it back (thesis, section 4.2).

    Nothing says where codes lie, so it has none to draw for new sentences.

    Args:
        config: sizes and switches.
    """

    config: AeConfig
    config_class = AeConfig
    draws_codes = False

    def __init__(self, config: AeConfig):
        super().__init__(config, **config.encoder_sizes())
        self.post_init()
        self._set_generation_defaults()

    def encode(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, attribute: Tensor | None = None
    ) -> Tensor:
        """Maps token ids `(batch, sequence)` to codes `(batch, code_size)`, of norm 1 if `normalize_code`.

        Args:
            input_ids: `<bos> ... <eos>`, padded; on the right, as the tokenizer does, is fastest.
            attention_mask: 1 for tokens, 0 for what is not to be read; derived from the padding token if `None`.
            attribute: not read.
        """
        return self.encoder_state(input_ids, attention_mask)

    def sample_codes(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Refuses: a plain autoencoder knows of no codes but those of sentences.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "a plain autoencoder draws no codes of new sentences. encode() sentences, and decode() what lies between "
            "or around their codes"
        )


__all__ = ["AeModel"]
