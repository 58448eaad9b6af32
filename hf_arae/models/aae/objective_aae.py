"""Training of an adversarial autoencoder for text, denoising where wanted."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from hf_arae.models.aae.modeling_aae import AaeModel
from hf_arae.models.objectives.code_discrimination import CodeDiscriminationArguments, CodeDiscriminationObjective
from hf_arae.models.recurrent.disturbed_words import disturb_words
from hf_arae.training.objective import Batch, Terms
from hf_arae.utils.validation import check_range


@dataclass
class AaeObjectiveArguments(CodeDiscriminationArguments):
    """Settings of the objective, each of them a flag; those of [`CodeDiscriminationArguments`], and two for text.

    The defaults are those of Shen et al. (2020) for the AAE, without dropout; their denoising DAAE has
    `word_deletion=0.3`. Local shuffling is of Lample et al. (2018), with `shuffle_distance=3`.
    """

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
        super().__post_init__()
        check_range(self, "[0, inf)", "shuffle_distance")
        check_range(self, "[0, 1)", "word_deletion")


class AaeObjective(CodeDiscriminationObjective):
    """The phases of an AAE (Makhzani et al. 2016), denoising if its words are disturbed (DAAE: Shen et al. 2020).

    The encoder reads x with noise on its words, and the discriminator judges the codes of that; x itself is what is
    reconstructed.

    Batches: `input_ids`, `attention_mask` `(batch, sequence)`.

    Args:
        model: an [`AaeModel`].
        settings: see [`AaeObjectiveArguments`].
    """

    players = {
        "discriminator": ("discriminator",),
        "autoencoder": ("embeddings", "encoder", "code_head", "decoders", "projection"),
    }
    settings: AaeObjectiveArguments

    def __init__(self, model: AaeModel, settings: AaeObjectiveArguments | None = None):
        super().__init__(model, settings or AaeObjectiveArguments())

    def reconstruction(self, codes: Tensor, batch: Batch) -> tuple[Tensor, Terms]:
        """As the base's; `reconstruction_per_token` is logged too."""
        total, count = self.model.batch_loss(codes, batch)
        mean = total / len(codes)
        return mean, {"reconstruction": mean, "reconstruction_per_token": self.mean(total, count)}

    def noisy_inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        """Ids and attention mask of sentences whose words are disturbed."""
        return disturb_words(
            self, *self.model.encoder_inputs(batch), self.settings.word_deletion, self.settings.shuffle_distance
        )


__all__ = ["AaeObjective", "AaeObjectiveArguments"]
