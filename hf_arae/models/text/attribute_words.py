"""Which words give an attribute away: counted in the training data, kept in the model."""

from __future__ import annotations

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from hf_arae.data.text.salience import attribute_log_odds
from hf_arae.data.text.token_arrays import flat_column
from hf_arae.models.text.text_model import TextModel


def count_attribute_words(
    model: TextModel, tokenizer: PreTrainedTokenizerBase, train: Dataset, smoothing: float = 5.0
) -> None:
    """Fills a new model's log-odds of words: which words are hidden from an encoder, or opened by an editor.

    Args:
        model: with two or more attributes, and the buffer `attribute_log_odds`.
        tokenizer: names the tokens that are no words.
        train: rows of `encode_dataset`, with `attribute`.
        smoothing: added to each word's count of sentences, above 0: a larger one spares rare words.
    """
    tokens, lengths = flat_column(train, "input_ids")
    sentences = np.split(tokens, lengths.cumsum()[:-1])
    config, special = model.config, tokenizer.all_special_ids
    values = train["attribute"][:]
    odds = attribute_log_odds(sentences, values, config.vocab_size, config.num_attributes, smoothing, special)
    model.attribute_log_odds.copy_(odds)
