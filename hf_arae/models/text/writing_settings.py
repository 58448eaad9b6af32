"""What may be asked of `generate()`: the ranges of its settings, and what a recurrent text model cannot do."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any

_WHOLE = {
    "max_length": 1,
    "max_new_tokens": 1,
    "min_length": 0,
    "min_new_tokens": 0,
    "no_repeat_ngram_size": 0,
    "num_beams": 1,
    "num_return_sequences": 1,
    "top_k": 0,
}
_SHARES = ("epsilon_cutoff", "eta_cutoff", "min_p", "top_h", "top_p", "typical_p")
_ABOVE_ZERO = ("max_time", "repetition_penalty")
_FINITE = ("length_penalty", "diversity_penalty")

_NO_WAY_BACK = "the state of a recurrent model cannot go back to an earlier word, as assisted decoding has to"
_FOREIGN = "transformers loads the code of that search from the Hub; it was never tried with these models"
_UNSUPPORTED = {
    "assistant_early_exit": _NO_WAY_BACK,
    "assistant_model": _NO_WAY_BACK,
    "is_assistant": _NO_WAY_BACK,
    "prompt_lookup_num_tokens": _NO_WAY_BACK,
    "use_mtp": _NO_WAY_BACK,
    "constraints": _FOREIGN,
    "dola_layers": _FOREIGN,
    "force_words_ids": _FOREIGN,
    "penalty_alpha": _FOREIGN,
    "guidance_scale": "there is no second reading of the prompt to be guided by",
    "prefill_chunk_size": "prompts are a sentence long and read at once",
    "stop_strings": "they are looked up in the pieces of subword tokenizers, and a token is a whole word here. Cut "
    "the text, or give stopping_criteria",
    "token_healing": "a token is a whole word here, so that no prompt ends within one",
}
_WITHOUT_EFFECT = {"guidance_scale": 1}


def check_writing(settings: Mapping[str, Any]) -> None:
    """Raises for settings of `generate()` that are out of range or that these models cannot follow.

    Args:
        settings: by name; those that are not known here, or `None`, are passed over.

    Raises:
        TypeError: a setting is no number where it must be one.
        ValueError: a setting is out of its range, not finite, or not supported; it is named.
    """
    for name, reason in _UNSUPPORTED.items():
        if settings.get(name) not in (None, False, _WITHOUT_EFFECT.get(name)):
            raise ValueError(f"{name} is not supported: {reason}")
    for name, minimum in _WHOLE.items():
        if (value := settings.get(name)) is not None:
            try:
                whole = operator.index(value)
            except TypeError:
                raise TypeError(f"{name} must be a whole number, got {value!r}") from None
            if whole < minimum or isinstance(value, bool):
                raise ValueError(f"{name} must be at least {minimum}, got {value!r}")
    for name in (*_SHARES, *_ABOVE_ZERO, *_FINITE):
        number = _number(name, settings)
        if number is None:
            continue
        if not math.isfinite(number):
            raise ValueError(f"{name} must be finite, got {number}")
        if name in _SHARES and not 0 <= number <= 1:
            raise ValueError(f"{name} must lie in [0, 1], got {number}")
        if name in _ABOVE_ZERO and number <= 0:
            raise ValueError(f"{name} must be above 0, got {number}")
    temperature = _number("temperature", settings)
    if temperature is not None and settings.get("do_sample") and not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be above 0 and finite, got {temperature}")


def room_for_new_tokens(max_length: int, begun: int = 1) -> int:
    """`max_new_tokens` for a text of at most `max_length` tokens, of which `begun` are there.

    Raises:
        ValueError: there is no room for a token.
    """
    if max_length <= begun:
        raise ValueError(f"max_length must be above {begun}, the number of tokens that are given; got {max_length}")
    return max_length - begun


def _number(name: str, settings: Mapping[str, Any]) -> float | None:
    value = settings.get(name)
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None


__all__ = ["check_writing", "room_for_new_tokens"]
