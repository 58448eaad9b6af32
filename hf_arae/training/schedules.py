"""Learning-rate schedules over the updates of a run."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from hf_arae.training.objective import OptimizerSettings


def build_schedule(optimizer: Optimizer, settings: OptimizerSettings, total_steps: int) -> LambdaLR:
    """Returns the schedule of one player: warm-up from 0, then constant, or down to 0 linearly or along a cosine.

    Raises:
        ValueError: `settings.schedule` is unknown.
    """
    if settings.schedule not in ("constant", "linear", "cosine"):
        raise ValueError(f"unknown schedule {settings.schedule!r}; accepted: constant, linear, cosine")
    warmup = round(settings.warmup_ratio * total_steps)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        left = 1 - (step - warmup) / max(1, total_steps - warmup)
        if settings.schedule == "linear":
            return max(0.0, left)
        if settings.schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * (1 - max(0.0, left))))
        return 1.0

    return LambdaLR(optimizer, factor)
