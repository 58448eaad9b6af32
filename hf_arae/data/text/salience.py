"""How strongly each word speaks for an attribute value."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch
from torch import Tensor


def attribute_log_odds(
    input_ids: Sequence[Sequence[int]],
    attributes: Sequence[int],
    vocab_size: int,
    num_attributes: int,
    smoothing: float = 1.0,
    special: Sequence[int] = (0, 1, 2, 3, 4),
) -> Tensor:
    """Smoothed log p(word | value) - log p(word | any other value), from counts of sentences.

    With n sentences of value k that hold the word, of N in all, p(word | k) = (n + s) / (N + 2 s), the posterior mean
    under a Beta(s, s) prior; the other values together likewise.

    Args:
        input_ids: token ids of each sentence.
        attributes: attribute value of each sentence, in 0..num_attributes - 1.
        vocab_size: number of tokens.
        num_attributes: number of values, at least 2.
        smoothing: s, above 0. A larger one takes rare words for less telling.
        special: tokens that are no words: the tokenizer's `all_special_ids`; by default those of this package's.

    Returns:
        `(vocab_size, num_attributes)` float32, in nats; 0 for special tokens and for tokens in no sentence.

    Raises:
        ValueError: the lengths differ, a value or an id is out of range, or a value has no sentence.
    """
    if num_attributes < 2 or not 0 < smoothing < np.inf:
        raise ValueError(f"num_attributes must be at least 2 and smoothing positive: {num_attributes}, {smoothing}")
    if len(input_ids) != len(attributes):
        raise ValueError(f"{len(input_ids)} sentences, but {len(attributes)} attribute values")
    values = np.asarray(attributes, dtype=np.int64)
    if values.size and (values.min() < 0 or values.max() >= num_attributes):
        raise ValueError(f"attribute values must lie in 0..{num_attributes - 1}, got {np.unique(values).tolist()}")
    totals = np.bincount(values, minlength=num_attributes)
    if not totals.all():
        raise ValueError(
            f"no sentence has attribute value {np.flatnonzero(totals == 0).tolist()}: every one needs some"
        )

    input_ids = list(input_ids)  # a column of a dataset is read from its files at each pass
    lengths = np.fromiter(map(len, input_ids), dtype=np.int64, count=len(values))
    tokens = np.fromiter(chain.from_iterable(input_ids), dtype=np.int64, count=lengths.sum())
    if tokens.size and (tokens.min() < 0 or tokens.max() >= vocab_size):
        raise ValueError(f"token ids must lie in 0..{vocab_size - 1}, got {tokens.min()}..{tokens.max()}")
    sentences = np.repeat(np.arange(len(values)), lengths)
    pairs = np.sort(sentences * vocab_size + tokens)  # np.unique takes a hundred times as long
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]  # a word once a sentence
    sentences, tokens = np.divmod(pairs, vocab_size)
    cells = np.bincount(tokens * num_attributes + values[sentences], minlength=vocab_size * num_attributes)
    counts = cells.reshape(vocab_size, num_attributes)

    seen = counts.sum(1, keepdims=True)
    within = np.log(counts + smoothing) - np.log(totals + 2 * smoothing)
    outside = np.log(seen - counts + smoothing) - np.log(totals.sum() - totals + 2 * smoothing)
    log_odds = np.where(seen > 0, within - outside, 0.0)
    log_odds[[token for token in special if token < vocab_size]] = 0.0
    return torch.from_numpy(log_odds.astype(np.float32))
