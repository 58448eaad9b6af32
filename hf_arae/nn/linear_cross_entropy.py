"""Vocabulary projection and cross-entropy in one step that never holds all logits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

CHUNK_ROWS = 2048  # rows whose logits are held at once: matrix products want many
ROW_MULTIPLE = 128  # oneDNN compiles a bfloat16 kernel for each shape, at ten times the product's cost: few shapes


class _LinearCrossEntropy(torch.autograd.Function):
    """Sum of the cross-entropies; the gradients are made in the forward pass, in place of the logits.

    Let t be the target, x the logits, o the sum of exp(x_j) over the other words, and m = log(o) - x_t. The loss is
    softplus(m); its gradient is -sigmoid(m) by x_t and exp(x_j) / (o + exp(x_t)) by another x_j. All keep their
    relative precision as p(t) nears 1, even where the exponentials are stored in bfloat16. Only they need a matrix:
    the division is made on the rows of the products, and the target's part is one row of the table a position.

    The table carries its bias and a column of ones, so the products with it give bias, sum and the bias' gradient.
    The logits' matrix is `(vocabulary, positions)`: the products are faster that way round.
    """

    @staticmethod
    def forward(ctx, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        low, width = torch.finfo(dtype).bits < 32, weight.shape[1]
        columns = -(-(width + 2) // 16) * 16 if low else width + 2
        table = weight.new_zeros(weight.shape[0], columns, dtype=dtype)
        table[:, :width], table[:, width], table[:, width + 1] = weight, bias, 1.0
        needs_hidden, needs_table = ctx.needs_input_grad[0], any(ctx.needs_input_grad[1:3])
        grad_hidden = torch.empty_like(hidden) if needs_hidden else None
        grad_table = weight.new_zeros(weight.shape[0], width + 1) if needs_table else None
        total = hidden.new_zeros(())
        for start in range(0, hidden.shape[0], CHUNK_ROWS):
            part = slice(start, start + CHUNK_ROWS)
            states, wanted = hidden[part], targets[part]
            count = states.shape[0]
            rows = table.new_zeros(-(-count // ROW_MULTIPLE) * ROW_MULTIPLE if low else count, columns)
            rows[:count, :width], rows[:count, width] = states, 1.0
            exponentials, target_logits, products = _exponentials(table, rows, wanted, ones=width + 1)
            others = products[:, width + 1]
            margin = others.log() - target_logits
            total += F.softplus(margin).sum()
            inverse, missing = 1 / (others + target_logits.exp()), margin.sigmoid().unsqueeze(1)  # 1 / sum, 1 - p(t)
            if needs_hidden:
                torch.mul(products[:, :width], inverse.unsqueeze(1), out=grad_hidden[part])
                grad_hidden[part] -= missing * weight.index_select(0, wanted)
            if needs_table:
                rows[:count] *= inverse.unsqueeze(1)
                rows[count:] = 0
                grad_table += torch.mm(exponentials, rows)[:, : width + 1]
                grad_table.index_add_(0, wanted, -missing * F.pad(states, (0, 1), value=1.0))
        ctx.save_for_backward(grad_hidden, grad_table)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output: Tensor):
        grad_hidden, grad_table = ctx.saved_tensors
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        return (
            grad_hidden * grad_output if needs_hidden else None,
            grad_table[:, :-1] * grad_output if needs_weight else None,
            grad_table[:, -1] * grad_output if needs_bias else None,
            None,
            None,
        )


def _exponentials(table: Tensor, rows: Tensor, targets: Tensor, ones: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns exp(logits) `(vocabulary, rows)`, 0 at the targets; the targets' logits; the product with the table.

    Column `ones` of the product is the exponentials' sum. Logits beyond 88 overflow, and are then taken relative to
    each row's largest. On a CPU that is done where it is needed; a GPU would have to wait for the answer.
    """
    targets, places = targets.unsqueeze(0), torch.arange(targets.shape[0], device=targets.device)
    for shift in (False, True) if targets.device.type == "cpu" else (True,):
        logits = torch.mm(table, rows.T)
        if shift:
            logits -= logits.amax(0)
        target_logits = logits.gather(0, targets).squeeze(0).to(torch.promote_types(logits.dtype, torch.float32))
        logits.exp_()[targets[0], places] = 0  # scatter_ would copy the whole matrix twice
        products = torch.mm(logits.T, table)[: targets.shape[1]].to(target_logits.dtype)
        sums = products[:, ones] + target_logits.exp()
        if not shift and (sums.isfinite() & (sums > 0)).all():
            break
    return logits, target_logits, products


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, ignore_index: int = -100
) -> tuple[Tensor, int]:
    """Cross-entropy of `softmax(hidden @ weight.T + bias)` against `targets`, summed over the counted positions.

    Positions whose target is `ignore_index` are dropped before the projection, so padding costs nothing. Under
    autocast the matrix products run in its dtype; what is summed over positions is in fp32 (float64 stays float64).

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
