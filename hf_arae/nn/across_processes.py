"""What layers and losses compute from the rows of all processes, with gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch import distributed as dist


def number_of_processes() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum of what all processes have, which is of one shape; its gradient is the sum of all their gradients."""
    return _SumOverProcesses.apply(values)


def rows_of_all_processes(values: Tensor) -> Tensor:
    """The rows of all processes, which have as many each, one process after the other.

    The mean of the processes' gradients is then that of one process with all rows.
    """
    processes = number_of_processes()
    if processes == 1:
        return values
    parts = [values if rank == dist.get_rank() else torch.zeros_like(values) for rank in range(processes)]
    return sum_over_processes(torch.cat(parts))


def moments_over_processes(values: Tensor, over: Sequence[int] = (0,)) -> tuple[Tensor, Tensor]:
    """Mean and variance (by n), over dimensions, of the numbers of all processes, which have as many each.

    Args:
        values: of any shape.
        over: dimensions that the two do not have any more.
    """
    over = list(over)
    processes = number_of_processes()
    if processes == 1:
        variance, mean = torch.var_mean(values, over, correction=0)
        return mean, variance
    count = processes * math.prod(values.shape[dimension] for dimension in over)
    mean = sum_over_processes(values.sum(over, keepdim=True)) / count
    variance = sum_over_processes((values - mean).square().sum(over)) / count
    return mean.view_as(variance), variance


class _SumOverProcesses(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _SumOverProcesses.apply(gradient.contiguous())


__all__ = ["moments_over_processes", "number_of_processes", "rows_of_all_processes", "sum_over_processes"]
