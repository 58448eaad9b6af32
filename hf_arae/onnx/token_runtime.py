"""Exported text autoencoders on onnxruntime: token ids in, token ids out, numpy between."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hf_arae.data.text.attribute_labels import SHARE_OF_LOG_ODDS, AttributeLabels
from hf_arae.onnx.layout import (
    CONFIG,
    ENCODER,
    GENERATION_CONFIG,
    GENERATOR,
    decoder_files,
    read_config,
    read_json,
    require_files,
    source_of_codes,
)
from hf_arae.onnx.sessions import OpenedFolder, check_values, open_sessions
from hf_arae.onnx.writing import StepDecoder, Writing, write_texts

Ids = np.ndarray | list[list[int]]
Attribute = int | str | Sequence[int] | np.ndarray


class OnnxTokenAutoencoder(OpenedFolder):
    """Reads and writes token ids by a folder that `export_onnx` made; see [`~hf_arae.onnx.layout`] for its files.

    [`~hf_arae.onnx.runtime.OnnxTextAutoencoder`] does the same with texts.

    Args:
        folder: an exported folder.
        providers: onnxruntime's execution providers, the preferred first; the CPU's by default.
        num_threads: threads of each operation; onnxruntime's choice (all cores) if `None`.
        batch_size: sentences that are read or written at once.

    Raises:
        ImportError: onnxruntime is not installed.
        FileNotFoundError: a file is missing.
        ValueError: the folder holds another kind of model, a damaged file, or files that do not belong together; a
            provider is not available; `num_threads` or `batch_size` is below 1.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        providers: Sequence[str] | None = None,
        num_threads: int | None = None,
        batch_size: int = 64,
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        super().__init__(folder, providers=providers, num_threads=num_threads, batch_size=batch_size)
        folder, self.batch_size = Path(folder).absolute(), batch_size
        require_files(folder, [CONFIG])
        self.config = read_config(folder / CONFIG)
        self.labels = AttributeLabels(self.config.id2label)
        steps = decoder_files(self.config.num_attributes)
        names = [ENCODER, *steps, *([GENERATOR] if source_of_codes(self.config) == "generator" else [])]
        require_files(folder, [*names, GENERATION_CONFIG])
        self.writing = self._read_writing(folder / GENERATION_CONFIG)
        sessions = open_sessions(folder, names, self.config, providers, num_threads)
        self._encoder, self._generator = sessions[ENCODER], sessions.get(GENERATOR)
        config = self.config
        frame = (config.bos_token_id, config.eos_token_id, config.pad_token_id)
        self._decoders = [StepDecoder(sessions[name], name, *frame) for name in steps]

    # What the model has

    @property
    def has_generator(self) -> bool:
        """Whether new codes are made from z by a generator, as an `AraeModel` does."""
        return self._generator is not None

    @property
    def tells_attributes(self) -> bool:
        """Whether the model tells a sentence's attribute value by its words."""
        return any(output.name == "attribute_scores" for output in self._encoder.get_outputs())

    # Token ids and codes

    def encode_ids(self, input_ids: Ids, attention_mask: np.ndarray | None = None) -> np.ndarray:
        """Maps token ids to codes, `(rows, code_size)` float32.

        Args:
            input_ids: integers `(rows, sequence)`, `<bos> ... <eos>` with padding on either side; or a list of rows
                without padding, each of its own length.
            attention_mask: 1 for tokens, 0 for padding; derived from the padding token if `None`.

        Raises:
            ValueError: shape, type or range is wrong.
        """
        return self._read(self._rows_of(input_ids, attention_mask), "codes", self.config.code_size)

    def predict_attribute_ids(self, input_ids: Ids) -> np.ndarray:
        """As `predict_attribute`, for token ids as `encode_ids` takes them."""
        return self._attribute_scores(input_ids).argmax(1)

    def attribute_probabilities_ids(self, input_ids: Ids) -> np.ndarray:
        """As the model's `attribute_probabilities`, of token ids as `encode_ids` takes them: `(rows, values)`."""
        scores = SHARE_OF_LOG_ODDS * self._attribute_scores(input_ids)
        powers = np.exp(scores - scores.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    def _attribute_scores(self, input_ids: Ids) -> np.ndarray:
        if not self.tells_attributes:
            raise ValueError("this model cannot tell attributes apart: it has none, or they were never counted")
        return self._read(self._rows_of(input_ids, None), "attribute_scores", self.config.num_attributes)

    def decode_ids(
        self, codes: np.ndarray, attribute: Attribute | None = None, seed: int | np.random.Generator = 0, **writing
    ) -> np.ndarray:
        """As `decode`, but returns token ids `(rows, sequence)` int64, `<bos>` first."""
        unknown = sorted(set(writing) - set(Writing.__dataclass_fields__))
        if unknown:
            raise TypeError(
                f"texts are not written with {', '.join(unknown)} in ONNX. Accepted: "
                f"{', '.join(Writing.__dataclass_fields__)}"
            )
        settings = self.writing.changed(**writing)
        settings.check_tokens(self.config.vocab_size)
        codes = check_values("codes", codes, self.config.code_size)
        values, source = self._values(attribute, len(codes)), np.random.default_rng(seed)
        return write_texts(self._decoders, codes, values, settings, source, self.batch_size)

    def logits(self, codes: np.ndarray, input_ids: np.ndarray, attribute: Attribute | None = None) -> np.ndarray:
        """Logits of the token after each one, `(rows, sequence, vocab_size)`, with nothing suppressed.

        Args:
            codes: `(rows, code_size)`.
            input_ids: the tokens before, `(rows, sequence)`, `<bos>` first.
            attribute: see `decode`.
        """
        codes = check_values("codes", codes, self.config.code_size)
        ids, values = self._checked_ids("input_ids", input_ids), self._values(attribute, len(codes))
        if len(ids) != len(codes):
            raise ValueError(f"input_ids has {len(ids)} rows for {len(codes)} codes")
        found = np.empty((*ids.shape, self.config.vocab_size), np.float32)
        for value in np.unique(values):
            decoder, rows = self._decoders[value], np.flatnonzero(values == value)
            state = decoder.zero_state(len(rows))
            for place in range(ids.shape[1]):
                found[rows, place], state = decoder.step(ids[rows, place], codes[rows], state)
        return found

    def sample_codes(self, num_samples: int, seed: int | np.random.Generator = 0) -> np.ndarray:
        """Draws codes of new texts, `(num_samples, code_size)` float32: generated ones, or the prior's.

        Args:
            num_samples: at least 1.
            seed: of the draws; or a generator of numpy's, which goes on.

        Raises:
            ValueError: `num_samples` is below 1; the model is a plain autoencoder.
        """
        if num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, got {num_samples}")
        config, source = self.config, np.random.default_rng(seed)
        if source_of_codes(config) is None:
            raise ValueError("a plain autoencoder draws no codes: it has neither a generator nor a prior")
        if self.has_generator:
            codes = self.generate_codes(source.standard_normal((num_samples, config.latent_size)))
            noise = getattr(config, "draw_noise", 0.0)
            return codes + np.float32(noise) * source.standard_normal(codes.shape, np.float32) if noise else codes
        codes = source.standard_normal((num_samples, config.code_size))
        if config.prior_sparsity:  # the draws of hf_arae.nn.priors.FixedPrior
            near_zero = source.random(codes.shape) < config.prior_sparsity
            codes = np.where(near_zero, config.prior_spike_std * codes, codes)
        return codes.astype(np.float32)

    def generate_codes(self, z: np.ndarray) -> np.ndarray:
        """Maps z `(rows, latent_size)` to codes `(rows, code_size)` by the generator.

        Raises:
            ValueError: the model has none; shape or numbers are wrong.
        """
        if not self.has_generator:
            prior = ": sample_codes draws from its prior" if source_of_codes(self.config) == "prior" else ""
            raise ValueError(f"this model ({self.config.model_type}) has no generator{prior}")
        z = check_values("z", z, self.config.latent_size)
        parts = [z[start : start + self.batch_size] for start in range(0, len(z), self.batch_size)]
        codes = [self._generator.run(("codes",), {"z": part})[0] for part in parts]
        empty = np.empty((0, self.config.code_size), np.float32)
        return _finite(np.concatenate(codes), GENERATOR) if codes else empty

    # Inside

    def _read_writing(self, path: Path) -> Writing:
        values = read_json(path)
        try:
            writing = Writing.from_generation_config(values)
            writing.check_tokens(self.config.vocab_size)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            theirs, ours = values.get(name), getattr(self.config, name)
            if theirs not in (None, ours, [ours]):
                raise ValueError(
                    f"{path} names the {name} {theirs!r}, and {CONFIG} {ours!r}: they do not belong together"
                )
        return writing

    def _read(self, ids: Sequence[Sequence[int]], output: str, width: int) -> np.ndarray:
        """An output of the encoder for each row of ids, sentences of like length together."""
        found = np.empty((len(ids), width), np.float32)
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            longest = max(len(ids[row]) for row in rows)
            batch = np.full((len(rows), longest), self.config.pad_token_id)
            mask = np.zeros_like(batch)
            for place, row in enumerate(rows):
                batch[place, : len(ids[row])] = ids[row]
                mask[place, : len(ids[row])] = 1
            (found[rows],) = self._encoder.run((output,), {"input_ids": batch, "attention_mask": mask})
        return _finite(found, ENCODER)

    def _checked_ids(self, name: str, ids: np.ndarray) -> np.ndarray:
        ids = np.asarray(ids)
        if ids.ndim != 2 or not ids.shape[1] or not np.issubdtype(ids.dtype, np.integer):
            raise ValueError(f"{name} must be integers of shape (rows, sequence), got {ids.dtype} {ids.shape}")
        if ids.size and not 0 <= ids.min() <= ids.max() < self.config.vocab_size:
            raise ValueError(
                f"{name} must hold tokens in 0..{self.config.vocab_size - 1}, got {ids.min()}..{ids.max()}"
            )
        return ids.astype(np.int64)

    def _rows_of(self, input_ids: Ids, attention_mask: np.ndarray | None) -> list[np.ndarray]:
        """The tokens of each row without its padding."""
        if isinstance(input_ids, list) and attention_mask is None:
            return [self._checked_ids(f"row {place} of input_ids", [row])[0] for place, row in enumerate(input_ids)]
        ids = self._checked_ids("input_ids", input_ids)
        mask = ids != self.config.pad_token_id if attention_mask is None else np.asarray(attention_mask)
        if mask.shape != ids.shape:
            raise ValueError(f"attention_mask must have the shape of input_ids, {ids.shape}, got {mask.shape}")
        mask = mask.astype(bool)
        empty = np.flatnonzero(~mask.any(1))
        if len(empty):
            raise ValueError(f"row {empty[0]} of input_ids holds no token")
        return [row[there] for row, there in zip(ids, mask, strict=True)]

    def _values(self, attribute: Attribute | None, rows: int) -> np.ndarray:
        """The attribute value of each row, `(rows,)`."""
        count = len(self._decoders)
        if count == 1:
            return np.zeros(rows, np.int64)
        if attribute is None:
            raise ValueError(f"attribute is needed: this model has {count} decoders, one a value")
        if isinstance(attribute, (int, str)):
            return np.full(rows, self.labels.id_of("attribute", attribute))
        values = np.asarray(attribute)
        if values.shape not in ((), (rows,)) or not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"attribute must be a label or {rows} ids, got {values.dtype} {values.shape}")
        if values.size and not 0 <= values.min() <= values.max() < count:
            raise ValueError(f"attribute values must lie in 0..{count - 1}, got {np.unique(values).tolist()}")
        return np.broadcast_to(values, (rows,))


def _finite(found: np.ndarray, name: str) -> np.ndarray:
    if not np.isfinite(found).all():
        raise ValueError(f"{name} gives numbers that are not finite")
    return found


__all__ = ["OnnxTokenAutoencoder"]
