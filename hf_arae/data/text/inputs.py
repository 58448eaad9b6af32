"""What the pipelines that read text share: which inputs and arguments they take, and what they say of others."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

from hf_arae.data.text.characters import whole_characters
from hf_arae.utils.escapes import excerpt

# What a pipeline that rewrites says of a sentence without a word that the model knows.
UNKNOWN_WORDS = "No word of {} is in the vocabulary: it is rewritten from its length alone"
NOTHING_TO_SHOW = "no word of the output can be shown: the sentence is given back as it is"
ON_ERROR = ("raise", "skip")
CALL_ARGUMENTS = ("batch_size", "num_workers")  # what a call of any pipeline of transformers takes itself
_MAX_LISTED = 20


@dataclass(frozen=True)
class Skipped:
    """Stands among texts for one that cannot be read.

    Args:
        reason: why, in one line.
    """

    reason: str


def check_inputs(inputs: Any, check: Callable[[Any, int | None], str]) -> str | list[str] | Iterator[str]:
    """What a pipeline is to run over: collections are read and checked at once, streams as they are consumed.

    Args:
        inputs: a string, a collection of strings, or a stream of them: a generator or a torch dataset.
        check: gets a text and its place, `None` for a single string; returns the text to go on with, or raises.

    Returns:
        A string for a string, a list for a collection, a generator for a stream.

    Raises:
        TypeError: `inputs` is none of these.
    """
    if isinstance(inputs, str):
        return check(inputs, None)
    if isinstance(inputs, Iterator) or _is_torch_dataset(inputs):
        texts = map(inputs.__getitem__, range(len(inputs))) if isinstance(inputs, Sized) else inputs
        return (check(text, index) for index, text in enumerate(texts))
    if isinstance(inputs, Iterable) and not isinstance(inputs, (bytes, Mapping)):
        return [check(text, index) for index, text in enumerate(inputs)]
    raise TypeError(f"inputs must be a string or strings, got {type(inputs).__name__}")


def skipping(check: Callable[[Any, int | None], str]) -> Callable[[Any, int | None], str | Skipped]:
    """The same check, but for a text that it refuses it gives the reason."""

    def checked(text: Any, index: int | None) -> str | Skipped:
        try:
            return check(text, index)
        except (TypeError, ValueError) as error:
            return Skipped(str(error))

    return checked


def check_on_error(on_error: str) -> None:
    """Raises ValueError for what says neither to raise nor to skip."""
    if on_error not in ON_ERROR:
        raise ValueError(f"on_error must be one of {', '.join(map(repr, ON_ERROR))}; got {on_error!r}")


def no_word_known(words: Sequence[str], ids: Sequence[int], unknown: int) -> bool:
    """Whether none of a text's words is in the vocabulary, punctuation marks aside, which every vocabulary has.

    Args:
        words: of the text.
        ids: their tokens, one a word.
        unknown: the token of words outside the vocabulary.
    """
    told = [token for word, token in zip(words, ids, strict=True) if any(map(str.isalnum, word))]
    return all(token == unknown for token in told or ids)


def place_of(noun: str, index: int | None) -> str:
    """How messages name a text: "the sentence", or "sentence 3" of several."""
    return f"the {noun}" if index is None else f"{noun} {index}"


def check_text(text: Any, where: str) -> str:
    """The text as a tokenizer takes it: halves of characters, such as of a cut emoji, become U+FFFD.

    Raises:
        TypeError: it is no string.
        ValueError: it holds nothing but white space.
    """
    if not isinstance(text, str):
        raise TypeError(f"{where} must be a string, got {type(text).__name__}: {excerpt(text)}")
    if not text.strip():
        raise ValueError(f"{where} is empty")
    return whole_characters(text)


def check_length(text: str, where: str, length: int, limit: int | None) -> None:
    """Raises ValueError for a text without a word, and for one of more words than the limit (`None`: it is cut)."""
    if not length:
        raise ValueError(f"{where} is empty: it holds no character that is seen, {excerpt(text)}")
    if limit is not None and length > limit:
        raise ValueError(
            f"{where} has {length} words, more than the limit of {limit}; truncation=True cuts it: {excerpt(text)}"
        )


def check_arguments(owner: object, given: Iterable[str], known: Sequence[str]) -> None:
    """Raises TypeError for the first argument that is not known, with the one that may have been meant.

    Where none is alike, the known ones are listed, unless they are too many to be read.
    """
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            listed = f". Accepted: {', '.join(known)}" if len(known) <= _MAX_LISTED else ""
            hint = f": did you mean {close[0]}?" if close else listed
            raise TypeError(f"{type(owner).__name__} does not know the argument {name!r}{hint}")


def _is_torch_dataset(inputs: Any) -> bool:
    torch = sys.modules.get("torch")  # not loaded for this: who holds a dataset of torch's has loaded it
    return torch is not None and isinstance(inputs, torch.utils.data.Dataset)
