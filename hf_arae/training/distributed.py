"""Averages gradients over processes without wrapping the model."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import Tensor


def average_gradients(accelerator: Accelerator, gradients: list[Tensor]) -> list[Tensor]:
    """Returns the mean of each gradient over all processes, in one all-reduce of one flat tensor.

    With no wrapper around the model, several forwards a step, gradient penalties and calls of submodules are safe.
    """
    if accelerator.num_processes == 1:
        return gradients
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    flat = accelerator.reduce(flat, reduction="mean")
    parts = flat.split([gradient.numel() for gradient in gradients])
    return [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)]
