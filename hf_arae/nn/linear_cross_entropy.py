"""Vocabulary projection and cross-entropy in one step that never holds all logits."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK_ROWS = 256  # 256 rows of a 10 k vocabulary are 10 MB in fp32: they stay in the processor's cache


class _LinearCrossEntropy(torch.autograd.Function):
    """Sum of the cross-entropies; the gradients are made in the forward pass, chunk by chunk."""

    @staticmethod
    def forward(ctx, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        states, table = hidden.to(dtype), weight.to(dtype)
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        grad_hidden = torch.empty_like(hidden) if needs_hidden else None
        grad_weight = torch.zeros_like(weight) if needs_weight else None
        grad_bias = torch.zeros_like(bias) if needs_bias else None
        total = hidden.new_zeros(())
        for start in range(0, states.shape[0], CHUNK_ROWS):
            rows, wanted = states[start : start + CHUNK_ROWS], targets[start : start + CHUNK_ROWS, None]
            log_probabilities = torch.mm(rows, table.T).float().add_(bias).log_softmax(1)
            total -= log_probabilities.gather(1, wanted).sum()
            if not (needs_hidden or needs_weight or needs_bias):
                continue
            residual = log_probabilities.exp_()
            residual.scatter_add_(1, wanted, residual.new_full(wanted.shape, -1.0))
            if needs_bias:
                grad_bias += residual.sum(0)
            residual = residual.to(dtype)
            if needs_hidden:
                grad_hidden[start : start + CHUNK_ROWS] = torch.mm(residual, table)
            if needs_weight:
                grad_weight += torch.mm(residual.T, rows)
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        return total

    @staticmethod
    def backward(ctx, grad_output: Tensor):
        gradients = (None if g is None else g * grad_output for g in ctx.saved_tensors)
        return (*gradients, None, None)


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, ignore_index: int = -100
) -> tuple[Tensor, int]:
    """Cross-entropy of `softmax(hidden @ weight.T + bias)` against `targets`, summed over the counted positions.

    Positions whose target is `ignore_index` are dropped before the projection, so padding costs nothing. Under
    autocast the matrix products run in its dtype; the softmax and the sums are in fp32 always.

    Args:
        hidden: `(..., hidden)` float32.
        weight: `(vocabulary, hidden)` float32.
        bias: `(vocabulary,)` float32.
        targets: `(...)` int64.
        ignore_index: target value that is not counted.

    Returns:
        The summed loss (a scalar with first-order gradients) and the number of counted positions.
    """
    hidden, targets = hidden.reshape(-1, hidden.shape[-1]), targets.reshape(-1)
    keep = (targets != ignore_index).nonzero().squeeze(1)
    if keep.numel() < targets.numel():
        hidden, targets = hidden.index_select(0, keep), targets.index_select(0, keep)
    device = hidden.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    loss = _LinearCrossEntropy.apply(hidden.float(), weight, bias, targets, dtype)
    return loss, keep.numel()
