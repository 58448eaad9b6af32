"""Training of an adversarial autoencoder: discriminate; reconstruct and confuse."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from hf_arae.losses.logistic import taken_for_fake, taken_for_real
from hf_arae.models.aae.modeling_aae import AaeModel
from hf_arae.models.recurrent.disturbed_words import disturb_words
from hf_arae.training.objective import OPTIMIZERS, Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range


@dataclass
class AaeObjectiveArguments:
    """Settings of the objective, each of them a flag.

    The defaults are those of Shen et al. (2020) for the AAE, without dropout; their denoising DAAE has
    `word_deletion=0.3`. Local shuffling is of Lample et al. (2018), with `shuffle_distance=3`.
    """

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
        metadata={"help": "The norm of the autoencoder's gradient is clipped to this, > 0. Shen et al. do not clip."},
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
    word_deletion: float = field(
        default=0.0,
        metadata={
            "help": "The encoder does not see this share of the words, in [0, 1); 0.3 makes it a denoising AAE."
        },
    )
    shuffle_distance: int = field(
        default=0, metadata={"help": "The encoder sees a word displaced by at most so many places, >= 0."}
    )

    def __post_init__(self):
        check_choice(self, "optimizer", OPTIMIZERS)
        check_choice(self, "schedule", SCHEDULES)
        check_range(self, "(0, inf)", "learning_rate", "discriminator_learning_rate", "max_grad_norm")
        check_range(self, "[0, inf)", "adversarial_weight", "shuffle_distance")
        check_range(self, "[1, inf)", "discriminator_steps")
        check_range(self, "[0, 1)", "word_deletion")


class AaeObjective(Objective):
    """The phases of an AAE (Makhzani et al. 2016), denoising if its words are disturbed (DAAE: Shen et al. 2020).

    The discriminator D minimises -log D(z) - log(1 - D(enc(x))) over draws z of the prior; encoder and decoder
    minimise -log p(x | enc(x)) - lambda log D(enc(x)), the non-saturating loss. The encoder reads x with noise on its
    words, and the discriminator judges the codes of that; x itself is what is reconstructed.

    Both losses of the encoder make one update, as Shen et al. have it. (Makhzani et al. take turns; a lambda would
    then mean little under Adam, which divides by the size of the gradients.)

    Batches: `input_ids`, `attention_mask` `(batch, sequence)`.

    Args:
        model: an [`AaeModel`].
        settings: see [`AaeObjectiveArguments`].
    """

    players = {
        "discriminator": ("discriminator",),
        "autoencoder": ("embeddings", "encoder", "code_head", "decoders", "projection"),
    }

    def __init__(self, model: AaeModel, settings: AaeObjectiveArguments | None = None):
        super().__init__(model)
        self.settings = settings or AaeObjectiveArguments()

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
            Phase("autoencoder", "autoencoder", self.reconstruct, max_grad_norm=s.max_grad_norm),
        )

    def discriminate(self, batch: Batch) -> Terms:
        """-log D(z) - log(1 - D(enc(x))), and `accuracy`: the mean over codes and draws, 0.5 where they are alike."""
        codes = self.codes(batch).detach()
        drawn = self.model.prior.draw(codes, self.randn, self.rand)
        real, fake = self.model.discriminator(torch.cat([drawn, codes])).squeeze(1).chunk(2)
        accuracy = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
        return {"loss": taken_for_real(real) + taken_for_fake(fake), "accuracy": accuracy}

    def reconstruct(self, batch: Batch) -> Terms:
        """-log p(x | enc(x)) - lambda log D(enc(x)), mean over sentences (nats), and its parts.

        `reconstruction`, a sentence; `reconstruction_per_token`; `adversarial_loss`: -log D(enc(x)).
        """
        codes = self.codes(batch)
        del self.shared["codes"]
        total, count = self.model.reconstruction_loss(codes, batch["input_ids"])
        reconstruction = total / len(codes)
        terms = {"loss": reconstruction, "reconstruction": reconstruction}
        terms["reconstruction_per_token"] = self.mean(total, count)
        if self.settings.adversarial_weight:
            terms["adversarial_loss"] = taken_for_real(self.model.discriminator(codes))
            terms["loss"] = reconstruction + self.settings.adversarial_weight * terms["adversarial_loss"]
        return terms

    def codes(self, batch: Batch) -> Tensor:
        """Codes of the disturbed sentences, `(batch, code_size)`: encoded once for all updates of an iteration."""
        if "codes" not in self.shared:
            s, ids, mask = self.settings, batch["input_ids"], batch["attention_mask"]
            self.shared["codes"] = self.model.encode(
                *disturb_words(self, ids, mask, s.word_deletion, s.shuffle_distance)
            )
        return self.shared["codes"]


__all__ = ["AaeObjective", "AaeObjectiveArguments"]
