"""What `generate()` is held to while a summary is written: its number of words, and which words."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import LogitsProcessor


class SummaryLengthProcessor(LogitsProcessor):
    """No `<eos>` before a row's least number of words, nothing else at its greatest.

    Beams and several sequences of one source stand next to each other, as `generate()` lays them out.

    Args:
        shortest, longest: numbers of words, `(batch,)`.
        end: the token `<eos>`.
    """

    def __init__(self, shortest: Tensor, longest: Tensor, end: int):
        self.shortest, self.longest, self.end = shortest, longest, end

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Maps scores `(rows, vocabulary)` after tokens `(rows, 1 + words)` to scores."""
        words, copies = input_ids.shape[1] - 1, len(scores) // len(self.shortest)
        too_early = (words < self.shortest).repeat_interleave(copies).to(scores.device)
        due = (words >= self.longest).repeat_interleave(copies).to(scores.device)
        is_end = torch.arange(scores.shape[1], device=scores.device) == self.end
        return scores.masked_fill((too_early[:, None] & is_end) | (due[:, None] & ~is_end), -torch.inf)


class SourceWordsProcessor(LogitsProcessor):
    """Only words of the source; where none of them is allowed any more, any word.

    Comes after the processors that rule words out (repeated n-grams, an early `<eos>`).

    Args:
        present: `(batch, vocabulary)` bool, `<eos>` included.
    """

    def __init__(self, present: Tensor):
        self.present = present

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Maps scores `(rows, vocabulary)` to scores."""
        present = self.present.repeat_interleave(len(scores) // len(self.present), 0)
        possible = (present & scores.isfinite()).any(1, keepdim=True)
        return scores.masked_fill(~present & possible, -torch.inf)


class SourceOrderProcessor(LogitsProcessor):
    """Only words of the source that stand behind the one taken before, see `places_ahead`; where none does, any word.

    Comes after the processors that rule words out.

    Args:
        source_ids: `(batch, source)`, `<bos> w1 ... wn <eos>`, padded on the right.
        shortest: least number of words, `(batch,)`.
        end: the token `<eos>`.
        longest_gap: most words of the source that may be left out before each, where that can be kept to.
    """

    def __init__(self, source_ids: Tensor, shortest: Tensor, end: int, longest_gap: int | None = None):
        self.source_ids, self.shortest, self.end = source_ids, shortest.to(source_ids.device), end
        self.longest_gap = longest_gap

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Maps scores `(rows, vocabulary)` after tokens `(rows, 1 + words)` to scores."""
        copies = len(scores) // len(self.source_ids)
        ids = self.source_ids.repeat_interleave(copies, 0)
        shortest = self.shortest.repeat_interleave(copies, 0)
        ahead = places_ahead(ids, input_ids.unsqueeze(1), shortest.unsqueeze(1), self.end)
        allowed = scores.isfinite().gather(1, ids).unsqueeze(1)
        ahead = nearest_places(ahead, allowed, self.longest_gap).squeeze(1)
        counts = torch.zeros(scores.shape, device=scores.device).scatter_add_(1, ids, ahead.float())
        counts[:, self.end] = 1
        possible = ((counts > 0) & scores.isfinite()).any(1, keepdim=True)
        return scores.masked_fill((counts == 0) & possible, -torch.inf)


def nearest_places(ahead: Tensor, allowed: Tensor, longest_gap: int | None) -> Tensor:
    """Those places of `ahead` that leave out at most `longest_gap` words; where none is allowed of them, all.

    Args:
        ahead: what `places_ahead` gave, `(batch, drafts, source)`.
        allowed: whether other rules allow a place's word, of a shape that goes with it.
        longest_gap: `None`: no limit.
    """
    if longest_gap is None:
        return ahead
    near = ahead & (ahead.cumsum(2) <= longest_gap + 1)  # the places ahead stand next to each other
    return torch.where((near & allowed).any(2, keepdim=True), near, ahead)


def places_ahead(source_ids: Tensor, before: Tensor, shortest: Tensor, end: int) -> Tensor:
    """Which places of the source may be taken next in its order: `(batch, drafts, source)` bool.

    A word is taken where it next occurs; one that does not occur any more leaves the place where it is. So many places
    before the source's `<eos>` are kept back as the least length still needs.

    Args:
        source_ids: `(batch, source)`, `<bos> w1 ... wn <eos>`, padded on the right.
        before: `<bos>` and the words so far, `(batch, drafts, 1 + words)`.
        shortest: least number of words, `(batch, 1)`.
        end: the token `<eos>`.
    """
    places = torch.arange(source_ids.shape[1], device=source_ids.device)
    sources = source_ids.unsqueeze(1)
    last = torch.zeros_like(before[:, :, :1])
    for word in before[:, :, 1:].unbind(2):
        here = (sources == word.unsqueeze(2)) & (places > last)
        last = torch.where(here.any(2, keepdim=True), here.int().argmax(2, keepdim=True), last)
    ends = sources == end
    behind = torch.where(ends.any(2), ends.int().argmax(2), source_ids.shape[1]).unsqueeze(2)  # the place of <eos>
    kept = (shortest.unsqueeze(2) - before.shape[2]).clamp(min=0)  # words after the one to be written
    return (places > last) & (places < torch.maximum(behind - kept, torch.minimum(last + 2, behind)))
