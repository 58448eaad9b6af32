# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/pipelines/text_style_transfer.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""Sentences rewritten with another attribute value, such as a negative review as a positive one."""

from __future__ import annotations

import torch
from transformers import AutoModelForSeq2SeqLM
from transformers.utils import logging

from .hf_arae_data_detokenization import detokenize as join_words
from .hf_arae_models_text import GENERATE_ARGUMENTS
from .attribute_labels import AttributeLabels
from .text_inputs import (
    UNKNOWN_WORDS,
    check_arguments,
    check_inputs,
    check_length,
    check_text,
    place_of,
)
from .text_pipeline import TextPipeline

logger = logging.get_logger(__name__)

_OWN_ARGUMENTS = ("target", "source", "truncation", "detokenize")


class TextStyleTransferPipeline(TextPipeline):
    """Rewrites sentences with a model that has a decoder for each attribute value (task `"text-style-transfer"`).

    ```python
    import hf_arae
    from transformers import pipeline

    rewrite = pipeline("text-style-transfer", model=folder_or_repository)
    rewrite("The food was awful!", target="positive")  # {"text": ..., "target": "positive", "source": "negative"}
    ```

    Args:
        model: a model with `num_attributes` of at least 2; its `id2label` names the attribute values.
        tokenizer: its tokenizer.
        arguments: any argument of a call, as the default of all calls; or of transformers' `Pipeline`.

    Raises:
        ValueError: the model has no attributes.
    """

    auto_models = (AutoModelForSeq2SeqLM,)

    def __init__(self, model, *positional, **arguments):
        if not self.accepts(model.config):
            raise ValueError(
                "text-style-transfer needs a model with attributes (num_attributes of at least 2), got a "
                f"{type(model).__name__} with num_attributes={getattr(model.config, 'num_attributes', None)}"
            )
        self.labels = AttributeLabels(model.config.id2label)  # before the base class checks the arguments
        super().__init__(model, *positional, **arguments)

    @staticmethod
    def accepts(config) -> bool:
        """Whether the pipeline can run models of this config."""
        return getattr(config, "num_attributes", 1) > 1

    def __call__(self, inputs, num_workers: int | None = None, batch_size: int | None = None, **arguments):
        """Rewrites one sentence or many.

        Words outside the vocabulary are read as `<unk>`. A sentence that holds no other word is rewritten all the
        same, from its length alone, and a warning names it.

        Args:
            inputs: a string; a list, a column of a `datasets.Dataset` or any other collection of strings; or a stream
                of strings: a generator or a torch dataset such as transformers' `KeyDataset`.
            num_workers: worker processes that read a torch dataset.
            batch_size: sentences that are rewritten at once; 1 by default. 64 is about seven times as fast.
            target: label (name or id) to write with. With two labels it may be left out: the other one than `source`.
            source: label (name or id) of the sentences. Left out, each sentence's own words tell it: the label with
                the largest sum of the model's `attribute_log_odds`, the first label if no word tells.
            truncation: cut sentences that are too long, instead of raising.
            detokenize: join punctuation and contractions and capitalise. `False` returns words separated by spaces.
            arguments: generation parameters, such as `num_beams`, `do_sample`, `temperature`, `top_k`, `top_p`,
                `num_return_sequences`, `max_new_tokens`; and `precision` (`"bfloat16"` or `"int8"` is faster and
                approximate).

        Returns:
            For a string, `{"text": ..., "target": label, "source": label}`, or a list of such dictionaries with
            `num_return_sequences` above 1. For a collection, a list with one such result a sentence. For a stream, an
            iterator over them. `source` is `None` where it was not given and the model holds no log-odds.

        Raises:
            TypeError: an input is no string, or an argument is unknown.
            ValueError: a sentence is empty, or longer than the tokenizer's `model_max_length` allows; a label is
                unknown; `target` is left out with more than two labels, or with no way to know the source.
        """
        settings = {**self._preprocess_params, **self._sanitize_parameters(**arguments)[0]}
        self.labels.check_target(settings.get("target"), settings.get("source"), self._can_tell_source())
        cut = settings.get("truncation", False)
        inputs = check_inputs(inputs, lambda text, index: self._checked(text, cut, index))
        return super().__call__(inputs, num_workers=num_workers, batch_size=batch_size, **arguments)

    def _sanitize_parameters(self, **arguments):
        check_arguments(self, arguments, (*_OWN_ARGUMENTS, "precision", *GENERATE_ARGUMENTS))
        preprocess = {name: arguments.pop(name) for name in ("truncation",) if name in arguments}
        preprocess |= {
            name: self.labels.id_of(name, arguments.pop(name)) for name in ("target", "source") if name in arguments
        }
        postprocess = {"detokenize": arguments.pop("detokenize")} if "detokenize" in arguments else {}
        return preprocess, arguments, postprocess

    def _can_tell_source(self) -> bool:
        return bool(self.model.attribute_log_odds.any())

    def _checked(self, text: str, cut: bool, index: int | None = None) -> str:
        where = place_of("sentence", index)
        check_text(text, where)
        limit = self.tokenizer.model_max_length - 2
        length = len(self.tokenizer(text, verbose=False)["input_ids"]) - 2
        if not cut:
            check_length(text, where, length, limit)
        return text

    def preprocess(
        self, text: str, target: int | None = None, source: int | None = None, truncation: bool = False
    ) -> dict[str, torch.Tensor]:
        encoded = self.tokenizer(text, truncation=truncation, return_tensors="pt")
        if (encoded["input_ids"][0, 1:-1] == self.tokenizer.unk_token_id).all():
            logger.warning_once(UNKNOWN_WORDS.format(text))
        return {
            "input_ids": encoded["input_ids"],
            "attention_mask": encoded["attention_mask"],
            "target": torch.tensor([-1 if target is None else target]),
            "source": torch.tensor([-1 if source is None else source]),
        }

    def _forward(self, model_inputs: dict[str, torch.Tensor], **generate_arguments) -> dict[str, torch.Tensor]:
        ids, source, target = model_inputs["input_ids"], model_inputs["source"], model_inputs["target"]
        if (source < 0).any() and self._can_tell_source():
            source = torch.where(source < 0, self.model.predict_attribute(ids), source)
        target = torch.where(target < 0, 1 - source, target)
        written = self.model.transfer(ids, model_inputs["attention_mask"], target, **generate_arguments)
        # One row a sentence, as the base class takes batches apart by their first dimension.
        return {"written": written.view(len(ids), -1, written.shape[-1]), "target": target, "source": source}

    def postprocess(self, model_outputs: dict[str, torch.Tensor], detokenize: bool = True) -> dict | list[dict]:
        names = self.labels.names
        target, source = names[model_outputs["target"].item()], names.get(model_outputs["source"].item())
        texts = self.tokenizer.batch_decode(model_outputs["written"][0], skip_special_tokens=True)
        results = [
            {"text": join_words(text) if detokenize else text, "target": target, "source": source} for text in texts
        ]
        return results if len(results) > 1 else results[0]


__all__ = ["TextStyleTransferPipeline"]
