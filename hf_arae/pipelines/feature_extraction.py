"""Codes of texts, by transformers' own pipeline."""

from __future__ import annotations

from transformers import FeatureExtractionPipeline

from hf_arae.models.base import FamilyModel, PushedWithCode
from hf_arae.models.text.tokenizer_check import check_tokenizer


class CodePipeline(PushedWithCode, FeatureExtractionPipeline):
    """transformers' "feature-extraction"; for this package's models it asks whether the tokenizer is theirs.

    Raises:
        ValueError: the tokenizer is not the model's.
    """

    def __init__(self, *positional, **named):
        super().__init__(*positional, **named)
        if isinstance(self.model, FamilyModel):
            check_tokenizer(self.tokenizer, self.model.config)


__all__ = ["CodePipeline"]
