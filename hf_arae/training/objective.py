"""What is trained, in which order, by which optimizer: the contract between a model family and the loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hf_arae.training.schedules import SCHEDULES, Schedule
from hf_arae.utils.distributed import SharedRandom, mean_over_processes
from hf_arae.utils.validation import check_choice, check_range

Batch = dict[str, Tensor]
Terms = dict[str, Tensor]

OPTIMIZERS = ("adam", "sgd")


@dataclass(frozen=True)
class OptimizerSettings:
    """How one player's parameters are updated.

    Args:
        name: `"adam"` or `"sgd"`.
        learning_rate: step size, > 0.
        betas: Adam's decay rates, each in [0, 1) (ignored by SGD).
        momentum: of SGD, in [0, 1); Nesterov's where it is not 0 (ignored by Adam).
        schedule: `"constant"`, `"linear"`, `"cosine"` or `"constant_then_linear"`: the shape of the rate over the run.
        constant_ratio: of `"constant_then_linear"`, the share of the run before the rate begins to fall, in [0, 1)
            (ignored by the others).
        warmup_steps: over so many first iterations the rate rises linearly; >= 0.

    Raises:
        ValueError: a value is not among these.
    """

    name: str = "adam"
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.0
    schedule: str = "constant"
    constant_ratio: float = 0.5
    warmup_steps: int = 0

    def __post_init__(self):
        check_choice(self, "name", OPTIMIZERS)
        check_choice(self, "schedule", SCHEDULES)
        check_range(self, "(0, inf)", "learning_rate")
        check_range(self, "[0, 1)", "momentum", "constant_ratio")
        check_range(self, "[0, inf)", "warmup_steps", whole=True)
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be two numbers in [0, 1), got {self.betas!r}")

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Returns the torch optimizer over `parameters`, the fused implementation where torch has one."""
        if self.name == "adam":
            return torch.optim.Adam(parameters, self.learning_rate, betas=self.betas, fused=True)
        nesterov = self.momentum > 0
        return torch.optim.SGD(parameters, self.learning_rate, self.momentum, nesterov=nesterov, fused=True)

    def build_schedule(self, optimizer: torch.optim.Optimizer, total_steps: int) -> Schedule:
        """Returns the schedule of an optimizer's rate over the iterations of a run."""
        return Schedule(
            optimizer, self.schedule, self.learning_rate, total_steps, self.constant_ratio, self.warmup_steps
        )


@dataclass(frozen=True)
class Phase:
    """One block of the block coordinate descent: one loss, lowered by one player.

    Args:
        name: prefix of the log keys, `<name>/<term>`.
        player: key of `Objective.players`; only its parameters change.
        loss: maps a batch to named scalar terms. `terms["loss"]` is what is minimised; the others are logged.
        repeat: how many updates this phase makes in one iteration, all on the iteration's batch; >= 1. With gradient
            accumulation each update is made by the mean gradient over all batches of the iteration.
        max_grad_norm: the player's gradient norm is clipped to this before the update; `None` leaves it.
        before: called once, before the phase's updates, with the batch: for what its repetitions share, which it
            keeps in `Objective.shared`.
        after: called after each update (weight clipping, say).
        enabled: a phase that is switched off costs nothing and keeps the order readable.
        start, stop: it runs from iteration `start` on, the first one being 0, and before iteration `stop` (`None`: to
            the end). At other times it rests: nothing of it is run or logged, and its player, unless another phase
            moves it, stays as it is, its optimizer too.
        interval: it runs in every so many iterations, `start` being the first of them, and rests in the others; >= 1.

    Raises:
        ValueError: no iteration or no update is left to it by `start`, `stop`, `interval` and `repeat`.
    """

    name: str
    player: str
    loss: Callable[[Batch], Terms]
    repeat: int = 1
    max_grad_norm: float | None = None
    before: Callable[[Batch], None] | None = None
    after: Callable[[], None] | None = None
    enabled: bool = True
    start: int = 0
    stop: int | None = None
    interval: int = 1

    def __post_init__(self):
        check_range(self, "[1, inf)", "repeat", "interval")
        check_range(self, "[0, inf)", "start")
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(f"phase {self.name!r} stops at iteration {self.stop}, and starts at {self.start}")

    def runs_at(self, step: int) -> bool:
        """Whether it is part of the iteration after `step` finished ones."""
        if not self.enabled or step < self.start or (self.stop is not None and step >= self.stop):
            return False
        return (step - self.start) % self.interval == 0


class Objective:
    """Base of every family's objective.

    A subclass names its `players` (player -> names of the model's submodules), gives an optimizer for each and returns
    its phases. Anything that changes over training and is not a parameter (an annealed noise, say) is derived from
    `self.step`, the number of finished iterations, which the loop sets before each iteration: an objective has no
    state of its own, so a resumed run needs nothing but the step. Its random numbers come from `randn` and `rand`.

    What phases of one iteration share (codes that several of them read, say) stands in the dictionary `self.shared`.
    It is empty at the start of an iteration, and with gradient accumulation each batch has its own.

    A phase's loss is a mean over this process's rows. The loop averages gradients over processes, which makes it the
    mean over all rows where every process has the same number of them; for other means there is `mean`.
    """

    players: dict[str, tuple[str, ...]] = {}

    def __init__(self, model: nn.Module):
        self.model = model
        self.begin_iteration(0)

    def begin_iteration(self, step: int, seed: int = 0) -> None:
        """Sets the number of finished iterations, and the random numbers of this one, which depend on both."""
        self.step = step
        self._random = SharedRandom(seed, step)
        self._shared: dict[int, dict[str, Any]] = {}
        self.turn_to(0)

    def turn_to(self, number: int) -> None:
        """Says which of the iteration's batches comes next: `shared` is then what is shared of that one."""
        self.shared = self._shared.setdefault(number, {})

    def randn(self, like: Tensor) -> Tensor:
        """Standard normal numbers of the shape, dtype and device of `like`, whose first dimension is the rows.

        Each row's numbers are the same however many processes the rows are divided over, where `like` has the same
        shape on all of them but for the rows.
        """
        return self._random.draw(torch.Tensor.normal_, like)

    def rand(self, like: Tensor) -> Tensor:
        """As `randn`, uniform in [0, 1)."""
        return self._random.draw(torch.Tensor.uniform_, like)

    @staticmethod
    def mean(total: Tensor, count: int) -> Tensor:
        """`total / count`, where processes have different counts: its average over them is their totals' mean."""
        return total / mean_over_processes(total.new_tensor(float(count)))

    def optimizers(self) -> dict[str, OptimizerSettings]:
        """Returns the settings of each player's optimizer."""
        raise NotImplementedError

    def phases(self) -> tuple[Phase, ...]:
        """Returns the phases of one iteration, in order."""
        raise NotImplementedError

    def parameters(self, player: str) -> list[nn.Parameter]:
        """Returns the trainable parameters of `player`, each once.

        Raises:
            KeyError: the player is unknown, or one of its submodules is not in the model.
        """
        if player not in self.players:
            raise KeyError(f"unknown player {player!r}; accepted: {sorted(self.players)}")
        seen: dict[int, nn.Parameter] = {}
        for name in self.players[player]:
            module: Any = self.model.get_submodule(name)
            for parameter in module.parameters():
                if parameter.requires_grad:
                    seen[id(parameter)] = parameter
        return list(seen.values())
