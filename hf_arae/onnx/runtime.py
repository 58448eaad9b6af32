"""Exported text autoencoders on onnxruntime, with the library's verbs: texts in, texts out, numpy between."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hf_arae.data.text.inputs import check_inputs, check_length, check_text, place_of
from hf_arae.data.text.surface import Surface, surface_of, words_of
from hf_arae.onnx.layout import TOKENIZER, TOKENIZER_CONFIG
from hf_arae.onnx.text_codec import TextCodec
from hf_arae.onnx.token_runtime import Attribute, OnnxTokenAutoencoder

Texts = str | Iterable[str]


class OnnxTextAutoencoder(OnnxTokenAutoencoder):
    """A text autoencoder that was exported by `export_onnx`; see [`~hf_arae.onnx.layout`] for its files.

    ```python
    from hf_arae.onnx import OnnxTextAutoencoder

    model = OnnxTextAutoencoder.from_pretrained(folder_or_repository)
    model.transfer(["the food was cold ."], target="positive")
    model.decode(model.encode("i love this place !"), attribute="negative")
    model.sample(3, attribute=0, seed=0)
    ```

    Texts are one sentence or any collection of them; results are lists or arrays with a row for each. Writing is
    greedy; with `do_sample` each token is drawn, from numpy's generator, so that the same seed gives the same texts
    whatever `batch_size` is. Other draws than torch's come of it. `max_new_tokens`, `do_sample`, `temperature` and the
    tokens that are never written are the generation config's where they are not given.

    Args:
        folder, providers, num_threads, batch_size: see [`~hf_arae.onnx.token_runtime.OnnxTokenAutoencoder`], as for
            what is raised; and a ValueError if the tokenizer in the folder is not the model's.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        providers: Sequence[str] | None = None,
        num_threads: int | None = None,
        batch_size: int = 64,
    ):
        super().__init__(folder, providers, num_threads, batch_size)
        folder = Path(folder).absolute()
        complete = all((folder / name).is_file() for name in (TOKENIZER, TOKENIZER_CONFIG))
        self._codec = TextCodec(folder) if complete else None
        if complete and self._codec.tokenizer.get_vocab_size() != self.config.vocab_size:
            raise ValueError(
                f"{folder / TOKENIZER} has {self._codec.tokenizer.get_vocab_size():,} words and the model "
                f"{self.config.vocab_size:,}: it is not the model's tokenizer"
            )

    # Texts

    def encode(self, texts: Texts, truncation: bool = False) -> np.ndarray:
        """Returns the codes of texts, `(rows, code_size)` float32.

        Args:
            texts: a sentence, or any collection of sentences.
            truncation: cut sentences that are too long, instead of raising.

        Raises:
            TypeError: a text is no string.
            ValueError: a text is empty or too long, and is named; or the folder holds no tokenizer.
        """
        return self._read(self.to_ids(texts, truncation), "codes", self.config.code_size)

    def predict_attribute(self, texts: Texts, truncation: bool = False) -> np.ndarray:
        """The attribute value of each text as its words suggest, `(rows,)`; the arguments are those of `encode`.

        Raises:
            ValueError: the model does not tell attributes; or as `encode`.
        """
        return self.predict_attribute_ids(self.to_ids(texts, truncation))

    def decode(
        self, codes: np.ndarray, attribute: Attribute | None = None, seed: int | np.random.Generator = 0, **writing
    ) -> list[str]:
        """Writes a text from each code.

        Args:
            codes: `(rows, code_size)`.
            attribute: label (name or id) for all, or an id each `(rows,)`; may be left out with one decoder only.
            seed: of the draws, with `do_sample`; or a generator of numpy's, which goes on.
            writing: `do_sample`, `temperature`, `max_new_tokens`, `min_new_tokens`, `suppress_tokens`.

        Raises:
            TypeError: another argument.
            ValueError: shape or numbers of the codes are wrong; the label is unknown or missing; a setting is out of
                range; or the folder holds no tokenizer.
        """
        self._text_codec()
        return self.to_texts(self.decode_ids(codes, attribute, seed, **writing))

    def reconstruct(
        self, texts: Texts, attribute: Attribute | None = None, truncation: bool = False, seed: int = 0, **writing
    ) -> list[str]:
        """Writes each text again from its code; the arguments are those of `encode` and `decode`."""
        return self.decode(self.encode(texts, truncation), attribute, seed, **writing)

    def transfer(
        self, texts: Texts, target: Attribute, truncation: bool = False, seed: int = 0, **writing
    ) -> list[str]:
        """Rewrites each text with the label `target`; the other arguments are those of `encode` and `decode`.

        Raises:
            ValueError: the model has one decoder only; or as `encode` and `decode`.
        """
        if len(self._decoders) == 1:
            raise ValueError("this model was trained without attributes (num_attributes=1): it cannot transfer")
        return self.reconstruct(texts, target, truncation, seed, **writing)

    def sample(
        self, num_samples: int, attribute: Attribute | None = None, seed: int | np.random.Generator = 0, **writing
    ) -> list[str]:
        """Writes new texts from drawn codes; the arguments are those of `sample_codes` and `decode`."""
        source = np.random.default_rng(seed)
        return self.decode(self.sample_codes(num_samples, source), attribute, source, **writing)

    def to_ids(self, texts: Texts, truncation: bool = False, noun: str = "text", first: int = 0) -> list[list[int]]:
        """Token ids of each text, `<bos>` and `<eos>` included, after the checks that `encode` describes.

        Args:
            texts, truncation: see `encode`.
            noun, first: what messages call a text, and the number of the first one.
        """
        codec = self._text_codec()

        def place(index: int | None) -> str:
            return place_of(noun, None if single or index is None else first + index)

        def check(text: str, index: int | None) -> str:
            return check_text(text, place(index))

        single = isinstance(texts, str)
        checked = check_inputs(texts, check)
        checked = [checked] if single else list(checked)
        ids = codec.ids(checked, truncation)
        for index, row in enumerate(ids):
            check_length(checked[index], place(index), len(row) - codec.frame, None if truncation else codec.limit)
        return ids

    def to_texts(self, ids: np.ndarray) -> list[str]:
        """Words of token ids `(rows, sequence)`, separated by spaces; special tokens are left out."""
        return self._text_codec().texts(ids)

    def words(self, text: str) -> str:
        """The words of a text as the tokenizer reads them, separated by spaces, unknown ones included."""
        return " ".join(words_of(self._text_codec().tokenizer, text))

    def surface(self, text: str, ids: list[int]) -> Surface:
        """Where the words of a text stand in it, of which `ids` are those that `to_ids` gives."""
        tokenizer = self._text_codec().tokenizer
        tokens = [tokenizer.id_to_token(token) for token in ids[1:-1]]
        unknown = tokenizer.id_to_token(self.config.unk_token_id)
        return surface_of(text, words_of(tokenizer, text), tokens, unknown)

    def _text_codec(self) -> TextCodec:
        if self._codec is None:
            raise ValueError(
                f"the folder holds no tokenizer ({TOKENIZER}, {TOKENIZER_CONFIG}): use encode_ids and decode_ids, or "
                "export with a tokenizer"
            )
        return self._codec


__all__ = ["OnnxTextAutoencoder"]
