"""Training of a VAE: the evidence lower bound, with what keeps the code from being ignored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

from hf_arae.losses.gaussian import draw_gaussian
from hf_arae.losses.mmd import maximum_mean_discrepancy
from hf_arae.models.recurrent.disturbed_words import rand_words
from hf_arae.models.vae.modeling_vae import VaeModel
from hf_arae.nn.text.word_noise import replace_words
from hf_arae.training.objective import OPTIMIZERS, Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range


@dataclass
class VaeObjectiveArguments:
    """Settings of the objective, each of them a flag.

    What papers have, where it differs from the defaults (the posterior and its scales stand in `VaeConfig`):

    - Bowman et al. (2016): the defaults; word dropout of 0.25 to 0.38 (keep rates 0.75 and 0.62).
    - Zhu et al. (2020), BN-VAE and delta-VAE: `optimizer="sgd"`, `learning_rate=1`, halved on plateaus,
      `annealing="linear"`, `beta_start=0.1` over 10 epochs, `word_dropout=0`; their free bits are `free_bits=4` to 9;
      their beta-VAE has `beta=0.4`.
    - Fu et al. (2019), cyclical: `annealing="cyclical"`, `cycles=4`, `rising_share=0.5`, and `annealing_steps` a
      quarter of the run.
    - Mathieu et al. (2019), decomposed: `beta=1`, `mmd_weight` of 0 or 100, Adam at 5e-4, with `prior_sparsity` 0 or
      0.8 in the config.
    """

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
        default=5.0, metadata={"help": "The norm of the model's gradient is clipped to this, > 0."}
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
    word_dropout: float = field(
        default=0.25, metadata={"help": "The decoder reads this share of the previous words as <unk>, in [0, 1]."}
    )
    free_bits: float = field(
        default=0.0, metadata={"help": "So much KL of a sentence, in nats, is free of charge, >= 0."}
    )
    free_bits_scope: str = field(
        default="coordinate",
        metadata={
            "help": "With coordinate, each coordinate of the code has an equal part of free_bits; with code, "
            "their sum."
        },
    )
    bag_of_words_weight: float = field(
        default=0.0, metadata={"help": "The bag-of-words loss has this weight, >= 0; it needs bag_of_words_sizes."}
    )
    mmd_weight: float = field(
        default=0.0, metadata={"help": "alpha: the MMD between codes and draws of the prior has this weight, >= 0."}
    )

    def __post_init__(self):
        check_choice(self, "optimizer", OPTIMIZERS)
        check_choice(self, "schedule", SCHEDULES)
        check_choice(self, "annealing", ("none", "linear", "sigmoid", "cyclical"))
        check_choice(self, "free_bits_scope", ("coordinate", "code"))
        check_range(self, "(0, inf)", "learning_rate", "max_grad_norm")
        check_range(self, "[0, inf)", "beta", "beta_start", "free_bits", "bag_of_words_weight", "mmd_weight")
        check_range(self, "[1, inf)", "annealing_steps", "cycles")
        check_range(self, "(0, 1]", "rising_share")
        check_range(self, "[0, 1]", "word_dropout")


class VaeObjective(Objective):
    """One phase, which lowers

        E[-log p(x | z)] + w KL(q(z | x) || p(z)) + b E[-log p_bow(x | z)] + alpha MMD(q(z), p(z))

    a sentence, in nats, by one draw of z: the evidence lower bound, with the weight w annealed (Bowman et al. 2016);
    the bag-of-words loss (Zhao et al. 2017); the decomposed regulariser (Mathieu et al. 2019, equation 7). The prior
    p(z) and the family of q(z | x) stand in the model's config.

    The MMD is that of each process's own rows, so with several processes it is an estimate from fewer of them.

    Batches: `input_ids`, `attention_mask` `(batch, sequence)`.

    Args:
        model: a [`VaeModel`].
        settings: see [`VaeObjectiveArguments`].

    Raises:
        ValueError: the settings ask for what the model lacks: a bag of words, an unknown word, or a closed form of the
            KL for free bits.
    """

    def __init__(self, model: VaeModel, settings: VaeObjectiveArguments | None = None):
        super().__init__(model)
        self.settings = s = settings or VaeObjectiveArguments()
        config = model.config
        parts = ["embeddings", "encoder", "posterior_head", "decoders", "projection"]
        if s.bag_of_words_weight and config.bag_of_words_sizes is None:
            raise ValueError("bag_of_words_weight needs bag_of_words_sizes in the model's config, [] for one layer")
        if s.word_dropout and config.unk_token_id is None:
            raise ValueError("word_dropout needs unk_token_id in the model's config, the token that replaces words")
        if s.free_bits and config.prior_sparsity:
            raise ValueError("free_bits needs prior_sparsity=0: at one draw, the KL to a sparse prior can be negative")
        if s.bag_of_words_weight:
            parts.append("bag_of_words")
        self.players = {"autoencoder": tuple(parts)}

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        return {"autoencoder": OptimizerSettings(s.optimizer, s.learning_rate, schedule=s.schedule)}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("elbo", "autoencoder", self.bound, max_grad_norm=self.settings.max_grad_norm),)

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
        """The loss above, mean over sentences (nats), and its parts.

        `reconstruction`: -log p(x | z) a sentence, at the words that dropout leaves; `reconstruction_per_token`; `kl`,
        a sentence, whole; `kl_weight`; `bag_of_words`, a sentence, and `mmd`, where they are trained.
        """
        s, model, ids = self.settings, self.model, batch["input_ids"]
        mean, log_variance = model.posterior(ids, batch["attention_mask"])
        code = draw_gaussian(mean, log_variance, self.randn(mean))
        divergence = model.prior.kl(mean, log_variance, code)
        total, count = model.reconstruction_loss(code, ids, given=self.given_words(ids))
        reconstruction, weight = total / len(ids), self.kl_weight()
        loss = reconstruction + weight * self.charged(divergence).mean()
        terms = {
            "reconstruction": reconstruction,
            "reconstruction_per_token": self.mean(total, count),
            "kl": divergence.sum(1).mean(),
            "kl_weight": loss.new_tensor(weight),
        }
        if s.bag_of_words_weight:
            terms["bag_of_words"] = model.bag_of_words_loss(code, ids) / len(ids)
            loss = loss + s.bag_of_words_weight * terms["bag_of_words"]
        if s.mmd_weight:
            terms["mmd"] = maximum_mean_discrepancy(code, model.prior.draw(code.detach(), self.randn, self.rand))
            loss = loss + s.mmd_weight * terms["mmd"]
        return {"loss": loss, **terms}

    def charged(self, divergence: Tensor) -> Tensor:
        """What a sentence pays of its coordinates' KL `(batch, code_size)`, `(batch,)`: at least the free bits.

        max(lambda / n, KL_i) summed over the n coordinates, or max(lambda, KL). Kingma et al. (2016, equation 15) take
        the mean KL of a batch there; by sentence it is in the released code of Li et al. (2019) and Zhu et al. (2020).
        """
        free = self.settings.free_bits
        if self.settings.free_bits_scope == "code":
            return divergence.sum(1).clamp(min=free) if free else divergence.sum(1)
        return (divergence.clamp(min=free / divergence.shape[1]) if free else divergence).sum(1)

    def given_words(self, ids: Tensor) -> Tensor | None:
        """The previous words as the decoder reads them, `(batch, sequence - 1)`, some `<unk>`; `None`: as they are."""
        rate, config = self.settings.word_dropout, self.model.config
        if not rate:
            return None
        given = ids[:, :-1]
        draws = rand_words(self, given, config.max_sequence_length + 1)
        return replace_words(given, draws, self.model.words(given), rate, config.unk_token_id)


__all__ = ["VaeObjective", "VaeObjectiveArguments"]
