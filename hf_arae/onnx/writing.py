"""Writing token after token with an exported decoder: greedily, or by plain sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np

from hf_arae.utils.validation import WIDTHS, check_range

# What a generation config may say, beside what is read from it, without asking for more than plain writing.
_NEUTRAL = {"num_beams": 1, "num_return_sequences": 1, "repetition_penalty": 1.0, "top_k": 0, "top_p": 1.0}
_ELSEWHERE = {"bos_token_id", "decoder_start_token_id", "eos_token_id", "pad_token_id", "transformers_version"}


@dataclass(frozen=True)
class Writing:
    """How texts are written.

    Args:
        max_new_tokens: longest text, its end token included.
        suppress_tokens: tokens that are never written.
        do_sample: draw each token, instead of taking the likeliest.
        temperature: above 0; tokens are drawn from softmax(logits / temperature).
        min_new_tokens: tokens before which a text does not end.
    """

    max_new_tokens: int
    suppress_tokens: tuple[int, ...] = ()
    do_sample: bool = False
    temperature: float = 1.0
    min_new_tokens: int = 0

    def __post_init__(self):
        check_range(self, WIDTHS, "max_new_tokens")
        check_range(self, "[0, inf)", "min_new_tokens")
        check_range(self, "(0, inf)", "temperature")
        if not isinstance(self.do_sample, (bool, np.bool_)):
            raise ValueError(f"do_sample must be True or False, got {self.do_sample!r}")

    @classmethod
    def from_generation_config(cls, values: Mapping[str, Any]) -> Writing:
        """Reads the content of a `generation_config.json`.

        Raises:
            ValueError: it names no `max_new_tokens`, asks for more than greedy decoding or plain sampling, or holds a
                value out of its range.
        """
        own = {name: values[name] for name in cls.__dataclass_fields__ if values.get(name) is not None}
        others = {name: value for name, value in values.items() if name not in own and not name.startswith("_")}
        needed = [
            f"{name}={value!r}"
            for name, value in others.items()
            if name not in _ELSEWHERE and value is not None and value is not False and value != _NEUTRAL.get(name)
        ]
        if needed:
            raise ValueError(
                f"the generation config asks for {', '.join(needed)}; in ONNX texts are written greedily or by plain "
                f"sampling. Accepted: {', '.join(cls.__dataclass_fields__)}"
            )
        if "max_new_tokens" not in own:
            raise ValueError("the generation config names no max_new_tokens")
        suppressed = own.get("suppress_tokens", ())
        if not isinstance(suppressed, list | tuple):
            raise ValueError(f"suppress_tokens must be a list of tokens, got {suppressed!r}")
        return cls(**own | {"suppress_tokens": tuple(suppressed)})

    def check_tokens(self, vocab_size: int) -> None:
        """Raises ValueError for a suppressed token that lies outside the vocabulary."""
        for token in self.suppress_tokens:
            if isinstance(token, bool) or not isinstance(token, Integral) or not 0 <= token < vocab_size:
                raise ValueError(f"suppress_tokens must hold tokens in 0..{vocab_size - 1}, got {token!r}")

    def changed(self, **changes) -> Writing:
        """These settings, with those of `changes` that are not `None`."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


