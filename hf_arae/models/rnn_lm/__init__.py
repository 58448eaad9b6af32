"""Recurrent language model: the judge behind perplexity and reverse perplexity, and a writer of text."""

from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM, RnnLmOutput

__all__ = ["RnnLmConfig", "RnnLmForCausalLM", "RnnLmOutput"]
