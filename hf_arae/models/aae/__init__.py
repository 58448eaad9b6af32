"""The adversarial autoencoder for text, plain or denoising."""

from hf_arae.models.aae.configuration_aae import AaeConfig
from hf_arae.models.aae.modeling_aae import AaeModel

__all__ = ["AaeConfig", "AaeModel"]
