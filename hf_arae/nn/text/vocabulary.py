"""Projection of decoder states onto the vocabulary, with a table of its own or a shared one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init


class VocabularyProjection(nn.Module):
    """Logits from states.

    Args:
        hidden_size: width of the states.
        vocab_size: number of tokens.
        shared_size: width of a shared embedding table, which is then handed in at each call and the states are first
            mapped to its width. `None`: the projection has a table of its own, `(vocab_size, hidden_size)`.
    """

    def __init__(self, hidden_size: int, vocab_size: int, shared_size: int | None = None):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        if shared_size is None:
            self.weight = nn.Parameter(torch.empty(vocab_size, hidden_size))
        else:
            self.bottleneck = nn.Parameter(torch.empty(shared_size, hidden_size))

    def reset_parameters(self) -> None:
        """Uniform(-0.1, 0.1) weights and zero bias."""
        init.zeros_(self.bias)
        init.uniform_(self.weight if hasattr(self, "weight") else self.bottleneck, -0.1, 0.1)

    def operands(self, states: Tensor, shared: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Returns (states, weight, bias) such that the logits are `states @ weight.T + bias`."""
        if shared is None:
            return states, self.weight, self.bias
        return F.linear(states, self.bottleneck), shared, self.bias

    def forward(self, states: Tensor, shared: Tensor | None = None) -> Tensor:
        """Maps `(..., hidden_size)` to `(..., vocab_size)`."""
        return F.linear(*self.operands(states, shared))
