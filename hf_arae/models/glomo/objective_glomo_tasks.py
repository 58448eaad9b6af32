"""How a model of a task with graphs is trained: by its labels, the graph predictor staying as it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from hf_arae.models.glomo.modeling_glomo_tasks import GraphTaskModel
from hf_arae.training.objective import Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range

_LABELS = ("labels", "start_positions", "end_positions")


@dataclass
class GlomoTaskObjectiveArguments:
    """Settings of the objective, each of them a flag."""

    learning_rate: float = field(default=2e-3, metadata={"help": "Adam's highest learning rate, > 0."})
    schedule: str = field(
        default="linear",
        metadata={
            "help": "The learning rate stays (constant), or falls to 0 at once (linear, cosine) or later "
            "(constant_then_linear)."
        },
    )
    max_grad_norm: float = field(default=1.0, metadata={"help": "The norm of the gradient is clipped to this, > 0."})

    def __post_init__(self):
        check_choice(self, "schedule", SCHEDULES)
        check_range(self, "(0, inf)", "learning_rate", "max_grad_norm")


class GlomoTaskObjective(Objective):
    """One phase: the cross-entropy of the labels.

    Batches: `input_ids` and `attention_mask` `(batch, T)`, and the labels as the model's `forward` takes them.

    Args:
        model: a [`GlomoForSequenceClassification`], a [`GlomoForTokenClassification`] or a
            [`GlomoForQuestionAnswering`].
        settings: see [`GlomoTaskObjectiveArguments`].
    """

    players = {"task": ("task",)}

    def __init__(self, model: GraphTaskModel, settings: GlomoTaskObjectiveArguments | None = None):
        super().__init__(model)
        self.settings = settings or GlomoTaskObjectiveArguments()

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        return {"task": OptimizerSettings("adam", s.learning_rate, schedule=s.schedule)}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("task", "task", self.learn, max_grad_norm=self.settings.max_grad_norm),)

    def learn(self, batch: Batch) -> Terms:
        """Mean over all that has a label (nats)."""
        labels = {name: batch[name] for name in _LABELS if name in batch}
        output = self.model(batch["input_ids"], batch["attention_mask"])
        return {"loss": self.mean(*self.model.task_loss(output, **labels))}


__all__ = ["GlomoTaskObjective", "GlomoTaskObjectiveArguments"]
