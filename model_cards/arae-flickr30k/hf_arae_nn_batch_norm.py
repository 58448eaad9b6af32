# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/nn/batch_norm.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""Batch normalisation over the rows of all processes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch import distributed as dist


class BatchNorm(nn.BatchNorm1d):
    """`nn.BatchNorm1d` whose statistics, while training, are those of all processes' rows together.

    Training on k processes is then the same as on one with k times the rows. (`nn.SyncBatchNorm` is for GPUs only.)
    Every process must have the same number of rows.

    Shapes: `(batch, num_features)` to `(batch, num_features)`.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training or not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
            return super().forward(inputs)
        count = inputs.shape[0] * dist.get_world_size()
        mean = _sum_over_processes(inputs.sum(0)) / count
        centred = inputs - mean
        variance = _sum_over_processes(centred.square().sum(0)) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        inverse = (variance + self.eps).rsqrt()
        return self.weight * centred * inverse + self.bias if self.affine else centred * inverse


class _SumOverProcesses(torch.autograd.Function):
    """All-reduce; its gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _SumOverProcesses.apply(gradient.contiguous())


def _sum_over_processes(values: Tensor) -> Tensor:
    return _SumOverProcesses.apply(values)
