"""Sentences rewritten with another attribute value, such as a negative review as a positive one."""

from __future__ import annotations

import torch
from transformers import AutoModelForSeq2SeqLM
from transformers.utils import logging

from hf_arae.data.text.attribute_labels import AttributeLabels
from hf_arae.data.text.cutting import cut_ids
from hf_arae.data.text.detokenization import detokenize as join_words
from hf_arae.data.text.inputs import (
    CALL_ARGUMENTS,
    UNKNOWN_WORDS,
    Skipped,
    check_arguments,
    check_length,
    check_text,
    no_word_known,
    place_of,
)
from hf_arae.models.text.text_model import GENERATE_ARGUMENTS
from hf_arae.pipelines.text_pipeline import TextPipeline, sequences_of, words_of
from hf_arae.utils.escapes import excerpt

logger = logging.get_logger(__name__)

_OWN_ARGUMENTS = ("target", "source", "truncation", "detokenize", "on_error")


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
        ValueError: the model has no attributes, or the tokenizer is not its own.
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
            num_workers: worker processes that read a torch dataset. Where torch uses several threads, they hang in a
                process that has run a model before, unless they are started by `spawn` (OpenMP does not survive a
                fork): 0 is best.
            batch_size: sentences that are rewritten at once; 1 by default. 64 is about seven times as fast.
            target: label (name or id) to write with. With two labels it may be left out: the other one than `source`.
            source: label (name or id) of the sentences. Left out, each sentence's own words tell it: the label with
                the largest sum of the model's `attribute_log_odds`, the first label if no word tells.
            truncation: cut sentences that are too long, instead of raising.
            on_error: what becomes of a sentence that is empty, too long or no string: "raise" ends the call, with the
                sentence's number; "skip" gives it a result without a text, with the reason as its `note`.
            detokenize: join punctuation and contractions and capitalise. `False` returns words separated by spaces.
            arguments: generation parameters, such as `num_beams`, `do_sample`, `temperature`, `top_k`, `top_p`,
                `num_return_sequences`, `max_new_tokens`; and `precision` (`"bfloat16"` or `"int8"` is faster and
                approximate).

        Returns:
            For a string, `{"text": ..., "target": label, "source": label}`, or a list of such dictionaries with
            `num_return_sequences` above 1. For a collection, a list with one such result a sentence. For a stream, an
            iterator over them. `source` is `None` where it was not given and the model holds no log-odds. A sentence
            that was skipped has `{"text": None, "target": None, "source": None, "note": reason}`.

        Raises:
            TypeError: an input is no string, an argument is unknown, or a label is neither a name nor an id.
            ValueError: a sentence is empty, or longer than the tokenizer's `model_max_length` allows; a label is
                unknown; `target` is left out with more than two labels, or with no way to know the source; a
                generation parameter is out of range.
        """
        settings = {**self._preprocess_params, **self._sanitize_parameters(**arguments)[0]}
        self.labels.check_target(settings.get("target"), settings.get("source"), self._can_tell_source())
        cut = settings.get("truncation", False)
        on_error = settings.get("on_error", "raise")
        inputs = self._checked_inputs(inputs, lambda text, index: self._checked(text, cut, index), on_error)
        return super().__call__(inputs, num_workers=num_workers, batch_size=batch_size, **arguments)

    def _sanitize_parameters(self, **arguments):
        check_arguments(self, arguments, (*_OWN_ARGUMENTS, "precision", *GENERATE_ARGUMENTS, *CALL_ARGUMENTS))
        self._check_generate_arguments(arguments)
        preprocess = {name: arguments.pop(name) for name in ("truncation", "on_error") if name in arguments}
        preprocess |= {
            name: self.labels.id_of(name, arguments.pop(name)) for name in ("target", "source") if name in arguments
        }
        postprocess = {"detokenize": arguments.pop("detokenize")} if "detokenize" in arguments else {}
        return preprocess, arguments, postprocess

    def _can_tell_source(self) -> bool:
        return bool(self.model.attribute_log_odds.any())

    def _checked(self, text: str, cut: bool, index: int | None = None) -> str:
        where = place_of("sentence", index)
        text = check_text(text, where)
        limit = None if cut else self.tokenizer.model_max_length - 2
        check_length(text, where, len(self.tokenizer(text, verbose=False)["input_ids"]) - 2, limit)
        return text

    def preprocess(
        self,
        text: str | Skipped,
        target: int | None = None,
        source: int | None = None,
        truncation: bool = False,
        on_error: str = "raise",
    ) -> dict[str, torch.Tensor | list[str | None]]:
        skipped = isinstance(text, Skipped)
        if skipped:
            ids = self._placeholder()
        else:
            read = self.tokenizer(text, verbose=False)["input_ids"]
            ids = torch.tensor([cut_ids(read, self.tokenizer.model_max_length - 2) if truncation else read])
            if self._knows_nothing(text, ids[0, 1:-1].tolist()):
                logger.warning_once(UNKNOWN_WORDS.format(excerpt(text)))
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "target": torch.tensor([-1 if target is None else target]),
            "source": torch.tensor([-1 if source is None else source]),
            "note": [text.reason if skipped else None],
        }

    def _knows_nothing(self, text: str, ids: list[int]) -> bool:
        unknown = self.tokenizer.unk_token_id
        if unknown not in ids:
            return False
        words = words_of(self.tokenizer, text)[: len(ids)]
        return no_word_known(words, ids, unknown) if len(words) == len(ids) else all(i == unknown for i in ids)

    def _forward(self, model_inputs: dict, **generate_arguments) -> dict:
        ids, source, target = model_inputs["input_ids"], model_inputs["source"], model_inputs["target"]
        if (source < 0).any() and self._can_tell_source():
            source = torch.where(source < 0, self.model.predict_attribute(ids), source)
        target = torch.where(target < 0, 1 - source, target)
        written = self._written(ids, model_inputs["attention_mask"], target, generate_arguments)
        return {"written": written, "target": target, "source": source, "note": model_inputs["note"]}

    def _written(self, ids: torch.Tensor, mask: torch.Tensor, target: torch.Tensor, arguments: dict) -> torch.Tensor:
        """Texts of at least a word, `(rows, sequences, length)`: one that would end at once is written again."""
        # One row a sentence, as the base class takes batches apart by their first dimension.
        written = sequences_of(self.model.transfer(ids, mask, target, **arguments))
        written = written.view(len(ids), -1, written.shape[-1])
        empty = written[:, :, 1] == self.model.config.eos_token_id
        if empty.any():
            rows = empty.any(1).nonzero().squeeze(1)
            arguments = {name: value for name, value in arguments.items() if name != "precision"}
            arguments |= {"min_new_tokens": 1}
            again = sequences_of(self.model.transfer(ids[rows], mask[rows], target[rows], **arguments))
            again = again.view(len(rows), -1, again.shape[-1])
            width, padding = max(written.shape[-1], again.shape[-1]), self.model.config.pad_token_id
            written, again = (
                torch.nn.functional.pad(part, (0, width - part.shape[-1]), value=padding) for part in (written, again)
            )
            written[rows] = torch.where(empty[rows].unsqueeze(-1), again, written[rows])
        return written

    def postprocess(self, model_outputs: dict, detokenize: bool = True) -> dict | list[dict]:
        if (note := model_outputs["note"][0]) is not None:
            return {"text": None, "target": None, "source": None, "note": note}
        names = self.labels.names
        target, source = names[model_outputs["target"].item()], names.get(model_outputs["source"].item())
        texts = self.tokenizer.batch_decode(model_outputs["written"][0], skip_special_tokens=True)
        results = [
            {"text": join_words(text) if detokenize else text, "target": target, "source": source} for text in texts
        ]
        return results if len(results) > 1 else results[0]


__all__ = ["TextStyleTransferPipeline"]
