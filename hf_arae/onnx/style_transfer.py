"""Sentences rewritten with another attribute value, as the pipeline "text-style-transfer" does, on onnxruntime."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice

import numpy as np

from hf_arae.data.text.detokenization import detokenize as join_words
from hf_arae.data.text.inputs import UNKNOWN_WORDS, check_arguments, check_inputs
from hf_arae.onnx.runtime import OnnxTextAutoencoder
from hf_arae.onnx.writing import Writing
from hf_arae.utils.escapes import excerpt

logger = logging.getLogger(__name__)

_ARGUMENTS = ("target", "source", "truncation", "detokenize", "seed", *Writing.__dataclass_fields__)


class OnnxStyleTransfer:
    """Rewrites sentences; takes and gives what `TextStyleTransferPipeline` does, beam search apart.

    ```python
    from hf_arae.onnx import OnnxStyleTransfer, OnnxTextAutoencoder

    rewrite = OnnxStyleTransfer(OnnxTextAutoencoder.from_pretrained(folder_or_repository))
    rewrite("The food was awful!", target="positive")  # {"text": ..., "target": "positive", "source": "negative"}
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

        Words outside the vocabulary are read as `<unk>`. A sentence that holds no other word is rewritten all the
        same, from its length alone, and a warning names it.

        Args:
            inputs: a string, any collection of strings, or a stream of them (a generator).
            target: label (name or id) to write with. With two labels it may be left out: the other one than `source`.
            source: label (name or id) of the sentences. Left out, each sentence's own words tell it.
            truncation: cut sentences that are too long, instead of raising.
            detokenize: join punctuation and contractions and capitalise. `False` returns words separated by spaces.
            seed: of the draws, with `do_sample`; 0 by default.
            arguments: `do_sample`, `temperature`, `max_new_tokens`, `min_new_tokens`, `suppress_tokens`.

        Returns:
            For a string, `{"text": ..., "target": label, "source": label}`; for a collection, a list of them; for a
            stream, an iterator. `source` is `None` where it was not given and words do not tell it.

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
        truncation, joined = settings.pop("truncation", False), settings.pop("detokenize", True)
        draws = np.random.default_rng(settings.pop("seed", 0))
        self.model.writing.changed(**settings)  # a wrong setting is an error before a stream is read

        def rewrite(texts: list[str], ids: list[list[int]]) -> list[dict]:
            return self._rewrite(texts, ids, target, source, joined, draws, settings)

        if isinstance(inputs, str):
            return rewrite([inputs], self.model.to_ids(inputs, truncation, "sentence"))[0]
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
            yield from rewrite(part, self.model.to_ids(part, truncation, "sentence", first))
            first += len(part)

    def _rewrite(
        self,
        texts: list[str],
        ids: list[list[int]],
        target: int | None,
        source: int | None,
        joined: bool,
        draws: np.random.Generator,
        settings: dict,
    ) -> list[dict]:
        model = self.model
        for text, row in zip(texts, ids, strict=True):
            if all(token == model.config.unk_token_id for token in row[1:-1]):
                logger.warning(UNKNOWN_WORDS.format(excerpt(text)))
        rows = len(ids)
        sources = np.full(rows, -1 if source is None else source)
        if source is None and model.tells_attributes:
            sources = model.predict_attribute_ids(ids)
        targets = 1 - sources if target is None else np.full(rows, target)
        codes = model.encode_ids(ids)
        written = model.to_texts(model.decode_ids(codes, targets, draws, **settings))
        empty = [row for row, text in enumerate(written) if not text]
        if empty:  # a text has at least a word
            again = model.decode_ids(codes[empty], targets[empty], draws, **settings | {"min_new_tokens": 1})
            for row, text in zip(empty, model.to_texts(again), strict=True):
                written[row] = text
        names = model.labels.names
        return [
            {"text": join_words(text) if joined else text, "target": names[goal], "source": names.get(origin)}
            for text, goal, origin in zip(written, targets.tolist(), sources.tolist(), strict=True)
        ]


__all__ = ["OnnxStyleTransfer"]
