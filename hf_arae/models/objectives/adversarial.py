"""Training of an autoencoder against a critic of its codes: reconstruct; criticise; imitate; conceal."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from hf_arae.losses.wasserstein import clip_weights, gradient_penalty, wasserstein_distance
from hf_arae.models.objectives.autoencoder import AutoencoderArguments, AutoencoderObjective, BatchAutoencoder
from hf_arae.training.objective import Batch, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range


@dataclass
class AdversarialArguments(AutoencoderArguments):
    """Settings of the objective, each of them a flag; those of [`AutoencoderArguments`], and:"""

    freeze_autoencoder: bool = field(
        default=False,
        metadata={
            "help": "Critic and generator alone are trained, which brings the generator nearer to codes that stay."
        },
    )
    critic_steps: int = field(default=5, metadata={"help": "An iteration has so many updates of the critic (k)."})
    encoder_steps: int = field(
        default=1,
        metadata={
            "help": "An iteration has so many updates of the encoder against the critic, on one batch, after the "
            "critic's and the generator's."
        },
    )
    encoder_learning_rate: float = field(
        default=0.0,
        metadata={
            "help": "Against the critic, the encoder has an Adam optimizer of its own with this learning rate, and "
            "critic_scale is of no meaning; 0: the autoencoder's optimizer makes those updates too."
        },
    )
    critic_learning_rate: float = field(default=1e-4, metadata={"help": "The critic's learning rate, Adam's, > 0."})
    generator_learning_rate: float = field(
        default=1e-4, metadata={"help": "The generator's learning rate, Adam's, > 0."}
    )
    adversary_beta1: float = field(
        default=0.5, metadata={"help": "The first decay rate of Adam for critic and generator, in [0, 1)."}
    )
    adversary_schedule: str = field(
        default="constant",
        metadata={
            "help": "The learning rate of critic and generator stays (constant), or falls to 0 at once (linear, "
            "cosine) or later (constant_then_linear)."
        },
    )
    lipschitz: str = field(
        default="gradient_penalty",
        metadata={
            "help": "The critic is kept smooth by gradient_penalty (the authors' later code) or weight_clipping."
        },
    )
    gradient_penalty: float = field(
        default=0.1, metadata={"help": "The gradient penalty has this weight in the critic's loss, >= 0."}
    )
    weight_clip: float = field(
        default=0.01,
        metadata={"help": "With weight_clipping, the critic's weights are kept in [-weight_clip, weight_clip]."},
    )
    critic_scale: float = field(
        default=0.01, metadata={"help": "lambda1: the critic's gradient into the encoder is scaled by this, >= 0."}
    )

    def __post_init__(self):
        super().__post_init__()
        check_choice(self, "lipschitz", ("gradient_penalty", "weight_clipping"))
        check_choice(self, "adversary_schedule", SCHEDULES)
        check_range(self, "(0, inf)", "critic_learning_rate", "generator_learning_rate", "weight_clip")
        check_range(self, "[0, 1)", "adversary_beta1")
        check_range(self, "[0, inf)", "gradient_penalty", "critic_scale", "encoder_learning_rate")
        check_range(self, "[1, inf)", "critic_steps", "encoder_steps")


class AdversarialObjective(AutoencoderObjective):
    """The phases of ARAE (thesis, Algorithm 1): those of an autoencoder, and its adversary's.

    Signs: the critic f minimises `-mean f(enc(x)) + mean f(g(z))`, so it is high on real codes; the generator
    minimises `-mean f(g(z))`; the encoder minimises `mean f(enc(x))`. (The thesis and its released code use opposite
    signs for the critic; the two are the same by symmetry.)

    The critic's updates of one iteration are all on one batch, and so are the encoder's. Under Adam, an optimizer that
    reconstruction and adversary share makes the adversary's update mostly of the momentum of reconstruction, whatever
    `critic_scale`: with `encoder_learning_rate` the encoder has one for each.

    A subclass names the players "autoencoder", "critic" and "generator", and in `encoder_parts` the modules that make
    codes; the model has modules `critic` and `generator`, and `generate_codes`.

    Args:
        model: a [`~hf_arae.models.objectives.autoencoder.BatchAutoencoder`] with critic and generator.
        settings: see [`AdversarialArguments`].
    """

    settings: AdversarialArguments
    encoder_parts: tuple[str, ...] = ("encoder",)

    def __init__(self, model: BatchAutoencoder, settings: AdversarialArguments):
        super().__init__(model, settings)
        self.players = self.players | {"critic": ("critic",), "generator": ("generator",)}
        if settings.encoder_learning_rate:
            self.players["encoder"] = self.encoder_parts

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        adversary = {"name": "adam", "betas": (s.adversary_beta1, 0.999), "schedule": s.adversary_schedule}
        found = super().optimizers() | {
            "critic": OptimizerSettings(learning_rate=s.critic_learning_rate, **adversary),
            "generator": OptimizerSettings(learning_rate=s.generator_learning_rate, **adversary),
        }
        if s.encoder_learning_rate:
            found["encoder"] = OptimizerSettings(learning_rate=s.encoder_learning_rate, **adversary)
        return found

    def phases(self) -> tuple[Phase, ...]:
        s = self.settings
        moves, norm = not s.freeze_autoencoder, s.max_grad_norm or None
        clip = self.clip_weights if s.lipschitz == "weight_clipping" else None
        return (
            Phase("autoencoder", "autoencoder", self.reconstruct, max_grad_norm=norm, enabled=moves),
            Phase(
                "critic",
                "critic",
                self.criticise,
                repeat=s.critic_steps,
                before=self.encode_batch,
                after=clip,
            ),
            *self.phases_on_codes(),
            Phase("generator", "generator", self.imitate),
            Phase(
                "encoder",
                "encoder" if "encoder" in self.players else "autoencoder",
                self.conceal,
                repeat=s.encoder_steps,
                max_grad_norm=norm,
                enabled=moves,
            ),
        )

    def phases_on_codes(self) -> tuple[Phase, ...]:
        """More phases, after the critic's, on `self.shared["codes"]`; none, unless a subclass has some."""
        return ()

    def encode_batch(self, batch: Batch) -> None:
        """Encodes the batch once for all updates of the critic, and for the encoder's first one."""
        with torch.set_grad_enabled(not self.settings.freeze_autoencoder):
            self.shared["codes"] = self.model.encode(*self.model.encoder_inputs(batch))

    def criticise(self, batch: Batch) -> Terms:
        """-mean f(c) + mean f(c~), and the gradient penalty; `wasserstein_distance` is the estimate of W(P_r, P_g)."""
        real = self.shared["codes"].detach()
        with torch.no_grad():
            fake = self.fake_codes(real)
        distance = wasserstein_distance(self.model.critic, real, fake)
        terms = {"loss": -distance, "wasserstein_distance": distance}
        if self.settings.lipschitz == "gradient_penalty":
            terms["gradient_penalty"] = gradient_penalty(self.model.critic, real, fake, self.rand(real[:, :1]))
            terms["loss"] = self.settings.gradient_penalty * terms["gradient_penalty"] - distance
        return terms

    def clip_weights(self) -> None:
        """Keeps the critic's parameters in [-weight_clip, weight_clip]."""
        clip_weights(self.model.critic, self.settings.weight_clip)

    def imitate(self, batch: Batch) -> Terms:
        """-mean f(g(z)) for the generator."""
        return {"loss": -self.model.critic(self.fake_codes(self.model.encoder_inputs(batch)[0])).mean()}

    def conceal(self, batch: Batch) -> Terms:
        """lambda1 * mean f(enc(x)) for the encoder, and `critic_score`: mean f(enc(x))."""
        return self.conceal_codes(self.codes(batch), batch)

    def conceal_codes(self, codes: Tensor, batch: Batch) -> Terms:
        """The terms of `conceal` for codes `(batch, code_size)`."""
        score = self.model.critic(codes).mean()
        return {"loss": self.settings.critic_scale * score, "critic_score": score}

    def codes(self, batch: Batch) -> Tensor:
        """Codes of the batch: those of `encode_batch` once, since an update makes them old."""
        codes = self.shared.pop("codes", None)
        return self.model.encode(*self.model.encoder_inputs(batch)) if codes is None else codes

    def fake_codes(self, like: Tensor) -> Tensor:
        """g(z) for a draw of z ~ N(0, I) for each row of `like`, `(len(like), code_size)`."""
        weight = self.model.generator.output_layer.weight
        return self.model.generate_codes(self.randn(weight.new_empty(len(like), self.model.config.latent_size)))
