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
