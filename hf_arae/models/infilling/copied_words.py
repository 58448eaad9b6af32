"""Words that only the source knows, a number or an unknown one, are written as often as they were read, at most."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import LogitsProcessor


class CopiedWords(LogitsProcessor):
    """Forbids such a word once it was written as often as the source has it.

    Args:
        sources: `(batch, sequence)`; the rows of scores may be several for each.
        fixed: the tokens, `(tokens,)`.
    """

    def __init__(self, sources: Tensor, fixed: Tensor):
        self.fixed = fixed
        self.allowed = _counts(sources, fixed)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if not len(self.fixed):
            return scores
        allowed = self.allowed.repeat_interleave(len(scores) // len(self.allowed), 0)
        used = _counts(input_ids, self.fixed) >= allowed
        return scores.index_copy(1, self.fixed, scores.index_select(1, self.fixed).masked_fill(used, -torch.inf))


def _counts(ids: Tensor, fixed: Tensor) -> Tensor:
    return (ids.unsqueeze(2) == fixed).sum(1)