class StepDecoder:
    """One exported decoder.

    Args:
        session: onnxruntime's session of a `decoder_step.onnx`.
        name: of its file, for messages.
        begin, end, padding: tokens that begin a text, end it (`None` if none does) and fill the row after it.
    """

    def __init__(self, session: Any, name: str, begin: int, end: int | None, padding: int):
        self.session, self.name, self.begin, self.end, self.padding = session, name, begin, end, padding
        shape = next(part.shape for part in session.get_inputs() if part.name == "hidden")
        self.num_layers, self.hidden_size = shape[0], shape[2]

    def zero_state(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Hidden and memory state before the first token, each `(num_layers, rows, hidden_size)`."""
        zeros = np.zeros((self.num_layers, rows, self.hidden_size), np.float32)
        return zeros, zeros

    def step(
        self, token: np.ndarray, code: np.ndarray, state: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Reads a token of each row `(rows,)`; returns logits of the next, `(rows, vocab_size)`, and the new state."""
        inputs = {"token": token, "code": code, "hidden": state[0], "memory": state[1]}
        logits, hidden, memory = self.session.run(("logits", "new_hidden", "new_memory"), inputs)
        return logits, (hidden, memory)

    def write(self, code: np.ndarray, writing: Writing, draws: np.ndarray | None) -> np.ndarray:
        """Writes a text from each code; rows that have ended leave the batch.

        Args:
            code: `(rows, code_size)` float32.
            writing: how.
            draws: with `do_sample`, uniform numbers in [0, 1), `(rows, max_new_tokens)`.

        Returns:
            Token ids `(rows, max_new_tokens + 1)`, the begin token first.

        Raises:
            ValueError: the decoder gives NaN or an infinity, or no token is left to write.
        """
        written = np.full((len(code), writing.max_new_tokens + 1), self.padding)
        written[:, 0] = self.begin
        rows, state = np.arange(len(code)), self.zero_state(len(code))
        suppressed = list(writing.suppress_tokens)
        for position in range(1, writing.max_new_tokens + 1):
            logits, state = self.step(written[rows, position - 1], code, state)
            logits[:, suppressed] = -np.inf
            if position <= writing.min_new_tokens and self.end is not None:
                logits[:, self.end] = -np.inf
            token = logits.argmax(1)
            # A NaN, if there is one: argmax takes it for the largest number.
            best = logits[np.arange(len(token)), token]
            if not np.isfinite(best).all():
                if (best == -np.inf).any():
                    raise ValueError("suppress_tokens leaves no token to write")
                raise ValueError(f"{self.name} gives numbers that are not finite")
            if draws is not None:
                token = _drawn(logits, writing.temperature, draws[rows, position - 1])
            written[rows, position] = token
            alive = token != self.end
            if not alive.any():
                break
            if not alive.all():
                rows, code = rows[alive], code[alive]
                state = tuple(part[:, alive] for part in state)
        return written


def write_texts(
    decoders: Sequence[StepDecoder],
    code: np.ndarray,
    numbers: np.ndarray,
    writing: Writing,
    source: np.random.Generator,
    batch_size: int,
) -> np.ndarray:
    """Writes a text from each code with the decoder of its row.

    The draws of a row depend on the generator and the row's place alone: neither on the other rows nor on
    `batch_size`.

    Args:
        decoders: one for each attribute value.
        code: `(rows, code_size)` float32.
        numbers: of each row's decoder, `(rows,)`.
        writing: how.
        source: of the draws.
        batch_size: rows that are written at once.

    Returns:
        Token ids `(rows, sequence)` int64, as wide as the longest text.
    """
    padding = decoders[0].padding
    written = np.full((len(code), writing.max_new_tokens + 1), padding)
    draws = source.random((len(code), writing.max_new_tokens)) if writing.do_sample else None
    for value in np.unique(numbers):
        rows = np.flatnonzero(numbers == value)
        for part in (rows[start : start + batch_size] for start in range(0, len(rows), batch_size)):
            written[part] = decoders[value].write(code[part], writing, None if draws is None else draws[part])
    used = np.flatnonzero((written != padding).any(0))
    return written[:, : used[-1] + 1 if len(used) else 1]


def _drawn(logits: np.ndarray, temperature: float, draws: np.ndarray) -> np.ndarray:
    """A token of each row, by the inverse of its distribution function."""
    logits = logits / temperature
    totals = np.exp(logits - logits.max(1, keepdims=True)).cumsum(1, dtype=np.float64)
    return (totals <= (draws * totals[:, -1])[:, None]).sum(1).clip(max=logits.shape[1] - 1)
