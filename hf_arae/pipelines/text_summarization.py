"""Sentences made shorter, such as the first sentence of a news article as a headline."""

from __future__ import annotations

import numbers
import re
from unicodedata import category, combining, normalize

import torch
from transformers import AutoModelForSeq2SeqLM, AutoModelForTokenClassification, BatchEncoding
from transformers.utils import logging

from hf_arae.data.text.cutting import cut_ids
from hf_arae.data.text.detokenization import detokenize as join_words
from hf_arae.data.text.inputs import (
    CALL_ARGUMENTS,
    Skipped,
    check_arguments,
    check_length,
    check_text,
    no_word_known,
    place_of,
)
from hf_arae.data.text.news import first_sentence as first_sentence_of
from hf_arae.data.text.surface import words_of
from hf_arae.models.text.text_model import GENERATE_ARGUMENTS
from hf_arae.nn.text.padding import padded_right
from hf_arae.pipelines.text_pipeline import TextPipeline, sequences_of
from hf_arae.utils.escapes import excerpt

logger = logging.get_logger(__name__)

_LENGTHS = ("target_length", "compression")
_READ_ARGUMENTS = (*_LENGTHS, "first_sentence", "truncation", "on_error")
_OWN_ARGUMENTS = (*_READ_ARGUMENTS, "source_words_only", "source_order", "longest_gap", "detokenize")
_LENGTH_LIMITS = ("max_new_tokens", "max_length", "min_new_tokens", "min_length")
# What a model that selects words does anyway.
_PLAIN_SELECTION = {"do_sample": (False,), "num_beams": (1,), "num_return_sequences": (1,)}
_NO_COUNT = -1
_JOINERS = "\u200c\u200d"  # not seen, but they spell words
# Marks as news text has them; brackets hug their words afterwards.
_TREEBANK = re.compile(r"(?<!\S)-[lr][rsc]b-(?!\S)|&amp;|\\/")
_MARKS = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "-lcb-": "{", "-rcb-": "}"}
_MARKS |= {"&amp;": "&", "\\/": "/"}
_DIGIT = "\ue000"  # private use: stands for "#" while words are joined, for which "#" is a mark that hugs its number


