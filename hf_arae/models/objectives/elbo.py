"""Training by the evidence lower bound, with what keeps the code from being ignored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from hf_arae.losses.gaussian import draw_gaussian
from hf_arae.losses.mmd import maximum_mean_discrepancy
from hf_arae.models.objectives.autoencoder import BatchAutoencoder
from hf_arae.nn.priors import FixedPrior
from hf_arae.training.objective import OPTIMIZERS, Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range


class VariationalAutoencoder(BatchAutoencoder, Protocol):
    """What the objective here needs of a model beside that."""

    prior: FixedPrior

    def posterior(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), each `(batch, code_size)`, of what `encoder_inputs` gives."""


@dataclass
class ElboArguments:
    """Settings of the objective, each of them a flag."""

    optimizer: str = field(default="adam", metadata={"help": "The model is updated by this optimizer: adam or sgd."})
    learning_rate: float = field(default=1e-3, metadata={"help": "The highest learning rate, > 0."})
    schedule: str = field(
        default="constant",
        metadata={
            "help": "The learning rate of the model stays (constant), or falls to 0 at once (linear, cosine) or "
            "later (constant_then_linear)."
        },
    )
    max_grad_norm: float = field(
        default=5.0,
        metadata={"help": "The norm of the model's gradient is clipped to this, > 0; 0: it is not clipped."},
    )
    beta: float = field(default=1.0, metadata={"help": "The KL has this weight once it is annealed, >= 0."})
    beta_start: float = field(
        default=0.0, metadata={"help": "The KL has this weight before it is annealed, >= 0; not with annealing none."}
    )
    annealing: str = field(
        default="sigmoid",
        metadata={"help": "The weight of the KL rises like this: none, linear, sigmoid or cyclical."},
    )
    annealing_steps: int = field(
        default=5000,
        metadata={"help": "The weight of the KL rises over so many updates; with cyclical, a cycle has so many."},
    )
    cycles: int = field(
        default=4, metadata={"help": "With cyclical, the weight of the KL rises so many times, and then stays."}
    )
    rising_share: float = field(
        default=0.5,
        metadata={"help": "With cyclical, the weight of the KL rises in this share of a cycle, in (0, 1]."},
    )
    free_bits: float = field(default=0.0, metadata={"help": "So much KL of a row, in nats, is free of charge, >= 0."})
    free_bits_scope: str = field(
        default="coordinate",
        metadata={
            "help": "With coordinate, each coordinate of the code has an equal part of free_bits; with code, "
            "their sum."
        },
    )
    mmd_weight: float = field(
        default=0.0, metadata={"help": "alpha: the MMD between codes and draws of the prior has this weight, >= 0."}
    )

    def __post_init__(self):
        check_choice(self, "optimizer", OPTIMIZERS)
        check_choice(self, "schedule", SCHEDULES)
        check_choice(self, "annealing", ("none", "linear", "sigmoid", "cyclical"))
        check_choice(self, "free_bits_scope", ("coordinate", "code"))
        check_range(self, "(0, inf)", "learning_rate")
        check_range(self, "[0, inf)", "max_grad_norm", "beta", "beta_start", "free_bits", "mmd_weight")
        check_range(self, "[1, inf)", "annealing_steps", "cycles")
        check_range(self, "(0, 1]", "rising_share")


class ElboObjective(Objective):
    """One phase, which lowers

        E[-log p(x | z)] + w KL(q(z | x) || p(z)) + alpha MMD(q(z), p(z))

    a row, in nats, by one draw of z: the evidence lower bound, with the weight w annealed (Bowman et al. 2016), and
    the decomposed regulariser (Mathieu et al. 2019, equation 7).

    The MMD is that of each process's own rows, so with several processes it is an estimate from fewer of them. A
    subclass names the player "autoencoder".

    Args:
        model: a [`VariationalAutoencoder`].
        settings: see [`ElboArguments`].
    """

    def __init__(self, model: VariationalAutoencoder, settings: ElboArguments):
        super().__init__(model)
        self.settings = settings

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        return {"autoencoder": OptimizerSettings(s.optimizer, s.learning_rate, schedule=s.schedule)}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("elbo", "autoencoder", self.bound, max_grad_norm=self.settings.max_grad_norm or None),)

    def kl_weight(self) -> float:
        """Weight of the KL at the current step t, `beta_start` to `beta`, by the share of the way:

        linear: t / steps, at most 1; sigmoid: 1 / (1 + exp(-10 (t / steps - 1/2))); cyclical: linear over the first
        `rising_share` of each cycle, then 1 to its end, and 1 after the last cycle.
        """
        s = self.settings
        way = self.step / s.annealing_steps
        if s.annealing == "none":
            share = 1.0
        elif s.annealing == "linear":
            share = min(1.0, way)
        elif s.annealing == "sigmoid":
            share = 1 / (1 + math.exp(-10 * (way - 0.5)))
        else:
            share = min(1.0, way % 1 / s.rising_share) if way < s.cycles else 1.0
        return s.beta_start + (s.beta - s.beta_start) * share

    def bound(self, batch: Batch) -> Terms:
        """The loss above, mean over rows (nats), and its parts.

        `reconstruction`: -log p(x | z) a row; `kl`, a row, whole; `kl_weight`; `mmd`, where it is trained.
        """
        s, model = self.settings, self.model
        mean, log_variance = model.posterior(*model.encoder_inputs(batch))
        code = draw_gaussian(mean, log_variance, self.randn(mean))
        divergence = model.prior.kl(mean, log_variance, code)
        reconstruction, terms = self.reconstruction(code, batch)
        weight = self.kl_weight()
        loss = reconstruction + weight * self.charged(divergence).mean()
        terms |= {"kl": divergence.sum(1).mean(), "kl_weight": loss.new_tensor(weight)}
        for name, (more, value) in self.more_losses(code, batch).items():
            terms[name] = value
            loss = loss + more * value
        if s.mmd_weight:
            terms["mmd"] = maximum_mean_discrepancy(code, model.prior.draw(code.detach(), self.randn, self.rand))
            loss = loss + s.mmd_weight * terms["mmd"]
        return {"loss": loss, **terms}

    def reconstruction(self, code: Tensor, batch: Batch) -> tuple[Tensor, Terms]:
        """-log p(x | z), mean over rows, and what of it is logged."""
        total, _ = self.model.batch_loss(code, batch)
        return total / len(code), {"reconstruction": total / len(code)}

    def more_losses(self, code: Tensor, batch: Batch) -> dict[str, tuple[float, Tensor]]:
        """Further terms with their weights; none, unless a subclass has some."""
        return {}

    def charged(self, divergence: Tensor) -> Tensor:
        """What a row pays of its coordinates' KL `(batch, code_size)`, `(batch,)`: at least the free bits.

        max(lambda / n, KL_i) summed over the n coordinates, or max(lambda, KL). Kingma et al. (2016, equation 15) take
        the mean KL of a batch there; by sentence it is in the released code of Li et al. (2019) and Zhu et al. (2020).
        """
        free = self.settings.free_bits
        if self.settings.free_bits_scope == "code":
            return divergence.sum(1).clamp(min=free) if free else divergence.sum(1)
        return (divergence.clamp(min=free / divergence.shape[1]) if free else divergence).sum(1)
