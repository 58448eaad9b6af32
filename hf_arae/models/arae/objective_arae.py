"""Training of an ARAE: reconstruct; criticise; classify; imitate; conceal (thesis, Algorithm 1 and section 4.4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_arae.losses.classification import other_labels_loss
from hf_arae.losses.wasserstein import clip_weights, gradient_penalty, wasserstein_distance
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.training.objective import OPTIMIZERS, Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range


@dataclass
class AraeObjectiveArguments:
    """Settings of the objective, ready for `HfArgumentParser`."""

    adversary: bool = field(
        default=True,
        metadata={"help": "Critic, generator and classifier are trained; with false it is a plain autoencoder."},
    )
    freeze_autoencoder: bool = field(
        default=False,
        metadata={
            "help": "Critic and generator alone are trained, which brings the generator nearer to codes that stay."
        },
    )
    autoencoder_optimizer: str = field(
        default="sgd", metadata={"help": "The autoencoder is updated by this optimizer: adam or sgd."}
    )
    autoencoder_learning_rate: float = field(
        default=1.0, metadata={"help": "The autoencoder's highest learning rate, > 0."}
    )
    autoencoder_schedule: str = field(
        default="constant",
        metadata={
            "help": "The learning rate of the autoencoder stays (constant), or falls to 0 at once (linear, "
            "cosine) or later (constant_then_linear)."
        },
    )
    max_grad_norm: float = field(
        default=1.0, metadata={"help": "The norm of the autoencoder's gradient is clipped to this, > 0."}
    )
    noise_std: float = field(
        default=0.1,
        metadata={
            "help": "While sentences are rebuilt, their codes have noise of this standard deviation a coordinate, "
            ">= 0."
        },
    )
    noise_decay: float = field(
        default=0.9995, metadata={"help": "noise_std is multiplied by this every noise_decay_steps, in (0, 1]."}
    )
    noise_decay_steps: int = field(default=100, metadata={"help": "The noise falls once in so many updates."})
    critic_steps: int = field(default=5, metadata={"help": "An iteration has so many updates of the critic (k)."})
    critic_learning_rate: float = field(default=1e-4, metadata={"help": "The critic's learning rate, Adam's, > 0."})
    generator_learning_rate: float = field(
        default=1e-4, metadata={"help": "The generator's learning rate, Adam's, > 0."}
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
    classifier_steps: int = field(default=1, metadata={"help": "An iteration has so many updates of the classifier."})
    classifier_learning_rate: float = field(
        default=1e-4, metadata={"help": "The classifier's learning rate, Adam's, > 0."}
    )
    classifier_scale: float = field(
        default=1.0, metadata={"help": "lambda2: the classifier's gradient into the encoder is scaled by this, >= 0."}
    )

    def __post_init__(self):
        check_choice(self, "lipschitz", ("gradient_penalty", "weight_clipping"))
        check_choice(self, "autoencoder_optimizer", OPTIMIZERS)
        check_choice(self, "autoencoder_schedule", SCHEDULES)
        check_choice(self, "adversary_schedule", SCHEDULES)
        check_range(self, "(0, inf)", "autoencoder_learning_rate", "critic_learning_rate", "generator_learning_rate")
        check_range(self, "(0, inf)", "classifier_learning_rate", "max_grad_norm", "weight_clip")
        check_range(self, "[0, inf)", "noise_std", "gradient_penalty", "critic_scale", "classifier_scale")
        check_range(self, "(0, 1]", "noise_decay")
        check_range(self, "[1, inf)", "noise_decay_steps", "critic_steps", "classifier_steps")
        if self.freeze_autoencoder and not self.adversary:
            raise ValueError("freeze_autoencoder without adversary leaves nothing to train")


class AraeObjective(Objective):
    """The phases of ARAE.

    Signs: the critic f minimises `-mean f(enc(x)) + mean f(g(z))`, so it is high on real codes; the generator
    minimises `-mean f(g(z))`; the encoder minimises `mean f(enc(x))`. (The thesis and its released code use opposite
    signs for the critic; the two are the same by symmetry.)

    Batches: `input_ids`, `attention_mask` `(batch, sequence)` and, with several decoders, `attribute` `(batch,)`.

    Args:
        model: an [`AraeModel`]. Its config's `trained_generator` says from now on whether it has an adversary.
        settings: see [`AraeObjectiveArguments`].
    """

    def __init__(self, model: AraeModel, settings: AraeObjectiveArguments | None = None):
        super().__init__(model)
        self.settings = settings or AraeObjectiveArguments()
        model.config.trained_generator = self.settings.adversary
        self.with_attributes = model.config.num_attributes > 1
        self.players = {
            "autoencoder": ("embeddings", "encoder", "decoders", "projection"),
            "critic": ("critic",),
            "generator": ("generator",),
        }
        if self.with_attributes:
            self.players["classifier"] = ("classifier",)

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        player = {"name": "adam", "betas": (0.5, 0.999)}
        adversary = player | {"schedule": s.adversary_schedule}
        return {
            "autoencoder": OptimizerSettings(
                s.autoencoder_optimizer, s.autoencoder_learning_rate, schedule=s.autoencoder_schedule
            ),
            "critic": OptimizerSettings(learning_rate=s.critic_learning_rate, **adversary),
            "generator": OptimizerSettings(learning_rate=s.generator_learning_rate, **adversary),
            "classifier": OptimizerSettings(learning_rate=s.classifier_learning_rate, **player),
        }

    def phases(self) -> tuple[Phase, ...]:
        s = self.settings
        on, moves = s.adversary, not s.freeze_autoencoder
        clip = self.clip_weights if s.lipschitz == "weight_clipping" else None
        return (
            Phase("autoencoder", "autoencoder", self.reconstruct, max_grad_norm=s.max_grad_norm, enabled=moves),
            Phase(
                "critic",
                "critic",
                self.criticise,
                repeat=s.critic_steps,
                before=self.encode_batch,
                after=clip,
                enabled=on,
            ),
            Phase(
                "classifier",
                "classifier",
                self.classify,
                repeat=s.classifier_steps,
                enabled=on and moves and self.with_attributes,
            ),
            Phase("generator", "generator", self.imitate, enabled=on),
            Phase("encoder", "autoencoder", self.conceal, max_grad_norm=s.max_grad_norm, enabled=on and moves),
        )

    def noise_std(self) -> float:
        """Deviation of the code noise at the current step: `noise_std * noise_decay^(step // decay_steps)`."""
        s = self.settings
        return s.noise_std * s.noise_decay ** (self.step // s.noise_decay_steps)

    def reconstruct(self, batch: Batch) -> Terms:
        """-log p(x | enc(x) + noise, y), mean over tokens (nats)."""
        code = self.model.encode(batch["input_ids"], batch["attention_mask"])
        noise = self.noise_std()
        if noise > 0:
            code = code + noise * self.randn(code)
        total, count = self.model.reconstruction_loss(code, batch["input_ids"], batch.get("attribute"))
        return {"loss": self.mean(total, count)}

    def encode_batch(self, batch: Batch) -> None:
        """Encodes the batch once for all updates of the critic and the classifier, and for the encoder's own."""
        with torch.set_grad_enabled(not self.settings.freeze_autoencoder):
            self.shared["codes"] = self.model.encode(batch["input_ids"], batch["attention_mask"])

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

    def classify(self, batch: Batch) -> Terms:
        """-log p(y | enc(x)) for the classifier; `accuracy` of the adversary (not a measure of leakage)."""
        logits = self.model.classifier(self.shared["codes"].detach())
        accuracy = (logits.argmax(1) == batch["attribute"]).float().mean()
        return {"loss": F.cross_entropy(logits, batch["attribute"]), "accuracy": accuracy}

    def imitate(self, batch: Batch) -> Terms:
        """-mean f(g(z)) for the generator."""
        return {"loss": -self.model.critic(self.fake_codes(batch["input_ids"])).mean()}

    def conceal(self, batch: Batch) -> Terms:
        """lambda1 * mean f(enc(x)) + lambda2 * (-log p(other label | enc(x))) for the encoder, on all classes.

        `critic_score`: mean f(enc(x)); `adversarial_loss`: the classifier's part, the mean over the other labels.
        """
        code = self.shared.pop("codes", None)
        if code is None:
            code = self.model.encode(batch["input_ids"], batch["attention_mask"])
        score = self.model.critic(code).mean()
        terms = {"loss": self.settings.critic_scale * score, "critic_score": score}
        if self.with_attributes:
            adversarial = other_labels_loss(self.model.classifier(code), batch["attribute"])
            terms["adversarial_loss"] = adversarial
            terms["loss"] = terms["loss"] + self.settings.classifier_scale * adversarial
        return terms

    def fake_codes(self, like: Tensor) -> Tensor:
        """g(z) for a draw of z ~ N(0, I) for each row of `like`, `(len(like), code_size)`."""
        weight = self.model.generator.output_layer.weight
        return self.model.generator(self.randn(weight.new_empty(len(like), self.model.config.latent_size)))


__all__ = ["AraeObjective", "AraeObjectiveArguments"]
