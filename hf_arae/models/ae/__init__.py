"""The plain autoencoder for text, which the others are compared with; with noise on words, a denoising one."""

from hf_arae.models.ae.configuration_ae import AeConfig
from hf_arae.models.ae.modeling_ae import AeModel

__all__ = ["AeConfig", "AeModel"]
