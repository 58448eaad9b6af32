"""Noise on the words of sentences: replaced, deleted, shuffled. `<bos>`, `<eos>` and padding stay.

All take `ids` `(batch, sequence)`, uniform random numbers in [0, 1) `draws` and the mask `words` of the places that
hold words, both of the same shape.
"""

from __future__ import annotations

import torch
from torch import Tensor


def replace_words(ids: Tensor, draws: Tensor, words: Tensor, rate: float, replacement: int) -> Tensor:
    """Replaces each word by a token with probability `rate` (word dropout: Bowman et al. 2016, section 3.1)."""
    return ids.masked_fill(words & (draws < rate), replacement)


def delete_words(ids: Tensor, draws: Tensor, words: Tensor, rate: float, padding: int) -> Tensor:
    """Deletes each word with probability `rate` (Shen et al. 2020); what follows moves up, padding fills the end.

    Of a sentence whose words would all go, one stays, each as likely.
    """
    keep = ~words | (draws >= rate)
    keep.scatter_(1, draws.masked_fill(~words, -1.0).argmax(1, keepdim=True), True)
    kept_first = (~keep).to(torch.uint8).argsort(dim=1, stable=True)
    places = torch.arange(ids.shape[1], device=ids.device)
    return ids.gather(1, kept_first).masked_fill(places >= keep.sum(1, keepdim=True), padding)


def shuffle_words(ids: Tensor, draws: Tensor, words: Tensor, distance: int) -> Tensor:
    """Puts the words in another order, each at most `distance` places from its own (Lample et al. 2018, section 2.3).

    The words of a sentence stand together, after `<bos>`.
    """
    places = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    behind = torch.where(places > 0, distance + 1.0, -1.0)  # of what is no word: `<bos>` before all, the rest after
    keys = places + torch.where(words, (distance + 1) * draws, behind)
    return ids.gather(1, keys.argsort(dim=1, stable=True))