class TextSummarizationPipeline(TextPipeline):
    """Summarizes sentences (task `"text-summarization"`).

    ```python
    import hf_arae
    from transformers import pipeline

    summarize = pipeline("text-summarization", model=folder_or_repository)
    summarize("Japan's NEC Corp. said ...", target_length=8)
    # {"summary_text": ..., "source_words": 24, "summary_words": 8}
    ```

    What a summary is made of depends on the model. A headline selector chooses words of the source and keeps their
    order; a word that is not in the vocabulary is kept as it is written. A URSAE writes words of its vocabulary. Words
    that the source has keep its accents, which the tokenizer may not read.

    Args:
        model: a summarizer, whose config has `max_source_length`.
        tokenizer: its tokenizer, of one token a word.
        arguments: any argument of a call, as the default of all calls; or of transformers' `Pipeline`.

    Raises:
        ValueError: the model is no summarizer, the tokenizer is not its own, or an argument is wrong.
    """

    auto_models = (AutoModelForSeq2SeqLM, AutoModelForTokenClassification)

    def __init__(self, model, *positional, **arguments):
        if not self.accepts(model.config):
            raise ValueError(
                f"text-summarization needs a summarizer (config.max_source_length), got a {type(model).__name__}"
            )
        super().__init__(model, *positional, **arguments)
        # Text that has "#" for each digit has no capitals either: they are not made up.
        self._masks_digits = self._words("1") == ["#"]

    @staticmethod
    def accepts(config) -> bool:
        """Whether the pipeline can run models of this config."""
        return getattr(config, "max_source_length", 0) > 0

    def __call__(self, inputs, num_workers: int | None = None, batch_size: int | None = None, **arguments):
        """Summarizes one text or many.

        Words are those that the tokenizer makes, punctuation marks included. A text with fewer of them than the asked
        summary is returned whole, with a warning.

        Args:
            inputs: a string; a list, a column of a `datasets.Dataset` or any other collection of strings; or a stream
                of strings: a generator or a torch dataset such as transformers' `KeyDataset`.
            num_workers: worker processes that read a torch dataset. Where torch uses several threads, they hang in a
                process that has run a model before, unless they are started by `spawn` (OpenMP does not survive a
                fork): 0 is best.
            batch_size: texts that are summarized at once; 1 by default.
            target_length: words of each summary, at least 1; of a URSAE at most its config's `max_summary_length`.
                Left out, with no `compression` either, a selector decides, and a URSAE takes the length that it was
                measured with (its config's `write_length`), or decides where there is none or a limit is given.
            compression: words of each summary, as a share of its text's: above 0, at most 1. A URSAE never writes more
                than `max_summary_length`.
            source_words_only: no word is written that the text does not have. Without it a selector may change a
                word's form, such as a verb's to the present tense. This and the next two are, where they are left out,
                for a URSAE as it was trained and measured: its config's `write_...` settings.
            source_order: and words are in the text's order, as those of a selector always are.
            longest_gap: with `source_order`: most words that a URSAE leaves out before each, where it can be kept to.
            first_sentence: cut texts to their first sentence, with a warning. `False` takes them as they are.
            truncation: cut texts (or their first sentences) that are too long, instead of raising.
            on_error: what becomes of a text that is empty, too long or no string: "raise" ends the call, with the
                text's number; "skip" gives it a result without a summary, with the reason as its `note`.
            detokenize: join punctuation and contractions; capitalise, unless the tokenizer reads text as Gigaword has
                it, in lower case and with `#` for each digit, which stay. `False` returns words separated by spaces.
            arguments: generation parameters, such as `max_length`, `min_length`, `num_beams`, `do_sample`,
                `num_return_sequences`, `no_repeat_ngram_size`. Of a selector, which is exact, the limits on lengths
                alone have a meaning.

        Returns:
            For a string, `{"summary_text": ..., "source_words": n, "summary_words": m}`, or a list of such
            dictionaries with `num_return_sequences` above 1. For a collection, a list with one such result a text. For
            a stream, an iterator over them. `source_words` counts what was read, after cutting; in both counts a
            mark or a contraction ("'s") is a word of its own, as it is for the tokenizer. A text that was
            skipped has `{"summary_text": None, "source_words": None, "summary_words": None, "note": reason}`.

        Raises:
            TypeError: an input is no string; a length or share is no number; an argument is unknown.
            ValueError: a text holds no word, or more than the model's `max_source_length`; a length or share is out of
                range, or both are given; a selector is given a generation parameter that it cannot follow.
        """
        settings = {**self._preprocess_params, **self._sanitize_parameters(**arguments)[0]}
        on_error = settings.get("on_error", "raise")
        inputs = self._checked_inputs(inputs, lambda text, index: self._checked(text, index, **settings), on_error)
        return super().__call__(inputs, num_workers=num_workers, batch_size=batch_size, **arguments)

    def _sanitize_parameters(self, **arguments):
        check_arguments(self, arguments, (*_OWN_ARGUMENTS, *GENERATE_ARGUMENTS, *CALL_ARGUMENTS))
        self._check_generate_arguments(arguments)
        lengths = [name for name in _LENGTHS if arguments.get(name) is not None]
        if len(lengths) > 1:
            raise ValueError("give target_length or compression, not both")
        if lengths:  # replaces the other one, where that is the default of all calls
            arguments = dict.fromkeys(_LENGTHS) | arguments
        postprocess = {"detokenize": arguments.pop("detokenize")} if "detokenize" in arguments else {}
        preprocess = {name: arguments.pop(name) for name in _READ_ARGUMENTS if name in arguments}
        read, forward = ({**getattr(self, f"_{kind}_params", {})} for kind in ("preprocess", "forward"))
        if self._selects:
            self._check_selection(forward | arguments)
        self._check_size(**(read | preprocess))
        limited = any((forward | arguments).get(name) is not None for name in _LENGTH_LIMITS)
        if self._selects and limited and any((read | preprocess).get(name) is not None for name in _LENGTHS):
            raise ValueError(f"give {' or '.join(_LENGTHS)}, or {', '.join(_LENGTH_LIMITS)}, not both")
        preprocess["usual_length"] = None if self._selects or limited else self.model.config.write_length
        return preprocess, arguments, postprocess

    @property
    def _selects(self) -> bool:
        """Whether the model chooses words of the text, and writes none."""
        return hasattr(self.model, "select_words")

    def _check_selection(self, arguments: dict) -> None:
        own = (*_OWN_ARGUMENTS, *_LENGTH_LIMITS)
        idle = [name for name, values in _PLAIN_SELECTION.items() if arguments.get(name) in values]
        wrong = [name for name, value in arguments.items() if value is not None and name not in (*own, *idle)]
        if arguments.get("longest_gap") is not None:
            wrong.append("longest_gap")
        if wrong:
            raise ValueError(
                f"{type(self.model).__name__} chooses words of the text and writes none: it does not take "
                f"{', '.join(wrong)}"
            )

    def _check_size(self, target_length: int | None = None, compression: float | None = None, **others) -> None:
        if target_length is not None:
            if not isinstance(target_length, numbers.Integral) or isinstance(target_length, bool):
                raise TypeError(f"target_length must be a whole number of words, got {target_length!r}")
            limit = None if self._selects else self.model.config.max_summary_length
            if target_length < 1:
                raise ValueError(f"target_length must be at least 1, got {target_length}")
            if limit is not None and target_length > limit:
                raise ValueError(f"target_length must be at most {limit} (max_summary_length), got {target_length}")
        if compression is not None:
            if not isinstance(compression, numbers.Real) or isinstance(compression, bool):
                raise TypeError(f"compression must be a number above 0, at most 1, got {compression!r}")
            if not 0 < compression <= 1:
                raise ValueError(f"compression must be above 0 and at most 1, got {compression}")

    def _words(self, text: str) -> list[str]:
        return words_of(self.tokenizer.backend_tokenizer, text)

    @property
    def _longest_source(self) -> int:
        return min(self.model.config.max_source_length, self.tokenizer.model_max_length - 2)

    def _checked(
        self, text: str, index: int | None, first_sentence: bool = True, truncation: bool = False, **others
    ) -> str:
        where = place_of("text", index)
        text = check_text(text, where)
        count = len(self._words(first_sentence_of(text) if first_sentence else text))
        if not count:
            raise ValueError(f"{where} holds no word: {excerpt(text)}")
        if not truncation:
            check_length(text, where, count, self._longest_source)
        return text

    def preprocess(
        self,
        text: str | Skipped,
        target_length: int | None = None,
        compression: float | None = None,
        first_sentence: bool = True,
        truncation: bool = False,
        usual_length: int | None = None,
        on_error: str = "raise",
    ) -> dict[str, torch.Tensor | list]:
        if isinstance(text, Skipped):
            ids = self._placeholder()
            no_count = target_length is None and compression is None and usual_length is None
            return {
                "input_ids": ids,
                "attention_mask": torch.ones_like(ids),
                "count": torch.tensor([_NO_COUNT if no_count else 1]),
                "is_short": torch.tensor([False]),
                "words": [[]],
                "note": [text.reason],
            }
        limit, read = self._longest_source, first_sentence_of(text) if first_sentence else text
        if first_sentence and read != " ".join(text.split()):
            logger.warning_once("Texts of several sentences are cut to the first; first_sentence=False keeps them")
        words = self._words(read)[: limit if truncation else None]
        encoded = self.tokenizer(read, return_offsets_mapping=True, verbose=False)
        ids = torch.tensor([cut_ids(encoded["input_ids"], limit) if truncation else encoded["input_ids"]])
        if ids.shape[1] != len(words) + 2:
            raise ValueError(f"the tokenizer must make one token a word, framed by two: {excerpt(text)}")
        if no_word_known(words, ids[0, 1:-1].tolist(), self.tokenizer.unk_token_id):
            logger.warning_once(
                f"No word of {excerpt(text)} is in the vocabulary: it is summarized by their places alone"
            )
        count = usual_length if target_length is None else target_length
        if compression is not None:
            count = max(1, int(compression * len(words) + 0.5))
        is_short = count is not None and len(words) < count
        if is_short:
            logger.warning_once("Texts of fewer words than the asked summary are returned whole")
        count = _NO_COUNT if count is None else min(count, len(words))
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "count": torch.tensor([count]),
            "is_short": torch.tensor([is_short]),
            "words": [list(zip(words, self._spelled(words, read, encoded), strict=True))],
            "note": [None],
        }

    def _spelled(self, words: list[str], text: str, encoded: BatchEncoding) -> list[str]:
        """The words as the text spells them, in lower case: with the accents that the tokenizer does not read."""
        if text.isascii():
            return words
        spelled = []
        for word, (start, end) in zip(words, encoded["offset_mapping"][1 : len(words) + 1], strict=True):
            while end < len(text) and combining(text[end]):  # an accent that is a character of its own
                end += 1
            seen = (mark for mark in text[start:end].lower() if mark in _JOINERS or category(mark) not in ("Cc", "Cf"))
            spelling = normalize("NFC", "".join(seen))
            if self._masks_digits:
                spelling = re.sub(r"\d", "#", spelling)
            spelled.append(spelling if self._words(spelling) == [word] else word)
        return spelled

    def _forward(
        self,
        model_inputs: dict,
        source_words_only: bool | None = None,
        source_order: bool | None = None,
        longest_gap: int | None = None,
        **generate_arguments,
    ) -> dict:
        ids, mask = model_inputs["input_ids"], model_inputs["attention_mask"]
        counts = None if (model_inputs["count"] == _NO_COUNT).any() else model_inputs["count"]
        kept = {name: model_inputs[name] for name in ("words", "is_short", "note")}
        ids, mask = padded_right(ids, mask, self.tokenizer.pad_token_id)
        if self._selects:
            limits = _word_limits(generate_arguments) if counts is None else {}
            places, forms = self.model.select_words(ids, mask, counts, bool(source_words_only), **limits)
            return {"places": places, "forms": forms, **kept}
        if counts is not None:  # a share of a long text may be more than the model can write
            counts = counts.clamp(max=self.model.config.max_summary_length)
        written = sequences_of(
            self.model.summarize(
                ids,
                mask,
                target_length=counts,
                source_words_only=source_words_only,
                source_order=source_order,
                longest_gap=longest_gap,
                **generate_arguments,
            )
        )
        # One row a text, as the base class takes batches apart by their first dimension.
        return {"written": written.view(len(ids), -1, written.shape[-1]), **kept}

    def postprocess(self, model_outputs: dict, detokenize: bool = True) -> dict | list[dict]:
        if (note := model_outputs["note"][0]) is not None:
            return {"summary_text": None, "source_words": None, "summary_words": None, "note": note}
        source = [spelling for _, spelling in model_outputs["words"][0]]
        if "written" in model_outputs:
            texts = self.tokenizer.batch_decode(model_outputs["written"][0], skip_special_tokens=True)
            spellings = dict(model_outputs["words"][0])
            summaries = [[spellings.get(word, word) for word in text.split()] for text in texts]
        else:
            places, forms = (model_outputs[name][0].tolist() for name in ("places", "forms"))
            chosen = zip(places, forms, strict=True)
            word = self.tokenizer.convert_ids_to_tokens
            # The first token is <bos>.
            summaries = [[source[place - 1] if form < 0 else word(form) for place, form in chosen if place > 0]]
        if model_outputs["is_short"].item():
            summaries = [source] * len(summaries)
        results = [
            {
                "summary_text": self._joined(" ".join(words)) if detokenize else " ".join(words),
                "source_words": len(source),
                "summary_words": len(words),
            }
            for words in summaries
        ]
        return results if len(results) > 1 else results[0]

    def _joined(self, text: str) -> str:
        if not self._masks_digits:
            return join_words(text)
        text = _TREEBANK.sub(lambda match: _MARKS[match[0]], text).replace("#", _DIGIT)
        return join_words(text).replace(_DIGIT, "#").lower()


def _word_limits(arguments: dict) -> dict[str, int]:
    """Limits on tokens as limits on words, as `generate` counts: `<bos>` in lengths, `<eos>` in what is the most."""
    limits = {}
    for name, end, eos in (("shortest", "min", 0), ("longest", "max", 1)):
        whole, new = arguments.get(f"{end}_length"), arguments.get(f"{end}_new_tokens")
        if new is not None or whole is not None:
            limits[name] = max(1, (whole - 1 if new is None else new) - eos)
    return limits


__all__ = ["TextSummarizationPipeline"]
