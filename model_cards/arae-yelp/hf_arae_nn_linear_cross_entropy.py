# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/nn/linear_cross_entropy.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""Vocabulary projection and cross-entropy in one step that never holds all logits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_ROWS = 2048  # rows whose logits are held at once: matrix products want many
SOFTMAX_ROWS = 64  # rows that are normalised at once: 64 rows of a 10 k vocabulary stay in a processor's cache


class _LinearCrossEntropy(torch.autograd.Function):
    """Sum of the cross-entropies; the gradients are made in the forward pass, in place of the logits."""

    @staticmethod
    def forward(ctx, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        states, table, offset = hidden.to(dtype), weight.to(dtype), bias.to(dtype)
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        grad_hidden = torch.empty_like(hidden) if needs_hidden else None
        grad_weight = torch.zeros_like(weight) if needs_weight else None
        grad_bias = torch.zeros_like(bias) if needs_bias else None
        softmax_rows = SOFTMAX_ROWS if hidden.device.type == "cpu" else CHUNK_ROWS
        total = hidden.new_zeros(())
        for start in range(0, states.shape[0], CHUNK_ROWS):
            rows = states[start : start + CHUNK_ROWS]
            logits = torch.addmm(offset, rows, table.T)
            for part, wanted in zip(
                logits.split(softmax_rows), targets[start : start + CHUNK_ROWS].split(softmax_rows), strict=True
            ):
                wanted = wanted.unsqueeze(1)
                log_probabilities = part.log_softmax(1, dtype=torch.promote_types(dtype, torch.float32))
                total -= log_probabilities.gather(1, wanted).sum()
                if any(ctx.needs_input_grad):
                    residual = log_probabilities.exp_()
                    residual.scatter_add_(1, wanted, residual.new_full(wanted.shape, -1.0))
                    if needs_bias:
                        grad_bias += residual.sum(0)
                    part.copy_(residual)
            if needs_hidden:
                grad_hidden[start : start + CHUNK_ROWS] = torch.mm(logits, table)
            if needs_weight:
                grad_weight += torch.mm(logits.T, rows)
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output: Tensor):
        gradients = (None if g is None else g * grad_output for g in ctx.saved_tensors)
        return (*gradients, None, None)


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, ignore_index: int = -100
) -> tuple[Tensor, int]:
    """Cross-entropy of `softmax(hidden @ weight.T + bias)` against `targets`, summed over the counted positions.

    Positions whose target is `ignore_index` are dropped before the projection, so padding costs nothing. Under
    autocast the matrix products run in its dtype; the softmax and the sums are in fp32 (float64 stays float64).

    Args:
        hidden: `(..., hidden)`.
        weight: `(vocabulary, hidden)`.
        bias: `(vocabulary,)`.
        targets: `(...)` int64.
        ignore_index: target value that is not counted.

    Returns:
        The summed loss (a scalar with first-order gradients; 0 if nothing is counted) and the number of counted
        positions.
    """
    hidden, targets = hidden.reshape(-1, hidden.shape[-1]), targets.reshape(-1)
    keep = (targets != ignore_index).nonzero().squeeze(1)
    if keep.numel() < targets.numel():
        hidden, targets = hidden.index_select(0, keep), targets.index_select(0, keep)
    device = hidden.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    if not torch.is_grad_enabled():  # under no_grad, needs_input_grad is still true of a parameter
        hidden, weight, bias = hidden.detach(), weight.detach(), bias.detach()
    loss = _LinearCrossEntropy.apply(hidden.to(weight.dtype), weight, bias, targets, dtype)
    return loss, keep.numel()
