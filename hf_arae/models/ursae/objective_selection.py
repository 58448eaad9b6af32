"""How a summarizer's word selector is trained: on titles of other documents that tell a like story."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor
from torch.nn import functional as F

from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.training.objective import Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.utils.validation import check_range


@dataclass
class SelectionObjectiveArguments:
    """Settings of the objective, ready for `HfArgumentParser`."""

    learning_rate: float = field(default=2e-3, metadata={"help": "Of Adam, at the start; it falls linearly to 0."})
    max_grad_norm: float = field(default=1.0, metadata={"help": "Clip the gradient norm to this."})

    def __post_init__(self):
        check_range(self, "(0, inf)", "learning_rate", "max_grad_norm")


class SelectionObjective(Objective):
    """One phase: is this word of the article in the title?

    Batches: `input_ids`, `attention_mask` `(batch, sequence)` and `labels` `(batch, sequence)`, 1 for a word that the
    title has.

    Args:
        model: an [`UrsaeForConditionalGeneration`] with a selector.
        settings: see [`SelectionObjectiveArguments`].

    Raises:
        ValueError: the model has no selector.
    """

    players = {"selector": ("selector.members",)}

    def __init__(self, model: UrsaeForConditionalGeneration, settings: SelectionObjectiveArguments | None = None):
        super().__init__(model)
        if model.selector is None:
            raise ValueError("the model has no selector: build it with selector_size above 0")
        self.settings = settings or SelectionObjectiveArguments()

    def optimizers(self) -> dict[str, OptimizerSettings]:
        return {"selector": OptimizerSettings("adam", self.settings.learning_rate, schedule="linear")}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("select", "selector", self.select, max_grad_norm=self.settings.max_grad_norm),)

    def select(self, batch: Batch) -> Terms:
        """Cross-entropy of "the title has it", mean over the words that a summary may have and over the networks."""
        selector = self.model.selector
        words, end = batch["input_ids"][:, 1:], self.model.config.eos_token_id
        mask = batch["attention_mask"][:, 1:].bool() & (words != end)
        log_odds = selector.member_scores(words, mask).float()
        labels: Tensor = batch["labels"][:, 1:].float()
        allowed = selector.allowed(words, mask)
        loss = F.binary_cross_entropy_with_logits(log_odds, labels.expand_as(log_odds), reduction="none")
        total = loss.mean(0).masked_fill(~allowed, 0.0).sum()
        return {"loss": self.mean(total, int(allowed.sum()))}


__all__ = ["SelectionObjective", "SelectionObjectiveArguments"]
