"""Plain autoencoder for text: one continuous code, and a decoder, or one for each label."""

from __future__ import annotations

from hf_arae.models.ae.configuration_ae import AeConfig
from hf_arae.models.recurrent.autoencoder import TextAutoencoder
from hf_arae.models.recurrent.labelled_decoders import LabelledDecoders


class AeModel(LabelledDecoders, TextAutoencoder):
    """A sentence x is encoded to c = enc(x), and p(x | c) writes it back (thesis, section 4.2).

    Nothing says where codes lie, so it has none to draw for new sentences. They have norm 1 if `normalize_code`.

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


__all__ = ["AeModel"]
