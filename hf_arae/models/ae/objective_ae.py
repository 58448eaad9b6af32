"""Training of a plain autoencoder: reconstruct, with noise on codes and, where wanted, on words."""

from __future__ import annotations

from dataclasses import dataclass, field

from hf_arae.models.ae.modeling_ae import AeModel
from hf_arae.models.recurrent.disturbed_words import disturb_words
from hf_arae.training.objective import OPTIMIZERS, Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range


@dataclass
class AeObjectiveArguments:
    """Settings of the objective, each of them a flag. The defaults are those of the published autoencoder."""

    autoencoder_optimizer: str = field(
        default="sgd", metadata={"help": "Encoder and decoder are updated by this optimizer: adam or sgd."}
    )
    autoencoder_learning_rate: float = field(
        default=1.0, metadata={"help": "The highest learning rate of encoder and decoder, > 0."}
    )
    autoencoder_schedule: str = field(
        default="constant",
        metadata={"help": f"The learning rate of encoder and decoder has one of the courses {', '.join(SCHEDULES)}."},
    )
    max_grad_norm: float = field(
        default=1.0, metadata={"help": "The norm that the gradient of encoder and decoder is clipped to, > 0."}
    )
    noise_std: float = field(
        default=0.1,
        metadata={"help": "The standard deviation, a coordinate, of the noise on codes while reconstructing, >= 0."},
    )
    noise_decay: float = field(
        default=0.9995, metadata={"help": "The factor on noise_std every noise_decay_steps, in (0, 1]."}
    )
    noise_decay_steps: int = field(default=100, metadata={"help": "Updates between two decays of that noise, >= 1."})
    word_deletion: float = field(
        default=0.0, metadata={"help": "The share of the words that the encoder does not see, in [0, 1)."}
    )
    shuffle_distance: int = field(
        default=0, metadata={"help": "The most places by which the encoder sees a word displaced, >= 0."}
    )

    def __post_init__(self):
        check_choice(self, "autoencoder_optimizer", OPTIMIZERS)
        check_choice(self, "autoencoder_schedule", SCHEDULES)
        check_range(self, "(0, inf)", "autoencoder_learning_rate", "max_grad_norm")
        check_range(self, "[0, inf)", "noise_std", "shuffle_distance")
        check_range(self, "(0, 1]", "noise_decay")
        check_range(self, "[1, inf)", "noise_decay_steps")
        check_range(self, "[0, 1)", "word_deletion")


class AeObjective(Objective):
    """-log p(x | enc(x) + noise, y): the one phase of an autoencoder (thesis, section 4.2).

    With noise on words it is a denoising autoencoder (Vincent et al. 2008): the encoder reads disturbed words, and
    the sentence itself is what is reconstructed.

    Batches: `input_ids`, `attention_mask` `(batch, sequence)` and, with several decoders, `attribute` `(batch,)`.

    Args:
        model: an [`AeModel`].
        settings: see [`AeObjectiveArguments`].
    """

    players = {"autoencoder": ("embeddings", "encoder", "decoders", "projection")}

    def __init__(self, model: AeModel, settings: AeObjectiveArguments | None = None):
        super().__init__(model)
        self.settings = settings or AeObjectiveArguments()

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        return {
            "autoencoder": OptimizerSettings(
                s.autoencoder_optimizer, s.autoencoder_learning_rate, schedule=s.autoencoder_schedule
            )
        }

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("autoencoder", "autoencoder", self.reconstruct, max_grad_norm=self.settings.max_grad_norm),)

    def noise_std(self) -> float:
        """Deviation of the code noise at the current step: `noise_std * noise_decay^(step // noise_decay_steps)`."""
        s = self.settings
        return s.noise_std * s.noise_decay ** (self.step // s.noise_decay_steps)

    def reconstruct(self, batch: Batch) -> Terms:
        """-log p(x | enc(x) + noise, y), mean over tokens (nats)."""
        s = self.settings
        ids, mask = batch["input_ids"], batch["attention_mask"]
        code = self.model.encode(*disturb_words(self, ids, mask, s.word_deletion, s.shuffle_distance))
        noise = self.noise_std()
        if noise > 0:
            code = code + noise * self.randn(code)
        total, count = self.model.reconstruction_loss(code, ids, batch.get("attribute"))
        return {"loss": self.mean(total, count)}


__all__ = ["AeObjective", "AeObjectiveArguments"]
