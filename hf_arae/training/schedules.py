"""Learning-rate schedules over the updates of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch.optim import Optimizer

if TYPE_CHECKING:
    from hf_arae.training.objective import OptimizerSettings

SCHEDULES = ("constant", "linear", "cosine")


class Schedule:
    """The learning rate of one player: warm-up from 0, then constant, or down to 0 linearly or along a cosine.

    It depends on the number of finished iterations alone, so a player that rests does not hold it up, and a resumed
    run needs nothing but that number.

    Args:
        optimizer: whose rates are set.
        settings: which schedule.
        total_steps: iterations of the run.
    """

    def __init__(self, optimizer: Optimizer, settings: OptimizerSettings, total_steps: int):
        self.optimizer, self.kind, self.total_steps = optimizer, settings.schedule, total_steps
        self.highest = settings.learning_rate
        self.warmup = round(settings.warmup_ratio * total_steps)
        self.set(0)

    def set(self, step: int) -> None:
        """Puts the rate where `step` finished iterations have brought it."""
        self.rate = self.highest * self._factor(step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate

    def _factor(self, step: int) -> float:
        if step < self.warmup:
            return (step + 1) / self.warmup
        left = 1 - (step - self.warmup) / max(1, self.total_steps - self.warmup)
        if self.kind == "linear":
            return max(0.0, left)
        if self.kind == "cosine":
            return 0.5 * (1 + math.cos(math.pi * (1 - max(0.0, left))))
        return 1.0
