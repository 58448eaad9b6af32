"""How a recurrent language model is trained: predict each token from those before it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.training.objective import OPTIMIZERS, Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range


@dataclass
class RnnLmObjectiveArguments:
    """Settings of the objective, each of them a flag."""

    optimizer: str = field(default="adam", metadata={"help": "The model is updated by this optimizer: adam or sgd."})
    learning_rate: float = field(default=2e-3, metadata={"help": "The highest learning rate, > 0."})
    schedule: str = field(
        default="linear",
        metadata={
            "help": "The learning rate of the model stays (constant), or falls to 0 at once (linear, cosine) or "
            "later (constant_then_linear)."
        },
    )
    max_grad_norm: float = field(
        default=1.0, metadata={"help": "The norm of the model's gradient is clipped to this, > 0."}
    )

    def __post_init__(self):
        check_choice(self, "optimizer", OPTIMIZERS)
        check_choice(self, "schedule", SCHEDULES)
        check_range(self, "(0, inf)", "learning_rate", "max_grad_norm")


class RnnLmObjective(Objective):
    """One phase: maximum likelihood.

    Batches: `input_ids` `(batch, sequence)`.

    Args:
        model: an [`RnnLmForCausalLM`].
        settings: see [`RnnLmObjectiveArguments`].
    """

    players = {"language_model": ("embeddings", "lstm", "projection")}

    def __init__(self, model: RnnLmForCausalLM, settings: RnnLmObjectiveArguments | None = None):
        super().__init__(model)
        self.settings = settings or RnnLmObjectiveArguments()

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        return {"language_model": OptimizerSettings(s.optimizer, s.learning_rate, schedule=s.schedule)}

    def phases(self) -> tuple[Phase, ...]:
        clip = self.settings.max_grad_norm
        return (Phase("language_model", "language_model", self.predict, max_grad_norm=clip),)

    def predict(self, batch: Batch) -> Terms:
        """-log p(x), mean over tokens (nats); the exponential is the training perplexity."""
        total, count = self.model.token_loss(batch["input_ids"])
        return {"loss": self.mean(total, count)}


__all__ = ["RnnLmObjective", "RnnLmObjectiveArguments"]
