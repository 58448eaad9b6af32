"""The variational autoencoder for text."""

from hf_arae.models.vae.configuration_vae import VaeConfig
from hf_arae.models.vae.modeling_vae import VaeModel

__all__ = ["VaeConfig", "VaeModel"]
