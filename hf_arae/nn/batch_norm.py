"""Batch normalisation over the rows of all processes, whose running statistics can be kept still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

from hf_arae.nn.across_processes import moments_over_processes, number_of_processes


class _OverProcesses:
    """Statistics, while training, of all processes' rows together.

    Training on k processes is then the same as on one with k times the rows. (`nn.SyncBatchNorm` is for GPUs only.)
    Every process must have the same number of rows.

    Raises:
        ValueError: while training, there is one number of each feature alone.
    """

    tracking = True  # running statistics follow what it sees while training

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return super().forward(inputs)
        processes = number_of_processes()
        if processes == 1:
            if inputs.numel() == inputs.shape[1]:
                raise ValueError("batch norm has no deviation of one row: a batch needs at least 2, got 1")
            if self.tracking:
                return super().forward(inputs)
            return F.batch_norm(inputs, None, None, self.weight, self.bias, training=True, eps=self.eps)
        over = [0, *range(2, inputs.dim())]
        shape = [1, -1, *[1] * (inputs.dim() - 2)]  # of one number a feature
        count = inputs.numel() // inputs.shape[1] * processes
        mean, variance = moments_over_processes(inputs, over)
        if self.tracking:
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        normalized = (inputs - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        return self.weight.view(shape) * normalized + self.bias.view(shape) if self.affine else normalized


class BatchNorm(_OverProcesses, nn.BatchNorm1d):
    """`nn.BatchNorm1d` whose statistics, while training, are those of all processes' rows together.

    Shapes: `(batch, num_features)` to `(batch, num_features)`.
    """


class ImageBatchNorm(_OverProcesses, nn.BatchNorm2d):
    """`nn.BatchNorm2d` whose statistics, while training, are those of all processes' images together.

    Shapes: `(batch, num_features, height, width)` to the same.
    """


@torch.no_grad()
def reset_batch_norm(module: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    """Lets it change nothing at first, by functions that leave loaded values alone."""
    if module.affine:
        init.ones_(module.weight)
        init.zeros_(module.bias)
    init.zeros_(module.running_mean)
    init.ones_(module.running_var)
    init.zeros_(module.num_batches_tracked)


@contextmanager
def still_statistics(*modules: nn.Module) -> Iterator[None]:
    """Within, running statistics of the modules do not change; what a batch is normalised by is as ever.

    For what passes through a network that is not being trained then, or that is not what it will be used on.
    """
    norms = [one for module in modules for one in module.modules() if isinstance(one, _OverProcesses)]
    earlier = [norm.tracking for norm in norms]
    for norm in norms:
        norm.tracking = False
    try:
        yield
    finally:
        for norm, tracking in zip(norms, earlier, strict=True):
            norm.tracking = tracking


__all__ = ["BatchNorm", "ImageBatchNorm", "reset_batch_norm", "still_statistics"]
