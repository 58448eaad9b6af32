"""The adversarially regularized autoencoder for text."""

from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel, AraeOutput

__all__ = ["AraeConfig", "AraeModel", "AraeOutput"]
