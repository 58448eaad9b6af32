"""Sentences rewritten with another attribute value, as the pipeline "text-style-transfer" does, on onnxruntime."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice

import numpy as np

from hf_arae.data.text.attribute_labels import has_words
from hf_arae.data.text.characters import whole_characters
from hf_arae.data.text.inputs import (
    NOTHING_TO_SHOW,
    UNKNOWN_WORDS,
    check_arguments,
    check_inputs,
    no_word_known,
    place_of,
)
from hf_arae.onnx.runtime import OnnxTextAutoencoder
from hf_arae.onnx.writing import Writing
from hf_arae.utils.escapes import excerpt
from hf_arae.utils.validation import check_number

logger = logging.getLogger(__name__)

_ARGUMENTS = ("target", "source", "min_confidence", "truncation", "detokenize", "seed", *Writing.__dataclass_fields__)


class OnnxStyleTransfer:
    """Rewrites sentences; takes and gives what `TextStyleTransferPipeline` does, scores and beam search apart.

    ```python
    from hf_arae.onnx import OnnxStyleTransfer, OnnxTextAutoencoder

    rewrite = OnnxStyleTransfer(OnnxTextAutoencoder.from_pretrained(folder_or_repository))
    rewrite("The food was awful!", target="positive")  # {"text": ..., "target": "positive", ...}
    ```

    Args:
        model: an exported model with `num_attributes` of at least 2.
        arguments: any argument of a call, as the default of all calls.

    Raises:
        ValueError: the model has no attributes, or the folder no tokenizer.
    """

    def __init__(self, model: OnnxTextAutoencoder, **arguments):
        if model.config.num_attributes < 2:
            raise ValueError("text-style-transfer needs a model with attributes (num_attributes of at least 2)")
        self._check(arguments)
        model.to_ids([])
        self.model, self.defaults = model, arguments

    def __call__(self, inputs, **arguments) -> dict | list[dict] | Iterator[dict]:
        """Rewrites one sentence or many, `model.batch_size` at once.

        A sentence that has the target already, or digits and marks alone, is given back as it is. Words outside the
        vocabulary are read as `<unk>`. A sentence that holds no other word is rewritten all the same, from its length
        alone, and a warning names it.

        Args:
            inputs: a string, any collection of strings, or a stream of them (a generator).
            target: label (name or id) to write with. With two labels it may be left out: the other one than `source`.
            source: label (name or id) of the sentences. Left out, each sentence's own words tell it.
            min_confidence: the least probability of a source that is guessed, in [0, 1]; by default 0.01 above that of
                a draw. Below it the source counts as not known.
            truncation: cut sentences that are too long, instead of raising.
            detokenize: write the text in the way of the source. `False` returns words separated by spaces.
            seed: of the draws, with `do_sample`; 0 by default.
            arguments: `do_sample`, `temperature`, `max_new_tokens`, `min_new_tokens`, `suppress_tokens`.

        Returns:
            For a string, `{"text": ..., "target": label, "source": label, "changed": ..., "unknown_words": [...]}`;
            for a collection, a list of them; for a stream, an iterator. `source` is `None` where it is not known, and
            there is a `note` where there is something to say.

        Raises:
            TypeError: an input is no string, or an argument is unknown.
            ValueError: a sentence is empty or too long; a label is unknown; `target` is left out with more than two
                labels, or with no way to know the source.
        """
        self._check(arguments)
        settings = self.defaults | arguments
        labels = self.model.labels
        target, source = (labels.id_of(name, settings.pop(name, None)) for name in ("target", "source"))
        labels.check_target(target, source, self.model.tells_attributes)
        least = settings.pop("min_confidence", None)
        if least is not None:
            check_number("min_confidence", least, "[0, 1]")
        truncation, joined = settings.pop("truncation", False), settings.pop("detokenize", True)
        draws = np.random.default_rng(settings.pop("seed", 0))
        self.model.writing.changed(**settings)  # a wrong setting is an error before a stream is read

        def rewrite(texts: list[str], ids: list[list[int]], first: int | None = 0) -> list[dict]:
            texts = [whole_characters(text) for text in texts]
            told = self.model.attribute_probabilities_ids(ids) if self.model.tells_attributes and ids else None
            directions = [
                labels.direction(
                    target,
                    source,
                    told[row] if told is not None and has_words(text) else None,
                    least,
                    place_of("sentence", None if first is None else first + row),
                    text,
                )
                for row, text in enumerate(texts)
            ]
            return self._rewrite(texts, ids, directions, joined, draws, settings)

        if isinstance(inputs, str):
            return rewrite([inputs], self.model.to_ids(inputs, truncation, "sentence"), None)[0]
        texts = check_inputs(inputs, lambda text, index: text)
        if isinstance(texts, list):
            return rewrite(texts, self.model.to_ids(texts, truncation, "sentence"))
        return self._stream(texts, truncation, rewrite)

    def _check(self, arguments: dict) -> None:
        if "batch_size" in arguments:
            raise TypeError(
                "how many sentences are written at once is the model's: OnnxTextAutoencoder(folder, batch_size="
                f"{arguments['batch_size']!r})"
            )
        check_arguments(self, arguments, _ARGUMENTS)

    def _stream(self, texts: Iterator[str], truncation: bool, rewrite) -> Iterator[dict]:
        first = 0
        while part := list(islice(texts, self.model.batch_size)):
            yield from rewrite(part, self.model.to_ids(part, truncation, "sentence", first), first)
            first += len(part)

    def _rewrite(
        self,
        texts: list[str],
        ids: list[list[int]],
        directions: list[tuple[int | None, int]],
        joined: bool,
        draws: np.random.Generator,
        settings: dict,
    ) -> list[dict]:
        labels = self.model.labels
        kept = [labels.why_kept(text, *pair) for text, pair in zip(texts, directions, strict=True)]
        rows = [row for row, reason in enumerate(kept) if reason is None]
        targets = np.array([target for _, target in directions], dtype=np.int64)
        written = dict(
            zip(rows, self._written([ids[row] for row in rows], targets[rows], draws, settings), strict=True)
        )
        results = []
        for row, (text, (source, target)) in enumerate(zip(texts, directions, strict=True)):
            surface, note, changed = self.model.surface(text, ids[row]), kept[row], False
            if row in written:
                tokens = tuple(written[row].split())
                changed, new = tokens != surface.tokens, surface.write(tokens) if joined else written[row]
                words, seen = self.model.words(text).split(), ids[row][1:-1]
                if no_word_known(words[: len(seen)], seen, self.model.config.unk_token_id):
                    logger.warning(UNKNOWN_WORDS.format(excerpt(text)))
                    note = UNKNOWN_WORDS.format("the sentence")
                if not new:
                    new, changed, note = text, False, NOTHING_TO_SHOW
            else:
                new = text if joined else self.model.words(text)
            result = {"text": new, "target": labels.names[target], "source": labels.names.get(source)}
            result |= {"changed": changed, "unknown_words": surface.unknown_words}
            results.append(result if note is None else {**result, "note": note})
        return results

    def _written(
        self, ids: list[list[int]], targets: np.ndarray, draws: np.random.Generator, settings: dict
    ) -> list[str]:
        """Words of the outputs, separated by spaces: at least one each."""
        if not ids:
            return []
        model = self.model
        codes = model.encode_ids(ids)
        written = model.to_texts(model.decode_ids(codes, targets, draws, **settings))
        empty = [row for row, text in enumerate(written) if not text]
        if empty:
            again = model.decode_ids(codes[empty], targets[empty], draws, **settings | {"min_new_tokens": 1})
            for row, text in zip(empty, model.to_texts(again), strict=True):
                written[row] = text
        return written


__all__ = ["OnnxStyleTransfer"]
