"""What an infilling model is told of its data: words that tell, kinds of words, how usual sentences are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from hf_arae.data.text.word_kinds import word_kinds
from hf_arae.models.infilling.modeling_infilling import InfillingModel
from hf_arae.models.text.attribute_words import count_attribute_words

_SENTENCES = 20_000  # that usualness is measured on, at most


def prepare_model(
    model: InfillingModel, tokenizer: PreTrainedTokenizerBase, train: Dataset, smoothing: float = 5.0
) -> None:
    """Fills a new model's log-odds of words and kinds of words.

    Args:
        model: that is not trained yet.
        tokenizer: its own.
        train: rows of `encode_dataset`, with `attribute`.
        smoothing: added to each word's count of sentences, above 0: a larger one makes less of rare words.
    """
    count_attribute_words(model, tokenizer, train, smoothing)
    words = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    kinds = word_kinds(words, tokenizer.all_special_tokens)
    model.word_kinds.copy_(torch.tensor(kinds, dtype=torch.uint8))


@torch.no_grad()
def measure_usualness(model: InfillingModel, sentences: Sequence[Sequence[int]], attributes: Sequence[int]) -> None:
    """Fills a trained model's percentiles of fluency, by which that of an output becomes a share of real sentences.

    Args:
        model: in evaluation mode.
        sentences: real ones that it was not trained on, token ids with `<bos>` and `<eos>`.
        attributes: their labels.
    """
    inner = [list(sentence[1:-1]) for sentence in sentences[:_SENTENCES]]
    found = model.fluency(inner, list(attributes[:_SENTENCES]))
    model.usualness.copy_(found.quantile(torch.linspace(0, 1, len(model.usualness))))
