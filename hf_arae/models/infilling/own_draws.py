"""Draws of a sentence that do not depend on the sentences beside it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import torch
from torch import Tensor
from transformers import LogitsProcessor


class OwnDraws(LogitsProcessor):
    """Leaves each row one token to go on with: the likeliest, or one drawn by the row's own random numbers.

    To be the last processor of greedy decoding, which then writes what sampling from the whole vocabulary would.

    Args:
        names: of each row's numbers, such as its seed and its words: rows of the same name draw the same. `None`: the
            likeliest token.
    """

    def __init__(self, names: Sequence[str | None]):
        self.numbers = [None if name is None else Random(name) for name in names]
        self.draws = any(self.numbers)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if not self.draws:
            return scores
        # 1 is not drawn, and the product stays below the sum: a token without a probability is never taken.
        drawn = [0.0 if one is None else min(one.random(), 1 - 2**-20) for one in self.numbers]
        sums = scores.float().softmax(1).cumsum(1)
        wanted = torch.tensor(drawn, device=scores.device).unsqueeze(1) * sums[:, -1:]
        tokens = torch.searchsorted(sums, wanted, right=True)
        likeliest = torch.tensor([one is None for one in self.numbers], device=scores.device).unsqueeze(1)
        tokens = torch.where(likeliest, scores.argmax(1, keepdim=True), tokens)
        return torch.full_like(scores, -torch.inf).scatter(1, tokens, 0.0)
