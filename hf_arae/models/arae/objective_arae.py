"""Training of an ARAE: reconstruct; criticise; classify; imitate; conceal (thesis, Algorithm 1 and section 4.4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_arae.losses.classification import other_labels_loss
from hf_arae.losses.wasserstein import clip_weights, gradient_penalty, wasserstein_distance
from hf_arae.models.ae.objective_ae import AeObjective, AeObjectiveArguments
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.training.objective import Batch, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range


@dataclass
class AraeObjectiveArguments(AeObjectiveArguments):
    """Settings of the objective, each of them a flag; those of [`AeObjectiveArguments`], and:"""

    freeze_autoencoder: bool = field(
        default=False,
        metadata={
            "help": "Critic and generator alone are trained, which brings the generator nearer to codes that stay."
        },
    )
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
        super().__post_init__()
        check_choice(self, "lipschitz", ("gradient_penalty", "weight_clipping"))
        check_choice(self, "adversary_schedule", SCHEDULES)
        check_range(self, "(0, inf)", "critic_learning_rate", "generator_learning_rate", "classifier_learning_rate")
        check_range(self, "(0, inf)", "weight_clip")
        check_range(self, "[0, inf)", "gradient_penalty", "critic_scale", "classifier_scale")
        check_range(self, "[1, inf)", "critic_steps", "classifier_steps")


class AraeObjective(AeObjective):
    """The phases of ARAE: those of an autoencoder, and its adversary's.

    Signs: the critic f minimises `-mean f(enc(x)) + mean f(g(z))`, so it is high on real codes; the generator
    minimises `-mean f(g(z))`; the encoder minimises `mean f(enc(x))`. (The thesis and its released code use opposite
    signs for the critic; the two are the same by symmetry.)

    Batches: `input_ids`, `attention_mask` `(batch, sequence)` and, with several decoders, `attribute` `(batch,)`.

    Args:
        model: an [`AraeModel`].
        settings: see [`AraeObjectiveArguments`].
    """

    def __init__(self, model: AraeModel, settings: AraeObjectiveArguments | None = None):
        super().__init__(model, settings or AraeObjectiveArguments())
        self.with_attributes = model.config.num_attributes > 1
        self.players = self.players | {"critic": ("critic",), "generator": ("generator",)}
        if self.with_attributes:
            self.players["classifier"] = ("classifier",)

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        player = {"name": "adam", "betas": (0.5, 0.999)}
        adversary = player | {"schedule": s.adversary_schedule}
        return super().optimizers() | {
            "critic": OptimizerSettings(learning_rate=s.critic_learning_rate, **adversary),
            "generator": OptimizerSettings(learning_rate=s.generator_learning_rate, **adversary),
            "classifier": OptimizerSettings(learning_rate=s.classifier_learning_rate, **player),
        }

    def phases(self) -> tuple[Phase, ...]:
        s = self.settings
        moves = not s.freeze_autoencoder
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
            ),
            Phase(
                "classifier",
                "classifier",
                self.classify,
                repeat=s.classifier_steps,
                enabled=moves and self.with_attributes,
            ),
            Phase("generator", "generator", self.imitate),
            Phase("encoder", "autoencoder", self.conceal, max_grad_norm=s.max_grad_norm, enabled=moves),
        )

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
