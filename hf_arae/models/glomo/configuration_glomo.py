"""Configuration of GLoMo's graphs over words."""

from __future__ import annotations

from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedTokenizerBase

from hf_arae.models.glomo.graph_config import GraphConfig
from hf_arae.models.glomo.graph_task_config import GraphTaskConfig
from hf_arae.models.text.text_config import TextConfig
from hf_arae.utils.validation import VOCABULARY, WIDTHS, check_choice, check_range

PREDICTIONS = ("units", "sentence")


@strict
class GlomoConfig(TextConfig, GraphConfig, GraphTaskConfig):
    """Sizes of the graph predictor g, the feature predictor f and the decoders, and which parts are left out.

    Beside the fields of [`GraphConfig`], and of [`GraphTaskConfig`] for models of a task, which hold a predictor:

    Args:
        vocab_size: number of tokens, special ones included.
        context_length: the longest sequence, in tokens, special ones included.
        prediction_length: D, how many of the next units each unit predicts in pre-training.
        predicts: `"units"`, the next ones at each unit, or `"sentence"`: the second half of a sequence from the mean
            of the first one's features, and mirrored (an ablation, after skip-thought vectors).
        pad_token_id, bos_token_id, eos_token_id, unk_token_id, mask_token_id: the tokenizer's special tokens; all but
            padding are units like words.
    """

    model_type = "glomo"
    length_field = "context_length"
    not_chosen = (*TextConfig.not_chosen, "context_length")

    vocab_size: int = 10_000
    context_length: int = 200
    prediction_length: int = 3
    predicts: str = "units"
    tie_word_embeddings: bool = False

    @classmethod
    def from_tokenizer(cls, tokenizer: PreTrainedTokenizerBase, **sizes: Any) -> GlomoConfig:
        """As the base does it; a sequence may be as long as the tokenizer's longest text, special tokens included."""
        return super().from_tokenizer(tokenizer, **({"context_length": tokenizer.model_max_length} | sizes))

    def validate_text_sizes(self):
        check_range(self, VOCABULARY, "vocab_size")
        check_range(self, WIDTHS, "context_length", "prediction_length")

    def validate_predictions(self):
        check_choice(self, "predicts", PREDICTIONS)

    def validate_padding(self):
        if self.pad_token_id is None:
            raise ValueError("pad_token_id is needed: sequences of several lengths are padded to one")


__all__ = ["GlomoConfig"]
