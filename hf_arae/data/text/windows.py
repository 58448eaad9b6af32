"""Texts of any length as rows of a bounded one: a text is cut into windows, one after another."""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from hf_arae.data.stream_batches import StreamedSentences
from hf_arae.data.streaming import TextStream
from hf_arae.data.text.token_arrays import TokenArrays

logger = logging.get_logger(__name__)


def window_ids(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[list[list[int]]]:
    """The windows of each text.

    A text is `<bos> w1 ... wn <eos>`, cut after every `tokenizer.model_max_length` tokens: the first window begins
    with `<bos>`, the last one, which may be shorter, ends with `<eos>`. A last window of a single token tells nothing
    and is left out, and so are texts without a word.

    Args:
        texts: of any length.
        tokenizer: see [`~hf_arae.data.text.tokenization.train_tokenizer`].
    """
    length, frame = tokenizer.model_max_length, tokenizer.num_special_tokens_to_add()
    read = tokenizer(list(texts), return_attention_mask=False, verbose=False)["input_ids"] if texts else []
    found = []
    for ids in read:
        windows = [ids[start : start + length] for start in range(0, len(ids), length)]
        found.append([window for window in windows if len(window) > 1] if len(ids) > frame else [])
    return found


def window_arrays(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, split: str = "train") -> TokenArrays:
    """The windows of texts, as rows to train on; see `window_ids`.

    Texts without a word are left out, with a warning that says how many.

    Args:
        texts, tokenizer: see `window_ids`.
        split: name of the split, for messages.

    Raises:
        ValueError: no text is left.
    """
    found = window_ids(texts, tokenizer)
    blank = sum(not windows for windows in found)
    rows = [window for windows in found for window in windows]
    if not rows:
        raise ValueError(f"No text of the {split} split holds a word.")
    if blank:
        logger.warning("Left out %d of %d %s texts, which hold no word.", blank, len(texts), split)
    return TokenArrays(Dataset.from_dict({"input_ids": rows}), tokenizer.pad_token_id)


class StreamedWindows(StreamedSentences):
    """A stream of texts of any length, whose rows are their windows; see `window_ids`.

    Args:
        stream, tokenizer: see [`StreamedSentences`].
        shuffle_buffer: windows that are shuffled together and held in memory.
    """

    def __init__(self, stream: TextStream, tokenizer: PreTrainedTokenizerBase, shuffle_buffer: int = 10_000):
        super().__init__(stream, tokenizer, shuffle_buffer)

    def rows_of(self, texts: list[str]) -> list[list[list[int]]]:
        return window_ids(texts, self.tokenizer)

    def identity(self) -> dict[str, object]:
        return super().identity() | {"windows": True}


__all__ = ["StreamedWindows", "window_arrays", "window_ids"]
