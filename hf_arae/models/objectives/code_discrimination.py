"""Training of an autoencoder whose codes a discriminator holds to a prior: discriminate; reconstruct and confuse."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from hf_arae.losses.logistic import taken_for_fake, taken_for_real
from hf_arae.models.objectives.autoencoder import BatchAutoencoder
from hf_arae.nn.priors import FixedPrior
from hf_arae.training.objective import OPTIMIZERS, Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range


class DiscriminatedAutoencoder(BatchAutoencoder, Protocol):
    """What the objective here needs of a model beside that."""

    prior: FixedPrior
    discriminator: nn.Module  # codes to log-odds of being drawn from the prior, `(batch, 1)`


@dataclass
class CodeDiscriminationArguments:
    """Settings of the objective, each of them a flag."""

    optimizer: str = field(
        default="adam", metadata={"help": "The autoencoder is updated by this optimizer: adam or sgd."}
    )
    learning_rate: float = field(default=5e-4, metadata={"help": "The autoencoder's highest learning rate, > 0."})
    schedule: str = field(
        default="constant",
        metadata={
            "help": "The learning rate of the autoencoder stays (constant), or falls to 0 at once (linear, "
            "cosine) or later (constant_then_linear)."
        },
    )
    max_grad_norm: float = field(
        default=5.0,
        metadata={
            "help": "The norm of the autoencoder's gradient is clipped to this, > 0; 0: it is not clipped, as Shen et "
            "al. have it."
        },
    )
    adversarial_weight: float = field(
        default=10.0,
        metadata={
            "help": "lambda: the encoder's loss against the discriminator has this weight, >= 0; 0: no adversary."
        },
    )
    discriminator_steps: int = field(
        default=1, metadata={"help": "An iteration has so many updates of the discriminator."}
    )
    discriminator_learning_rate: float = field(
        default=5e-4, metadata={"help": "The discriminator's learning rate, Adam's, > 0."}
    )

    def __post_init__(self):
        check_choice(self, "optimizer", OPTIMIZERS)
        check_choice(self, "schedule", SCHEDULES)
        check_range(self, "(0, inf)", "learning_rate", "discriminator_learning_rate")
        check_range(self, "[0, inf)", "max_grad_norm", "adversarial_weight")
        check_range(self, "[1, inf)", "discriminator_steps")


class CodeDiscriminationObjective(Objective):
    """The phases of an AAE (Makhzani et al. 2016).

    The discriminator D minimises -log D(z) - log(1 - D(enc(x))) over draws z of the prior; encoder and decoder
    minimise -log p(x | enc(x)) - lambda log D(enc(x)), the non-saturating loss.

    Both losses of the encoder make one update, as Shen et al. (2020) have it. (Makhzani et al. take turns; a lambda
    would then mean little under Adam, which divides by the size of the gradients.)

    A subclass names the players "discriminator" and "autoencoder".

    Args:
        model: a [`DiscriminatedAutoencoder`].
        settings: see [`CodeDiscriminationArguments`].
    """

    def __init__(self, model: DiscriminatedAutoencoder, settings: CodeDiscriminationArguments):
        super().__init__(model)
        self.settings = settings

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s, betas = self.settings, (0.5, 0.999)
        return {
            "discriminator": OptimizerSettings("adam", s.discriminator_learning_rate, betas),
            "autoencoder": OptimizerSettings(s.optimizer, s.learning_rate, betas, schedule=s.schedule),
        }

    def phases(self) -> tuple[Phase, ...]:
        s = self.settings
        on = s.adversarial_weight > 0
        return (
            Phase("discriminator", "discriminator", self.discriminate, repeat=s.discriminator_steps, enabled=on),
            Phase("autoencoder", "autoencoder", self.reconstruct, max_grad_norm=s.max_grad_norm or None),
        )

    def discriminate(self, batch: Batch) -> Terms:
        """-log D(z) - log(1 - D(enc(x))), and `accuracy`: the mean over codes and draws, 0.5 where they are alike."""
        codes = self.codes(batch).detach()
        drawn = self.model.prior.draw(codes, self.randn, self.rand)
        real, fake = self.model.discriminator(torch.cat([drawn, codes])).squeeze(1).chunk(2)
        accuracy = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
        return {"loss": taken_for_real(real) + taken_for_fake(fake), "accuracy": accuracy}

    def reconstruct(self, batch: Batch) -> Terms:
        """-log p(x | enc(x)) - lambda log D(enc(x)), mean over rows (nats), and its parts.

        `reconstruction`, a row; `adversarial_loss`: -log D(enc(x)).
        """
        codes = self.codes(batch)
        del self.shared["codes"]
        reconstruction, logged = self.reconstruction(codes, batch)
        terms = {"loss": reconstruction, **logged}
        if self.settings.adversarial_weight:
            terms["adversarial_loss"] = taken_for_real(self.model.discriminator(codes))
            terms["loss"] = reconstruction + self.settings.adversarial_weight * terms["adversarial_loss"]
        return terms

    def reconstruction(self, codes: Tensor, batch: Batch) -> tuple[Tensor, Terms]:
        """-log p(x | enc(x)), mean over rows, and what of it is logged."""
        total, _ = self.model.batch_loss(codes, batch)
        return total / len(codes), {"reconstruction": total / len(codes)}

    def codes(self, batch: Batch) -> Tensor:
        """Codes of the batch, `(batch, code_size)`: encoded once for all updates of an iteration."""
        if "codes" not in self.shared:
            self.shared["codes"] = self.model.encode(*self.noisy_inputs(batch))
        return self.shared["codes"]

    def noisy_inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        """What the encoder reads of a batch: all of it, unless a subclass disturbs it."""
        return self.model.encoder_inputs(batch)
