"""How GLoMo's graphs are learned: from what its features, computed along them, tell of the next units."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from hf_arae.models.glomo.graph_reader import Prediction
from hf_arae.models.glomo.modeling_glomo_pretraining import GlomoForPreTraining
from hf_arae.training.objective import OPTIMIZERS, Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range


@dataclass
class GlomoObjectiveArguments:
    """Settings of the objective, each of them a flag."""

    positions: int = field(
        default=20,
        metadata={
            "help": "So many units of a sequence, drawn anew in each update, predict those that follow; 0: all do."
        },
    )
    optimizer: str = field(default="sgd", metadata={"help": "The model is updated by this optimizer: adam or sgd."})
    learning_rate: float = field(default=8.0, metadata={"help": "The highest learning rate, > 0."})
    momentum: float = field(default=0.2, metadata={"help": "The momentum of sgd, in [0, 1)."})
    schedule: str = field(
        default="constant",
        metadata={
            "help": "The learning rate of the model stays (constant), or falls to 0 at once (linear, cosine) or "
            "later (constant_then_linear)."
        },
    )
    max_grad_norm: float = field(
        default=0.25, metadata={"help": "The norm of the model's gradient is clipped to this, > 0."}
    )

    def __post_init__(self):
        check_choice(self, "optimizer", OPTIMIZERS)
        check_choice(self, "schedule", SCHEDULES)
        check_range(self, "(0, inf)", "learning_rate", "max_grad_norm")
        check_range(self, "[0, 1)", "momentum")
        check_range(self, "[0, inf)", "positions")


class GlomoObjective(Objective):
    """One phase: the mean of both directions' -log p of the next units (equation 7.3).

    Batches: `input_ids` and `attention_mask` `(batch, T)`.

    Logged beside the losses: the share of empty columns among those that could have an edge, and the edges of a
    column.

    Args:
        model: a [`GlomoForPreTraining`].
        settings: see [`GlomoObjectiveArguments`].
    """

    players = {"graphs": ("embeddings", "forward_network", "backward_network", "decoders")}

    def __init__(self, model: GlomoForPreTraining, settings: GlomoObjectiveArguments | None = None):
        super().__init__(model)
        self.settings = settings or GlomoObjectiveArguments()

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        found = OptimizerSettings(s.optimizer, s.learning_rate, momentum=s.momentum, schedule=s.schedule)
        return {"graphs": found}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("graphs", "graphs", self.predict, max_grad_norm=self.settings.max_grad_norm),)

    def predict(self, batch: Batch) -> Terms:
        """The loss, each direction's, and how sparse the graphs are."""
        found = self._predictions(batch)
        terms = {f"{name}_loss": self.mean(part.total, max(1, part.count)) for name, part in found.items()}
        columns, empty, edges = (
            sum(getattr(part, name) for part in found.values()).float() for name in ("columns", "empty", "edges")
        )
        columns = int(columns.clamp(min=1))
        counts = {"empty_columns": self.mean(empty, columns), "edges": self.mean(edges, columns)}
        return {"loss": sum(terms.values()) / len(terms)} | terms | counts

    def _predictions(self, batch: Batch) -> dict[str, Prediction]:
        ids, mask = batch["input_ids"], batch.get("attention_mask")
        mask = ids != self.model.config.pad_token_id if mask is None else mask.bool()
        return self.model.predictions(ids, mask, self._positions(mask))

    def _positions(self, mask: Tensor) -> Tensor | None:
        """Which units predict, `(batch, T)` bool, in the order of reading; all if `None`."""
        count, length = self.settings.positions, self.model.config.context_length
        if not count or self.model.config.predicts != "units":
            return None
        # As wide as any batch, so that a row's draws do not depend on how wide the others make its own. The last unit
        # and padding, which predict nothing, come behind the others and take none of the places.
        rows, width = mask.shape
        drawn = self.rand(torch.empty(rows, length, device=mask.device))[:, :width]
        place = torch.arange(width, device=mask.device)
        ranks = drawn.masked_fill(place >= mask.sum(1, keepdim=True) - 1, 2.0).argsort(1).argsort(1)
        return ranks < count


__all__ = ["GlomoObjective", "GlomoObjectiveArguments"]
