"""Training of an autoencoder of anything: reconstruct, with noise on codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from hf_arae.training.objective import OPTIMIZERS, Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range


class BatchAutoencoder(Protocol):
    """What the objectives here need of a model, whatever its data are."""

    def encoder_inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        """What `encode` takes of a batch; the first dimension is the rows."""

    def encode(self, *inputs: Tensor) -> Tensor:
        """Codes `(batch, code_size)`."""

    def batch_loss(self, codes: Tensor, batch: Batch, **given: Any) -> tuple[Tensor, int]:
        """-log p(batch | codes), summed (nats), and the number of parts that a mean is over."""


@dataclass
class AutoencoderArguments:
    """Settings of the objective, each of them a flag. The defaults are those of the published autoencoder of text."""

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
        default=1.0,
        metadata={
            "help": "The norm that the gradient of encoder and decoder is clipped to, > 0; 0: it is not clipped."
        },
    )
    noise_std: float = field(
        default=0.1,
        metadata={"help": "The standard deviation, a coordinate, of the noise on codes while reconstructing, >= 0."},
    )
    noise_decay: float = field(
        default=0.9995, metadata={"help": "The factor on noise_std every noise_decay_steps, in (0, 1]."}
    )
    noise_decay_steps: int = field(default=100, metadata={"help": "Updates between two decays of that noise, >= 1."})

    def __post_init__(self):
        check_choice(self, "autoencoder_optimizer", OPTIMIZERS)
        check_choice(self, "autoencoder_schedule", SCHEDULES)
        check_range(self, "(0, inf)", "autoencoder_learning_rate")
        check_range(self, "[0, inf)", "max_grad_norm", "noise_std")
        check_range(self, "(0, 1]", "noise_decay")
        check_range(self, "[1, inf)", "noise_decay_steps")


class AutoencoderObjective(Objective):
    """-log p(x | enc(x) + noise): the one phase of an autoencoder (thesis, section 4.2).

    A subclass names the player "autoencoder"; the model is a [`BatchAutoencoder`].

    Args:
        model: the autoencoder.
        settings: see [`AutoencoderArguments`].
    """

    def __init__(self, model: BatchAutoencoder, settings: AutoencoderArguments):
        super().__init__(model)
        self.settings = settings

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        return {
            "autoencoder": OptimizerSettings(
                s.autoencoder_optimizer, s.autoencoder_learning_rate, schedule=s.autoencoder_schedule
            )
        }

    def phases(self) -> tuple[Phase, ...]:
        return (
            Phase("autoencoder", "autoencoder", self.reconstruct, max_grad_norm=self.settings.max_grad_norm or None),
        )

    def noise_std(self) -> float:
        """Deviation of the code noise at the current step: `noise_std * noise_decay^(step // noise_decay_steps)`."""
        s = self.settings
        return s.noise_std * s.noise_decay ** (self.step // s.noise_decay_steps)

    def noisy_inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        """What the encoder reads of a batch that is to be reconstructed: all of it, unless a subclass disturbs it."""
        return self.model.encoder_inputs(batch)

    def reconstruct(self, batch: Batch) -> Terms:
        """-log p(x | enc(x) + noise), in nats, the mean over what the model counts: tokens, or images."""
        code = self.model.encode(*self.noisy_inputs(batch))
        noise = self.noise_std()
        if noise > 0:
            code = code + noise * self.randn(code)
        total, count = self.model.batch_loss(code, batch)
        return {"loss": self.mean(total, count)}
