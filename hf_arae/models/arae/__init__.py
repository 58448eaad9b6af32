"""The adversarially regularized autoencoder for text."""

from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeForSequenceClassification, AraeModel

__all__ = ["AraeConfig", "AraeForSequenceClassification", "AraeModel"]
