"""Learning-rate schedules over the iterations of a run."""

from __future__ import annotations

import math

from torch.optim import Optimizer

SCHEDULES = ("constant", "linear", "cosine", "constant_then_linear")


class Schedule:
    """The learning rate of one player: constant, down to 0 linearly or along a cosine, or constant and then linear.

    It depends on the number of finished iterations alone, so a player that rests does not hold it up, and a resumed
    run needs nothing but that number.

    Args:
        optimizer: whose rates are set.
        kind: one of `SCHEDULES`.
        learning_rate: the highest rate, with which the run begins.
        total_steps: iterations of the run.
        constant_ratio: of `"constant_then_linear"`, the share of the run before the rate begins to fall, in [0, 1).
        warmup_steps: over so many first iterations the rate rises to what it would be without, linearly.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        kind: str,
        learning_rate: float,
        total_steps: int,
        constant_ratio: float = 0.0,
        warmup_steps: int = 0,
    ):
        self.optimizer, self.kind, self.highest = optimizer, kind, learning_rate
        self.total_steps, self.constant_ratio, self.warmup_steps = total_steps, constant_ratio, warmup_steps
        self.set(0)

    def set(self, step: int) -> None:
        """Puts the rate where `step` finished iterations have brought it."""
        self.rate = self.highest * self._factor(step) * min(1.0, (step + 1) / (self.warmup_steps + 1))
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate

    def _factor(self, step: int) -> float:
        left = max(0.0, 1 - step / max(1, self.total_steps))
        if self.kind == "linear":
            return left
        if self.kind == "cosine":
            return 0.5 * (1 + math.cos(math.pi * (1 - left)))
        if self.kind == "constant_then_linear":
            return min(1.0, left / (1 - self.constant_ratio))
        return 1.0
