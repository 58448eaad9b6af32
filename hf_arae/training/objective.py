"""What is trained, in which order, by which optimizer: the contract between a model family and the loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.distributed import SharedRandom, mean_over_processes
from hf_arae.utils.validation import check_choice, check_range

Batch = dict[str, Tensor]
Terms = dict[str, Tensor]

OPTIMIZERS = ("adam", "adamw", "sgd")


@dataclass(frozen=True)
class OptimizerSettings:
    """How one player's parameters are updated.

    Args:
        name: `"adam"`, `"adamw"` or `"sgd"`.
        learning_rate: step size, > 0.
        betas: Adam's decay rates, each in [0, 1) (ignored by SGD).
        weight_decay: decoupled for AdamW, L2 otherwise; >= 0.
        momentum: of SGD, in [0, 1); Nesterov's where it is not 0 (ignored by Adam).
        schedule: `"constant"`, `"linear"` or `"cosine"`: the shape of the rate over the run's updates.
        warmup_ratio: share of the updates over which the rate rises from 0, in [0, 1].

    Raises:
        ValueError: a value is not among these.
    """

    name: str = "adam"
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    momentum: float = 0.0
    schedule: str = "constant"
    warmup_ratio: float = 0.0

    def __post_init__(self):
        check_choice(self, "name", OPTIMIZERS)
        check_choice(self, "schedule", SCHEDULES)
        check_range(self, "(0, inf)", "learning_rate")
        check_range(self, "[0, inf)", "weight_decay")
        check_range(self, "[0, 1)", "momentum")
        check_range(self, "[0, 1]", "warmup_ratio")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be two numbers in [0, 1), got {self.betas!r}")

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Returns the torch optimizer over `parameters`, the fused implementation where torch has one."""
        if self.name == "adam":
            return torch.optim.Adam(
                parameters, self.learning_rate, betas=self.betas, weight_decay=self.weight_decay, fused=True
            )
        if self.name == "adamw":
            return torch.optim.AdamW(
                parameters, self.learning_rate, betas=self.betas, weight_decay=self.weight_decay, fused=True
            )
        return torch.optim.SGD(
            parameters,
            self.learning_rate,
            self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.momentum > 0,
            fused=True,
        )


@dataclass(frozen=True)
class Phase:
    """One block of the block coordinate descent: one loss, lowered by one player.

    Args:
        name: prefix of the log keys, `<name>/<term>`.
        player: key of `Objective.players`; only its parameters change.
        loss: maps a batch to named scalar terms. `terms["loss"]` is what is minimised; the others are logged.
        repeat: how many updates this phase makes in one iteration, all on the iteration's batch; >= 1.
        max_grad_norm: the player's gradient norm is clipped to this before the update; `None` leaves it.
        before: called once, before the phase's updates, with the batch: for what its repetitions share.
        after: called after each update (weight clipping, say).
        enabled: a phase that is switched off costs nothing and keeps the order readable.
        start, stop: it runs from iteration `start` on, the first one being 0, and before iteration `stop` (`None`: to
            the end). At other times it rests: nothing of it is run or logged, and its player, unless another phase
            moves it, stays as it is, its optimizer too.

    Raises:
        ValueError: no iteration or no update is left to it by `start`, `stop` and `repeat`.
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

    def __post_init__(self):
        check_range(self, "[1, inf)", "repeat")
        check_range(self, "[0, inf)", "start")
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(f"phase {self.name!r} stops at iteration {self.stop}, and starts at {self.start}")

    def runs_at(self, step: int) -> bool:
        """Whether it is part of the iteration after `step` finished ones."""
        return self.enabled and self.start <= step and (self.stop is None or step < self.stop)


class Objective:
    """Base of every family's objective.

    A subclass names its `players` (player -> names of the model's submodules), gives an optimizer for each and returns
    its phases. Anything that changes over training and is not a parameter (an annealed noise, say) is derived from
    `self.step`, the number of finished iterations, which the loop sets before each iteration: an objective has no
    state of its own, so a resumed run needs nothing but the step. Its random numbers come from `randn` and `rand`.

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

    def randn(self, like: Tensor) -> Tensor:
        """Standard normal numbers of the shape, dtype and device of `like`, whose first dimension is the rows.

        Each row's numbers are the same however many processes the rows are divided over.
        """
        return self._random.draw(torch.Tensor.normal_, like)

    def rand(self, like: Tensor) -> Tensor:
        """As `randn`, uniform in [0, 1)."""
        return self._random.draw(torch.Tensor.uniform_, like)

    def rand_places(self, ids: Tensor, longest: int) -> Tensor:
        """A number of `rand` for each place of `ids`, `(batch, sequence)`.

        Processes have batches of different widths, so numbers for `longest` places, the most that a row of the model
        has, are drawn in each: otherwise they would draw different numbers from then on.
        """
        return self.rand(torch.empty(len(ids), max(longest, ids.shape[1]), device=ids.device))[:, : ids.shape[1]]

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
