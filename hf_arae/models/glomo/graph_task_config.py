"""What the configs of task models with graphs share: how the graphs are mixed in, and what stands above them."""

from __future__ import annotations

from huggingface_hub.dataclasses import strict

from hf_arae.models.base import FamilyConfig
from hf_arae.nn.graph_mixer import MIXTURE_WEIGHTS
from hf_arae.utils.validation import LAYERS, WIDTHS, check_choice, check_range

PLACES = ("embeddings", "states", "both")


@strict
class MixingConfig(FamilyConfig):
    """How graphs are mixed into the features of a task's model.

    Args:
        mixture_weights: `"conditioned"` on the features, or `"free"`; see `GraphMixer`.
        num_mixtures: mixtures of graphs a direction.
        gate_size: width of what the gate adds to the features; none: their own.
        task_dropout: probability, in [0, 1), of dropping a unit of the features and of what goes into the gate while
            training.
    """

    mixture_weights: str = "conditioned"
    num_mixtures: int = 2
    gate_size: int | None = None
    task_dropout: float | int = 0.2

    def validate_mixtures(self):
        check_choice(self, "mixture_weights", MIXTURE_WEIGHTS)
        check_range(self, LAYERS, "num_mixtures")
        if self.gate_size is not None:
            check_range(self, WIDTHS, "gate_size")

    def validate_task_dropout(self):
        check_range(self, "[0, 1)", "task_dropout")


@strict
class GraphTaskConfig(MixingConfig):
    """Sizes of the model of a task over texts, which the graph predictor's own model has no part of.

    Beside the fields of [`MixingConfig`]:

    Args:
        mix_at: graphs are mixed into the `"embeddings"`, into the recurrent `"states"`, or into `"both"`.
        task_embedding_size: width of the task's word vectors; none: the predictor's, so that they can begin as its.
        task_hidden_size: width of the recurrent states of a direction.
        task_layers: recurrent layers.
        task_attention: each word also draws from those of the other text of a pair, by attention, and another
            recurrent layer reads the result.
    """

    mix_at: str = "embeddings"
    task_embedding_size: int | None = None
    task_hidden_size: int = 64
    task_layers: int = 1
    task_attention: bool = False

    def validate_task_sizes(self):
        check_range(self, WIDTHS, "task_hidden_size")
        check_range(self, LAYERS, "task_layers")
        if self.task_embedding_size is not None:
            check_range(self, WIDTHS, "task_embedding_size")

    def validate_mixing(self):
        check_choice(self, "mix_at", PLACES)


MIXING_FIELDS = tuple(MixingConfig.__annotations__)
TASK_FIELDS = (*MIXING_FIELDS, *GraphTaskConfig.__annotations__)

__all__ = ["MIXING_FIELDS", "TASK_FIELDS", "GraphTaskConfig", "MixingConfig"]
