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

    A row of ones beside the table gives the sum o with the product for the states' gradient, and a column beside the
    states the bias' gradient with the weight's. The logits' matrix is `(vocabulary, positions)`: the products are
    faster that way round.
    """

    @staticmethod
    def forward(ctx, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        width = weight.shape[1]
        projection = _Projection(weight, bias, dtype)
        needs_hidden, needs_table = ctx.needs_input_grad[0], any(ctx.needs_input_grad[1:3])
        grad_hidden = torch.empty_like(hidden) if needs_hidden else None
        grad_table = None
        total = hidden.new_zeros((), dtype=torch.promote_types(hidden.dtype, torch.float32))
        for start in range(0, hidden.shape[0], CHUNK_ROWS):
            part = slice(start, start + CHUNK_ROWS)
            states, wanted = hidden[part], targets[part]
            exponentials, target_logits, products = projection.exponentials(states, wanted)
            others = products[:, width]
            margin = others.log() - target_logits
            total += F.softplus(margin).sum()
            inverse, missing = 1 / (others + target_logits.exp()), margin.sigmoid().unsqueeze(1)  # 1 / sum, 1 - p(t)
            if needs_hidden:
                torch.mul(products[:, :width], inverse.unsqueeze(1), out=grad_hidden[part])
                grad_hidden[part] -= missing * weight.index_select(0, wanted)
            if needs_table:
                augmented = F.pad(states, (0, 1), value=1.0)
                scaled = projection.padded(augmented * inverse.unsqueeze(1))
                gradient = torch.mm(exponentials, scaled)[:, : width + 1].to(weight.dtype)
                gradient.index_add_(0, wanted, (-missing * augmented).to(gradient.dtype))
                grad_table = gradient if grad_table is None else grad_table.add_(gradient)
        if needs_table and grad_table is None:
            grad_table = weight.new_zeros(weight.shape[0], width + 1)
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


class _Projection:
    """The table in the forms that the products want.

    Below 32 bits everything is padded, the width to a multiple of 16 and the rows to one of `ROW_MULTIPLE`, and the
    bias is a column of the table. In 32 bits the product is twice as fast without that column.
    """

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype):
        self.vocabulary, self.width = weight.shape
        self.low = torch.finfo(dtype).bits < 32
        self.dtype = dtype
        self.columns = -(-(self.width + 1) // 16) * 16 if self.low else self.width + 1
        self.bias = bias.to(dtype).unsqueeze(1)
        self.transposed = weight.new_ones(self.columns, self.vocabulary, dtype=dtype)
        self.transposed[: self.width] = weight.T
        self.table = weight.to(dtype)
        if self.low:
            self.table = F.pad(self.table, (0, self.columns - self.width))
            self.table[:, self.width : self.width + 1] = self.bias

    def padded(self, rows: Tensor) -> Tensor:
        """Brings `(rows, width + 1)` into the products' form."""
        if not self.low:
            return rows.to(self.dtype)
        count = -(-rows.shape[0] // ROW_MULTIPLE) * ROW_MULTIPLE
        return F.pad(rows.to(self.dtype), (0, self.columns - rows.shape[1], 0, count - rows.shape[0]))

    def exponentials(self, states: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns exp(logits), 0 at the targets; the targets' logits; the product with the table and with ones.

        Logits beyond 88 overflow, and are then taken relative to each row's largest. On a CPU that is done where it is
        needed; a GPU would have to wait for the answer.

        Returns:
            `(vocabulary, rows)`, with rows that fill up, if need be; `(rows,)`; and `(rows, width + 1)`.
        """
        count, targets = states.shape[0], targets.unsqueeze(0)
        places = torch.arange(count, device=states.device)
        inputs = self.padded(F.pad(states, (0, 1), value=1.0)) if self.low else states
        for shift in (False, True) if states.device.type == "cpu" else (True,):
            logits = torch.mm(self.table, inputs.T)
            if not self.low:
                logits += self.bias
            if shift:
                logits -= logits.amax(0)
            target_logits = logits.gather(0, targets).squeeze(0).to(torch.promote_types(self.dtype, torch.float32))
            logits.exp_()[targets[0], places] = 0  # scatter_ would copy the whole matrix twice
            products = torch.mm(self.transposed, logits)[: self.width + 1, :count].T.to(target_logits.dtype)
            sums = products[:, -1] + target_logits.exp()
            if not shift and (sums.isfinite() & (sums > 0)).all():
                break
        return logits, target_logits, products


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, ignore_index: int = -100
) -> tuple[Tensor, int]:
    """Cross-entropy of `softmax(hidden @ weight.T + bias)` against `targets`, summed over the counted positions.

    Positions whose target is `ignore_index` are dropped before the projection, so padding costs nothing. Under
    autocast the matrix products run in its dtype, else in that of the weight; what is summed over positions is in fp32
    (float64 stays float64).

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
    dtype = _product_dtype(weight)
    if not torch.is_grad_enabled():  # under no_grad, needs_input_grad is still true of a parameter
        hidden, weight, bias = hidden.detach(), weight.detach(), bias.detach()
    loss = _LinearCrossEntropy.apply(hidden.to(weight.dtype), weight, bias, targets, dtype)
    return loss, keep.numel()


@torch.no_grad()
def linear_cross_entropy_by_row(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """The cross-entropy of each row, `(rows,)`, in the way of `linear_cross_entropy`; without gradients.

    Args:
        hidden: `(rows, hidden)`.
        weight, bias: see `linear_cross_entropy`.
        targets: `(rows,)` int64, all of them counted.
    """
    projection = _Projection(weight, bias, _product_dtype(weight))
    losses = [hidden.new_empty(0, dtype=weight.dtype)]
    pieces = zip(hidden.to(weight.dtype).split(CHUNK_ROWS), targets.split(CHUNK_ROWS), strict=True)
    for states, wanted in pieces if len(targets) else ():
        _, target_logits, products = projection.exponentials(states, wanted)
        losses.append(F.softplus(products[:, projection.width].log() - target_logits))
    return torch.cat(losses)


def _product_dtype(weight: Tensor) -> torch.dtype:
    device = weight.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
