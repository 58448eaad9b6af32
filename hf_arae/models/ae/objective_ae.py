"""Training of a plain autoencoder: reconstruct, with noise on codes and, where wanted, on words."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from hf_arae.models.ae.modeling_ae import AeModel
from hf_arae.models.objectives.autoencoder import AutoencoderArguments, AutoencoderObjective
from hf_arae.models.recurrent.disturbed_words import disturb_words
from hf_arae.training.objective import Batch
from hf_arae.utils.validation import check_range


@dataclass
class AeObjectiveArguments(AutoencoderArguments):
    """Settings of the objective, each of them a flag; those of [`AutoencoderArguments`], and:"""

    word_deletion: float = field(
        default=0.0, metadata={"help": "The share of the words that the encoder does not see, in [0, 1)."}
    )
    shuffle_distance: int = field(
        default=0, metadata={"help": "The most places by which the encoder sees a word displaced, >= 0."}
    )

    def __post_init__(self):
        super().__post_init__()
        check_range(self, "[0, inf)", "shuffle_distance")
        check_range(self, "[0, 1)", "word_deletion")


class AeObjective(AutoencoderObjective):
    """-log p(x | enc(x) + noise, y), mean over tokens: the one phase of an autoencoder (thesis, section 4.2).

    With noise on words it is a denoising autoencoder (Vincent et al. 2008): the encoder reads disturbed words, and
    the sentence itself is what is reconstructed.

    Batches: `input_ids`, `attention_mask` `(batch, sequence)` and, with several decoders, `attribute` `(batch,)`.

    Args:
        model: an [`AeModel`].
        settings: see [`AeObjectiveArguments`].
    """

    players = {"autoencoder": ("embeddings", "encoder", "decoders", "projection")}

    def __init__(self, model: AeModel, settings: AeObjectiveArguments | None = None):
        super().__init__(model, settings or AeObjectiveArguments())

    def noisy_inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        """Ids and attention mask of sentences whose words are disturbed."""
        return disturb_words(
            self, *self.model.encoder_inputs(batch), self.settings.word_deletion, self.settings.shuffle_distance
        )


__all__ = ["AeObjective", "AeObjectiveArguments"]
