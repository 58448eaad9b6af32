"""What the configs of task models with graphs share: how the graphs are mixed in, and what stands above them."""

from __future__ import annotations

from huggingface_hub.dataclasses import strict

from hf_arae.models.base import FamilyConfig
from hf_arae.nn.graph_mixer import MIXTURE_WEIGHTS
from hf_arae.utils.validation import LAYERS, WIDTHS, check_choice, check_range

PLACES = ("embeddings", "states", "both")


@strict
class GraphTaskConfig(FamilyConfig):
    """Sizes of the model of a task, which the graph predictor's own model has no part of.

    Args:
        mix_at: graphs are mixed into the `"embeddings"`, into the recurrent `"states"`, or into `"both"`.
        mixture_weights: `"conditioned"` on the features, or `"free"`; see `GraphMixer`.
        num_mixtures: mixtures of graphs a direction.
        gate_size: width of what the gate adds to the features; none: their own.
        task_embedding_size: width of the task's word vectors; none: the predictor's, so that they can begin as its.
        task_hidden_size: width of the recurrent states of a direction.
        task_layers: recurrent layers.
        task_attention: each word also draws from those of the other text of a pair, by attention, and another
            recurrent layer reads the result.
        task_dropout: probability, in [0, 1), of dropping a unit of the embeddings, of the states and of what goes
            into the gate while training.
    """

    mix_at: str = "embeddings"
    mixture_weights: str = "conditioned"
    num_mixtures: int = 2
    gate_size: int | None = None
    task_embedding_size: int | None = None
    task_hidden_size: int = 64
    task_layers: int = 1
    task_attention: bool = False
    task_dropout: float | int = 0.2

    def validate_task_sizes(self):
        check_range(self, WIDTHS, "task_hidden_size")
        check_range(self, LAYERS, "task_layers", "num_mixtures")
        for name in ("gate_size", "task_embedding_size"):
            if getattr(self, name) is not None:
                check_range(self, WIDTHS, name)

    def validate_task_dropout(self):
        check_range(self, "[0, 1)", "task_dropout")

    def validate_mixing(self):
        check_choice(self, "mix_at", PLACES)
        check_choice(self, "mixture_weights", MIXTURE_WEIGHTS)


TASK_FIELDS = tuple(GraphTaskConfig.__annotations__)

__all__ = ["TASK_FIELDS", "GraphTaskConfig"]
