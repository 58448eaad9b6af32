"""Unsupervised summarization: a discrete autoencoder whose hidden sequence a frozen language model writes."""

from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration, UrsaeOutput

__all__ = ["UrsaeConfig", "UrsaeForConditionalGeneration", "UrsaeOutput"]
