"""Sentences rewritten with another attribute value, such as a negative review as a positive one."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import torch
from transformers import AutoModelForSeq2SeqLM
from transformers.utils import logging

from hf_arae.data.text.attribute_labels import AttributeLabels, has_words
from hf_arae.data.text.cutting import cut_ids
from hf_arae.data.text.detokenization import detokenize as join_words
from hf_arae.data.text.encoding import read_texts
from hf_arae.data.text.inputs import (
    CALL_ARGUMENTS,
    NOTHING_TO_SHOW,
    UNKNOWN_WORDS,
    Skipped,
    check_arguments,
    check_length,
    check_text,
    no_word_known,
    place_of,
)
from hf_arae.data.text.rules import NUMBER_TOKEN
from hf_arae.data.text.surface import Surface, surface_of, words_of
from hf_arae.models.text.text_model import GENERATE_ARGUMENTS
from hf_arae.nn.text.padding import padded_right
from hf_arae.pipelines.text_pipeline import TextPipeline, sequences_of
from hf_arae.utils.escapes import excerpt
from hf_arae.utils.validation import check_number

logger = logging.get_logger(__name__)

_OWN_ARGUMENTS = (
    "target",
    "source",
    "min_confidence",
    "keep_source_if_unsure",
    "truncation",
    "detokenize",
    "on_error",
)
_CANDIDATES = ("num_candidates", "weights")  # of models that choose among several outputs
_TRANSFER_INPUTS = ("input_ids", "attention_mask", "target", "source")
_SCORES = ("style", "content", "fluency")
_UNSURE = 0.5  # the least score of an output with `keep_source_if_unsure=True`


@dataclass(frozen=True)
class _Sentence:
    """A text that can be read, and what is to become of it.

    Args:
        text: as it was typed.
        source, target: attribute values; `source` is `None` where it is not known.
        kept: why it is given back as it is, if it is.
    """

    text: str
    source: int | None
    target: int
    kept: str | None


class TextStyleTransferPipeline(TextPipeline):
    """Rewrites sentences with a model that has a decoder for each attribute value (task `"text-style-transfer"`).

    ```python
    import hf_arae
    from transformers import pipeline

    rewrite = pipeline("text-style-transfer", model=folder_or_repository)
    rewrite("The food was awful!", target="positive")  # {"text": ..., "style_score": 0.98, "changed": True, ...}
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

        A sentence that has the target already, or digits and marks alone, is given back as it is. Words outside the
        vocabulary are read as `<unk>`, and named in the result. A sentence that holds no other word is rewritten all
        the same, from its length alone, and a warning and its `note` say so.

        Args:
            inputs: a string; a list, a column of a `datasets.Dataset` or any other collection of strings; or a stream
                of strings: a generator or a torch dataset such as transformers' `KeyDataset`.
            num_workers: worker processes that read a torch dataset. Where torch uses several threads, they hang in a
                process that has run a model before, unless they are started by `spawn` (OpenMP does not survive a
                fork): 0 is best.
            batch_size: sentences that are rewritten at once; 1 by default. 64 is about seven times as fast.
            target: label (name or id) to write with. With two labels it may be left out: the other one than `source`.
            source: label (name or id) of the sentences. Left out, each sentence's own words tell it: the label with
                the largest of the model's `attribute_probabilities`.
            min_confidence: the least probability of a source that is guessed, in [0, 1]; by default 0.01 above that of
                a draw, 0.51 with two labels. Below it the source counts as not known: where `target` depends on it,
                that is an error, which asks for `source`.
            keep_source_if_unsure: gives the sentence itself in place of an output whose smallest score, of the three,
                is below this number in [0, 1]; `True` is 0.5. A `note` then names the scores of the output, and the
                result has those of the sentence. Off by default.
            truncation: cut sentences that are too long, instead of raising.
            on_error: what becomes of a sentence that is empty, too long, of no known source or no string: "raise" ends
                the call, with the sentence's number; "skip" gives it a result without a text, with the reason as its
                `note`.
            detokenize: write the text in the way of the source: what is kept is copied from it, with numbers, unknown
                words, capitals and spaces, see [`~hf_arae.data.text.surface.Surface.write`]. `False` returns the
                model's own words separated by spaces.
            arguments: generation parameters, such as `num_beams`, `do_sample`, `temperature`, `top_k`, `top_p`,
                `num_return_sequences`, `max_new_tokens`; `precision` (`"bfloat16"` or `"int8"` is faster and
                approximate); or what the model's `transfer` takes itself, such as `num_candidates`.

        Returns:
            For a string a dictionary, or a list of them with `num_return_sequences` above 1. For a collection, a list
            with one such result a sentence. For a stream, an iterator over them. A dictionary has

            - `text`, and `target` and `source`, labels' names; `source` is `None` where it is not known;
            - `style_score`, `content_score` and `fluency_score`, in [0, 1]: what the model thinks of its output, see
              its `transfer_scores`; one that it cannot tell, such as the style without log-odds, is `None`;
            - `changed`: whether the words differ from those of the sentence;
            - `unknown_words`: those of the sentence that the model does not know;
            - `note`: only where there is something to say, such as that the sentence was given back.

            A sentence that was skipped has its `note`, and `None` for all else.

        Raises:
            TypeError: an input is no string, an argument is unknown, or a label is neither a name nor an id.
            ValueError: a sentence is empty, or longer than the tokenizer's `model_max_length` allows; a label is
                unknown; `target` is left out with more than two labels, or with no way to know the source; a
                generation parameter or a threshold is out of range; the model has no candidates to choose among.
        """
        settings = {**self._preprocess_params, **self._sanitize_parameters(**arguments)[0]}
        self.labels.check_target(settings.get("target"), settings.get("source"), self._can_tell_source())
        on_error = settings.pop("on_error", "raise")
        inputs = self._checked_inputs(inputs, lambda text, index: self._checked(text, index, **settings), on_error)
        return super().__call__(inputs, num_workers=num_workers, batch_size=batch_size, **arguments)

    def _sanitize_parameters(self, **arguments):
        taken = inspect.signature(self.model.transfer).parameters.values()
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        own = [one.name for one in taken if one.kind in named and one.name not in _TRANSFER_INPUTS]
        for name in _CANDIDATES:
            if name in arguments and name not in own:
                raise ValueError(
                    f"{name} is for models that choose among several outputs, and {type(self.model).__name__} writes "
                    "one. num_beams lets it search for a likelier one"
                )
        check_arguments(self, arguments, (*_OWN_ARGUMENTS, *own, "precision", *GENERATE_ARGUMENTS, *CALL_ARGUMENTS))
        self._check_generate_arguments(arguments)
        preprocess = {name: arguments.pop(name) for name in ("truncation", "on_error") if name in arguments}
        preprocess |= {
            name: self.labels.id_of(name, arguments.pop(name)) for name in ("target", "source") if name in arguments
        }
        if "min_confidence" in arguments:
            preprocess["min_confidence"] = _checked_share("min_confidence", arguments.pop("min_confidence"))
        if "keep_source_if_unsure" in arguments:
            given = arguments["keep_source_if_unsure"]
            given = _UNSURE if given is True else None if given is False else given
            arguments["keep_source_if_unsure"] = _checked_share("keep_source_if_unsure", given)
        postprocess = {"detokenize": arguments.pop("detokenize")} if "detokenize" in arguments else {}
        return preprocess, arguments, postprocess

    def _can_tell_source(self) -> bool:
        return bool(self.model.attribute_log_odds.any())

    def _checked(
        self,
        text: str,
        index: int | None,
        target: int | None = None,
        source: int | None = None,
        min_confidence: float | None = None,
        truncation: bool = False,
    ) -> _Sentence:
        where = place_of("sentence", index)
        text = check_text(text, where)
        ids = self._ids(text, truncation)
        check_length(text, where, len(ids) - 2, None if truncation else self.tokenizer.model_max_length - 2)
        told = None
        if source is None and has_words(text) and self._can_tell_source():
            with torch.inference_mode():
                told = self.model.attribute_probabilities(torch.tensor([ids], device=self.model.device))[0].tolist()
        source, target = self.labels.direction(target, source, told, min_confidence, where, text)
        return _Sentence(text, source, target, self.labels.why_kept(text, source, target))

    def _ids(self, text: str, truncation: bool) -> list[int]:
        ids = self.tokenizer(text, verbose=False)["input_ids"]
        return cut_ids(ids, self.tokenizer.model_max_length - 2) if truncation else ids

    def preprocess(self, sentence: _Sentence | Skipped, truncation: bool = False, **decided) -> dict:
        if isinstance(sentence, Skipped):
            return self._read(sentence, self._placeholder(), None, sentence.reason)
        text, note = sentence.text, None
        ids = self._ids(text, truncation)
        words, tokens = words_of(self.tokenizer.backend_tokenizer, text), self._tokens(ids)
        # A tokenizer that splits words is not ours, and where they stand in the text is not known.
        surface = surface_of(text, words, tokens, self.tokenizer.unk_token) if len(words) >= len(tokens) else None
        if sentence.kept is not None:
            note = sentence.kept
        elif no_word_known(words[: len(tokens)], ids[1:-1], self.tokenizer.unk_token_id):
            logger.warning_once(UNKNOWN_WORDS.format(excerpt(text)))
            note = UNKNOWN_WORDS.format("the sentence")
        return self._read(sentence, torch.tensor([ids]), surface, note)

    def _read(
        self, sentence: _Sentence | Skipped, ids: torch.Tensor, surface: Surface | None, note: str | None
    ) -> dict:
        is_read = isinstance(sentence, _Sentence)
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "target": torch.tensor([sentence.target if is_read else 0]),
            "rewritten": torch.tensor([is_read and sentence.kept is None]),
            "sentence": [sentence],
            "surface": [surface],
            "note": [note],
        }

    def _tokens(self, ids: list[int]) -> list[str]:
        """The words of ids, without what frames a sentence or is never written."""
        config = self.model.config
        frame = (config.pad_token_id, config.bos_token_id, config.eos_token_id)
        return self.tokenizer.convert_ids_to_tokens([token for token in ids if token not in frame])

    def _forward(self, model_inputs: dict, keep_source_if_unsure: float | None = None, **arguments) -> dict:
        ids, mask, target = (model_inputs.pop(name) for name in ("input_ids", "attention_mask", "target"))
        ids, mask = padded_right(ids, mask, self.model.config.pad_token_id)
        rows = model_inputs["rewritten"].nonzero().squeeze(1)
        count = arguments.get("num_return_sequences") or 1
        written = ids.unsqueeze(1).expand(-1, count, -1)
        if len(rows):
            new = self._written(ids[rows], mask[rows], target[rows], arguments)
            written = _stacked(written, new, self.model.config.pad_token_id)
            written[rows, :, : new.shape[-1]] = new
            written[rows, :, new.shape[-1] :] = self.model.config.pad_token_id
        # One row a sentence, as the base class takes batches apart by their first dimension.
        count = written.shape[1]
        every = [part.repeat_interleave(count, 0) for part in (ids, mask, target)]
        scores = self._scores(every[0], every[1], written.flatten(0, 1), every[2])
        unsure = torch.zeros_like(scores[:, 0], dtype=torch.bool)
        rejected = scores
        if keep_source_if_unsure is not None:
            least = scores.nan_to_num(1.0).amin(1)
            unsure = (least < keep_source_if_unsure) & model_inputs["rewritten"].repeat_interleave(count)
            if unsure.any():
                given = [part[unsure] for part in every]
                scores = scores.clone()
                scores[unsure] = self._scores(given[0], given[1], given[0], given[2])
        parts = {"scores": scores, "rejected": rejected, "unsure": unsure}
        parts = {name: part.view(len(ids), count, *part.shape[1:]) for name, part in parts.items()}
        return {**model_inputs, **parts, "written": written, "target": target}

    def _scores(self, ids: torch.Tensor, mask: torch.Tensor, written: torch.Tensor, target: torch.Tensor):
        """Style, content and fluency of outputs, `(outputs, 3)`."""
        scores = self.model.transfer_scores(ids, mask, written, target)
        return torch.stack([scores[name].float() for name in _SCORES], 1)

    def _written(self, ids: torch.Tensor, mask: torch.Tensor, target: torch.Tensor, arguments: dict) -> torch.Tensor:
        """Texts of at least a word, `(rows, sequences, length)`: one that would end at once is written again."""
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
        sentence, surface, note = (model_outputs[name][0] for name in ("sentence", "surface", "note"))
        if isinstance(sentence, Skipped):
            scores = {f"{name}_score": None for name in _SCORES}
            empty = {"text": None, "target": None, "source": None, **scores, "changed": None, "unknown_words": None}
            return {**empty, "note": note}
        target, source = self.labels.names[sentence.target], self.labels.names.get(sentence.source)
        parts = (model_outputs[name][0] for name in ("written", "scores", "rejected", "unsure"))
        results = []
        for ids, scores, rejected, is_unsure in zip(*(part.tolist() for part in parts), strict=True):
            tokens, remark = self._tokens(ids), note
            text = self._text(tokens, sentence.text, surface, detokenize)
            is_new = bool(model_outputs["rewritten"].item()) and not is_unsure
            if is_unsure:
                known = ((name, score) for name, score in zip(_SCORES, rejected, strict=True) if score == score)
                told = ", ".join(f"{name} {score:.2f}" for name, score in known)
                remark = f"the model is not sure of its output ({told}): the sentence is given back as it is"
            elif is_new and not text:
                remark, is_new = NOTHING_TO_SHOW, False
            if not is_new:
                text = sentence.text if detokenize else read_texts([sentence.text], self.tokenizer)[0]
            changed = is_new and (text != sentence.text if surface is None else tuple(tokens) != surface.tokens)
            result = {"text": text, "target": target, "source": source}
            for name, score in zip(_SCORES, scores, strict=True):
                result[f"{name}_score"] = round(score, 4) if score == score else None
            result |= {"changed": changed, "unknown_words": [] if surface is None else surface.unknown_words}
            results.append(result if remark is None else {**result, "note": remark})
        return results if len(results) > 1 else results[0]

    def _text(self, tokens: list[str], source: str, surface: Surface | None, detokenize: bool) -> str:
        if not detokenize:
            return " ".join(tokens)
        if surface is not None:
            return surface.write(tokens)
        hidden = (NUMBER_TOKEN, self.tokenizer.unk_token)
        return join_words(" ".join(token for token in tokens if token not in hidden))


def _checked_share(name: str, share: float | None) -> float | None:
    if share is not None:
        check_number(name, share, "[0, 1]")
    return share


def _stacked(written: torch.Tensor, new: torch.Tensor, padding: int) -> torch.Tensor:
    """Room for the outputs of some rows beside what stands in the others: `(rows, sequences, length)`."""
    width = max(written.shape[-1], new.shape[-1])
    written = torch.nn.functional.pad(written, (0, width - written.shape[-1]), value=padding)
    return written[:, :1].repeat(1, new.shape[1], 1)


__all__ = ["TextStyleTransferPipeline"]
