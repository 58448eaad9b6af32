"""Maximum mean discrepancy between two sets of codes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_PAIRS_AT_ONCE = 2**22  # numbers in a matrix of all pairs' kernels: 16 MB


def maximum_mean_discrepancy(first: Tensor, second: Tensor) -> Tensor:
    """Unbiased estimate of the squared MMD between two distributions, summed over coordinates; a scalar.

    The kernel compares one coordinate: k(x, y) = sum_s 2s / (2s + (x - y)^2) over the scales s. It sees the
    coordinates' own distributions and not how they hang together (Mathieu et al. 2019, appendix B, with the scales of
    their released code). An estimate can be below 0.

    Args:
        first, second: draws, `(rows, size)` and `(other rows, size)`, of at least two rows each.

    Raises:
        ValueError: fewer rows.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(f"MMD needs two rows or more of each, got {len(first)} and {len(second)}")
    together = max(1, _PAIRS_AT_ONCE // max(len(first), len(second)) ** 2)
    parts = zip(first.split(together, dim=1), second.split(together, dim=1), strict=True)
    # The kernels are made again for the gradients: kept, they would take a gigabyte at 256 rows of 128 numbers.
    settings = {"use_reentrant": False, "preserve_rng_state": False}
    return torch.stack([checkpoint(_statistic, one, other, **settings) for one, other in parts]).sum()


def _statistic(first: Tensor, second: Tensor) -> Tensor:
    within = sum(_kernel_sum(part, part, diagonal=False) / (len(part) * (len(part) - 1)) for part in (first, second))
    return within - 2 * _kernel_sum(first, second, diagonal=True) / (len(first) * len(second))


def _kernel_sum(first: Tensor, second: Tensor, diagonal: bool) -> Tensor:
    squared = (first.unsqueeze(1) - second).square()
    total = sum((2 * scale / (2 * scale + squared)).sum() for scale in SCALES)
    return total if diagonal else total - len(SCALES) * first.numel()  # a row's kernel with itself is 1
