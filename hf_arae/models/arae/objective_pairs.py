"""Semi-supervised training on pairs: the autoencoder's phases on sentences, and labels for some pairs."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from hf_arae.models.arae.modeling_pairs import AraeForSequenceClassification
from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments
from hf_arae.training.objective import Batch, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range

METHODS = ("supervised", "ae", "arae")


@dataclass
class AraePairObjectiveArguments(AraeObjectiveArguments):
    """Settings of the objective, each of them a flag; those of [`AraeObjectiveArguments`], and:"""

    method: str = field(
        default="arae",
        metadata={
            "help": "supervised learns from labelled pairs alone; ae and arae have that autoencoder on all "
            "sentences beside it."
        },
    )
    reader_learning_rate: float = field(
        default=1e-3, metadata={"help": "Encoder and classifier of pairs learn from labels at this rate, Adam's, > 0."}
    )
    reader_schedule: str = field(
        default="linear",
        metadata={
            "help": "The learning rate of encoder and classifier of pairs stays (constant), or falls to 0 at once "
            "(linear, cosine) or later (constant_then_linear)."
        },
    )

    def __post_init__(self):
        super().__post_init__()
        check_choice(self, "method", METHODS)
        check_choice(self, "reader_schedule", SCHEDULES)
        check_range(self, "(0, inf)", "reader_learning_rate")


class AraePairObjective(AraeObjective):
    """The phases of [`AraeObjective`] on unlabelled sentences, as `method` says, then `infer` on labelled pairs.

    The thesis (section 4.6.2) has three systems: the encoder supervised, an autoencoder beside it "similar to the
    setting explored in Dai and Le [2015]", and an ARAE. How the losses were joined it leaves open; here they take
    turns, each with an optimizer of its own, and an earlier stage on sentences alone may come before.

    Batches: `input_ids`, `attention_mask` `(batch, sequence)` of sentences; `pair_input_ids` `(pairs, sequence)` and
    `pair_labels` `(pairs,)`, see [`~hf_arae.data.pair_batches.SentencesWithPairs`].

    Args:
        model: an [`AraeForSequenceClassification`].
        settings: see [`AraePairObjectiveArguments`].
    """

    def __init__(self, model: AraeForSequenceClassification, settings: AraePairObjectiveArguments | None = None):
        super().__init__(model.arae, settings or AraePairObjectiveArguments())
        self.pair_model = model

    def parameters(self, player: str) -> list[nn.Parameter]:
        if player != "reader":
            return super().parameters(player)
        # embeddings[0] is the encoder's table, and the decoder's too if they share one.
        parts = (self.model.embeddings[0], self.model.encoder, self.pair_model.pair_classifier)
        return [parameter for part in parts for parameter in part.parameters() if parameter.requires_grad]

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        return super().optimizers() | {
            "reader": OptimizerSettings("adam", s.reader_learning_rate, schedule=s.reader_schedule)
        }

    def phases(self) -> tuple[Phase, ...]:
        s = self.settings
        phases = super().phases()
        unlabelled = {"supervised": (), "ae": phases[:1], "arae": phases}[s.method]
        return (*unlabelled, Phase("reader", "reader", self.infer, max_grad_norm=s.max_grad_norm))

    def infer(self, batch: Batch) -> Terms:
        """-log p(label | pair), mean over pairs (nats), and the `accuracy` (share) before the update."""
        output = self.pair_model(batch["pair_input_ids"], labels=batch["pair_labels"])
        accuracy = (output.logits.argmax(1) == batch["pair_labels"]).float().mean()
        return {"loss": output.loss, "accuracy": accuracy}


__all__ = ["AraePairObjective", "AraePairObjectiveArguments"]
