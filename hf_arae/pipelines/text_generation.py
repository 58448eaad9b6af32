"""Texts that go on after a prompt, by transformers' own pipeline, for language models whose tokens are whole words."""

from __future__ import annotations

from transformers import TextGenerationPipeline

from hf_arae.models.base import PushedWithCode
from hf_arae.models.text.tokenizer_check import check_tokenizer


class WordGenerationPipeline(PushedWithCode, TextGenerationPipeline):
    """transformers' "text-generation", for this package's language models and, unchanged, for all others.

    Their tokenizer frames every text by `<bos>` and `<eos>`, and its words are parted by spaces. So the `<eos>` behind
    a prompt is taken off, and a space comes before what is written.

    Raises:
        ValueError: the tokenizer is not the model's.
    """

    def __init__(self, *positional, **named):
        super().__init__(*positional, **named)
        if self._is_ours():
            check_tokenizer(self.tokenizer, self.model.config)

    def _is_ours(self) -> bool:
        return getattr(self.model.config, "model_type", None) == "rnn_lm"

    def preprocess(self, prompt_text, *positional, **named):
        inputs = super().preprocess(prompt_text, *positional, **named)
        ids = inputs["input_ids"]
        if self._is_ours() and ids.shape[1] > 1 and (ids[:, -1] == self.model.config.eos_token_id).all():
            for name in ("input_ids", "attention_mask"):
                if name in inputs:
                    inputs[name] = inputs[name][:, :-1]
        return inputs

    def postprocess(self, model_outputs, *positional, **named):
        prompt = model_outputs["prompt_text"]
        if self._is_ours() and isinstance(prompt, str) and prompt.strip() and not prompt[-1].isspace():
            model_outputs["prompt_text"] = f"{prompt} "
        records = super().postprocess(model_outputs, *positional, **named)
        for record in records:  # nothing was written
            if isinstance(record.get("generated_text"), str) and record["generated_text"] == f"{prompt} ":
                record["generated_text"] = prompt
        return records


__all__ = ["WordGenerationPipeline"]
