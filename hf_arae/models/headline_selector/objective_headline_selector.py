"""How a headline selector is trained: on titles of other documents that tell a like story."""

from __future__ import annotations

from dataclasses import dataclass, field

from hf_arae.models.headline_selector.modeling_headline_selector import HeadlineSelectorForTokenClassification
from hf_arae.training.objective import Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.utils.validation import check_range


@dataclass
class HeadlineSelectorObjectiveArguments:
    """Settings of the objective, each of them a flag."""

    learning_rate: float = field(
        default=2e-3, metadata={"help": "Adam's learning rate is this at the start, and falls linearly to 0."}
    )
    max_grad_norm: float = field(default=1.0, metadata={"help": "The norm of the gradient is clipped to this, > 0."})

    def __post_init__(self):
        check_range(self, "(0, inf)", "learning_rate", "max_grad_norm")


class HeadlineSelectorObjective(Objective):
    """One phase: is this word of the article in the title?

    Batches: `input_ids`, `attention_mask` `(batch, sequence)` and `labels` `(batch, sequence)`, 1 for a word that the
    title has.

    Args:
        model: a [`HeadlineSelectorForTokenClassification`].
        settings: see [`HeadlineSelectorObjectiveArguments`].
    """

    players = {"selector": ("selector.members",)}

    def __init__(
        self,
        model: HeadlineSelectorForTokenClassification,
        settings: HeadlineSelectorObjectiveArguments | None = None,
    ):
        super().__init__(model)
        self.settings = settings or HeadlineSelectorObjectiveArguments()

    def optimizers(self) -> dict[str, OptimizerSettings]:
        return {"selector": OptimizerSettings("adam", self.settings.learning_rate, schedule="linear")}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("selector", "selector", self.select, max_grad_norm=self.settings.max_grad_norm),)

    def select(self, batch: Batch) -> Terms:
        """Cross-entropy of "the title has it", mean over the words that a headline may have and over the networks."""
        return {
            "loss": self.mean(*self.model.selection_loss(batch["input_ids"], batch["attention_mask"], batch["labels"]))
        }


__all__ = ["HeadlineSelectorObjective", "HeadlineSelectorObjectiveArguments"]
