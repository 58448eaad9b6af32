"""The updates that phases make: gradients of the player's parameters alone, averaged, looked at, clipped, followed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import Tensor

from hf_arae.training.non_finite import NonFiniteGuard
from hf_arae.training.objective import Batch, Objective, Phase, Terms
from hf_arae.utils.distributed import average_gradients


class PhaseUpdates:
    """An objective's phases with the optimizers and the learning rates of its players.

    Args:
        accelerator: whose processes average their gradients.
        objective: gives phases, parameters and settings.
        guard: looks at every loss and gradient.
        max_steps: iterations of the run, which schedules go by.
        bf16: losses are computed under autocast to bfloat16.
    """

    def __init__(
        self, accelerator: Accelerator, objective: Objective, guard: NonFiniteGuard, max_steps: int, bf16: bool
    ):
        self.accelerator, self.objective, self.guard, self.bf16 = accelerator, objective, guard, bf16
        self.phases = [phase for phase in objective.phases() if phase.enabled]
        self.parameters = {phase.player: objective.parameters(phase.player) for phase in self.phases}
        settings = objective.optimizers()
        self.optimizers = {player: settings[player].build(group) for player, group in self.parameters.items()}
        self.schedules = {
            player: settings[player].build_schedule(optimizer, max_steps)
            for player, optimizer in self.optimizers.items()
        }

    def set_rates(self, step: int) -> None:
        """Puts the learning rates where `step` finished iterations have brought them."""
        for schedule in self.schedules.values():
            schedule.set(step)

    def rates(self) -> dict[str, float]:
        """Returns the learning rates, by their names in the log."""
        return {f"learning_rate/{player}": schedule.rate for player, schedule in self.schedules.items()}

    def run(self, phase: Phase, batches: Sequence[Batch], step: int) -> Terms:
        """Makes a phase's updates, each by the mean gradient over the batches.

        Args:
            phase: one of `phases`.
            batches: those of the iteration; several with gradient accumulation.
            step: finished iterations, for messages.

        Returns:
            The phase's terms, averaged over batches and over the updates made (none: no terms).

        Raises:
            NonFiniteLossError: named with the phase; the parameters are as before the update.
        """
        parameters, optimizer = self.parameters[phase.player], self.optimizers[phase.player]
        self.guard.remember()
        if phase.before is not None:
            for number, batch in enumerate(batches):
                self.objective.turn_to(number)
                with self._autocast():
                    phase.before(batch)
        sums: Terms = {}
        made = 0
        for _ in range(phase.repeat):
            terms, gradients = self._gradients(phase, batches)
            # The loss goes with the gradients: NaN on one process is then NaN on all, and all decide alike.
            loss = terms["loss"].detach().reshape(1)
            gradients, loss = average_gradients(self.accelerator, parameters, gradients, loss)
            used = [(p, g) for p, g in zip(parameters, gradients, strict=True) if g is not None]
            averaged = [gradient for _, gradient in used]
            norm = torch.nn.utils.get_total_norm(averaged)
            if self.guard.later:
                self.guard.watch(optimizer, step, phase, loss, norm)
            elif not torch.isfinite(norm + loss):
                self.guard.refuse(step, phase, loss.item(), norm.item())
                continue
            if phase.max_grad_norm is not None and (self.guard.later or norm > phase.max_grad_norm):
                # As torch's clip_grad_norm_; a factor of 1 changes nothing, and to ask would wait for a GPU.
                torch._foreach_mul_(averaged, (phase.max_grad_norm / (norm + 1e-6)).clamp(max=1.0))
            for parameter, gradient in used:
                parameter.grad = gradient
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            torch.clear_autocast_cache()  # under a caller's autocast it would hold the weights of before the update
            if phase.after is not None:
                phase.after()
            self.guard.remember()
            made += 1
            for name, value in terms.items():
                sums[name] = sums.get(name, 0) + value.detach().float()
        return {name: value / made for name, value in sums.items()}

    def _gradients(self, phase: Phase, batches: Sequence[Batch]) -> tuple[Terms, list[Tensor | None]]:
        """Means over the batches: of the phase's terms, and of the gradient for each of the player's parameters.

        What one batch does not use counts as 0 there; what none uses is `None`.
        """
        parameters, share = self.parameters[phase.player], 1 / len(batches)
        means: Terms = {}
        gradients: list[Tensor | None] = [None] * len(parameters)
        for number, batch in enumerate(batches):
            self.objective.turn_to(number)
            with self._autocast():
                terms = phase.loss(batch)
            found = torch.autograd.grad(terms["loss"], parameters, allow_unused=True)
            own = [_laid_out(gradient, like) for gradient, like in zip(found, parameters, strict=True)]
            if len(batches) == 1:
                return terms, own
            for name, value in terms.items():
                means[name] = means.get(name, 0) + share * value.detach()
            for at, gradient in enumerate(own):
                if gradient is not None:
                    earlier = gradients[at]
                    gradients[at] = share * gradient if earlier is None else earlier + share * gradient
        return means, gradients

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.bf16)


def _laid_out(gradient: Tensor | None, parameter: Tensor) -> Tensor | None:
    """The gradient, its numbers in memory in the order of the parameter's.

    Convolutions of images whose channels lie side by side give gradients in another order. Fused optimizers go through
    both memories number by number, and would update weights by one another's gradients.
    """
    if gradient is None or gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter, dtype=gradient.dtype).copy_(gradient)
