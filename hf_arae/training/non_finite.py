"""What happens to an update whose loss or gradient is NaN or infinite: it is never made."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers.utils import logging

from hf_arae.training.checkpoint import last_good_checkpoint
from hf_arae.training.objective import Phase

logger = logging.get_logger(__name__)


class NonFiniteLossError(RuntimeError):
    """A loss, a gradient or a weight is NaN or infinite; the update was not made, or the model is not saved."""


class NonFiniteGuard:
    """Stops the run at such an update, or leaves the update out and counts it.

    Args:
        policy: `"stop"` or `"skip"`.
        limit: how many updates of a run are left out before it is stopped all the same.
        model: its buffers (running statistics, say) are put back to what they were before an update that is left out.
        output_dir: where the checkpoints are that the error names.
        later: to look at once would make the CPU wait for a GPU after each update. With the policy `"stop"` the
            optimizer then leaves such an update out by itself, and the run is stopped an iteration later, before
            anything is logged, evaluated or saved.
    """

    def __init__(self, policy: str, limit: int, model: nn.Module, output_dir: Path, later: bool = False):
        self.policy, self.limit, self.model, self.output_dir = policy, limit, model, output_dir
        self.later = later and policy == "stop"
        self.skipped = 0
        self.buffers: list[Tensor] = []
        self.watched: list[tuple[int, Phase, Tensor]] = []  # of this iteration: loss and norm, on the device
        self.under_way: tuple[list[tuple[int, Phase, Tensor]], Tensor, torch.cuda.Event | None] | None = None

    def remember(self) -> None:
        """Notes the buffers as they are."""
        if self.policy == "skip":
            self.buffers = [buffer.clone() for buffer in self.model.buffers()]

    def check_weights(self, step: int) -> None:
        """Makes sure that no weights that are NaN or infinite are saved.

        Raises:
            NonFiniteLossError: some are; the first is named.
        """
        for name, value in self.model.state_dict().items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise NonFiniteLossError(
                    f"step {step}: {name} is not finite, so the model is not saved. Lower the learning rate; "
                    + self._last_good()
                )

    def _last_good(self) -> str:
        good = last_good_checkpoint(self.output_dir)
        return "there is no checkpoint yet." if good is None else f"the last good checkpoint is {good}."

    def watch(self, optimizer: torch.optim.Optimizer, step: int, phase: Phase, loss: Tensor, norm: Tensor) -> None:
        """Makes a fused optimizer leave the coming update out where a number is not finite, and notes both numbers."""
        optimizer.found_inf = torch.isfinite(loss + norm).logical_not().float().reshape(())
        self.watched.append((step, phase, torch.stack([loss.reshape(()), norm]).float()))

    def end_iteration(self, settle: bool = False) -> None:
        """Looks at the numbers of the iteration before, which have arrived by now; with `settle`, at this one's too.

        Raises:
            NonFiniteLossError: one is not finite.
        """
        self._look()
        if self.watched:
            numbers = torch.stack([numbers for _, _, numbers in self.watched])
            copy, arrived = numbers.to("cpu", non_blocking=True), None
            if numbers.is_cuda:
                arrived = torch.cuda.Event()
                arrived.record()
            self.under_way, self.watched = (self.watched, copy, arrived), []
        if settle:
            self._look()

    def _look(self) -> None:
        if self.under_way is None:
            return
        (updates, numbers, arrived), self.under_way = self.under_way, None
        if arrived is not None:
            arrived.synchronize()
        for (step, phase, _), (loss, norm) in zip(updates, numbers.tolist(), strict=True):
            if not math.isfinite(loss + norm):
                self.refuse(step, phase, loss, norm)

    def refuse(self, step: int, phase: Phase, loss: float, norm: float) -> None:
        """Counts an update that is not made.

        Raises:
            NonFiniteLossError: the policy is to stop, or the limit is passed.
        """
        self.skipped += 1
        what = f"step {step}: phase {phase.name!r} has loss {loss:g} and gradient norm {norm:g}"
        if self.policy == "skip" and self.skipped <= self.limit:
            for buffer, value in zip(self.model.buffers(), self.buffers, strict=True):
                buffer.copy_(value)
            if self.skipped == 1:
                logger.warning("%s; the update is left out (training_log.jsonl counts skipped_updates)", what)
            return
        many = f", after {self.limit} updates that were left out" if self.policy == "skip" else ""
        raise NonFiniteLossError(
            f"{what}{many}. The update was not made. Lower the learning rate of player {phase.player!r}; "
            + self._last_good()
        )
