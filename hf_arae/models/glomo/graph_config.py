"""What the configs of latent graphs share, whatever their units are."""

from __future__ import annotations

from huggingface_hub.dataclasses import strict

from hf_arae.models.base import FamilyConfig
from hf_arae.nn.graphs import EMPTY_COLUMNS, GRAPHS, SPARSITIES, THRESHOLDS
from hf_arae.utils.validation import LAYERS, WIDTHS, check_choice, check_range

COMPOSITIONS = ("gru", "linear")


@strict
class GraphConfig(FamilyConfig):
    """Sizes of the graph predictor g, the feature predictor f and the decoders, and which parts are left out.

    Args:
        hidden_size: width of the embeddings, of all features and of the decoders; a multiple of `num_heads`.
        num_graph_layers: L, graphs above one another; 1 is the thesis' ablation of the hierarchy.
        num_heads: K, graphs of a layer; each sums its own slice of the features.
        head_size: width of a head's keys and queries.
        key_layers, query_layers: convolutions of the two networks of g.
        kernel_size: units that a convolution sees.
        decoder_layers: of the GRU that predicts them.
        sparsity: how scores become a graph's column: `"squared_relu"` or `"softmax"` (an ablation).
        threshold: the number that is added to a score: `"scalar"`, one a layer (equation 7.1), or `"query"`, one a
            head that depends on the query, as the published code has it.
        threshold_start: what that number begins at; above 0 few columns are empty at first.
        empty_column: a column without a positive score stays `"zero"`, or becomes `"uniform"`.
        compose: how f takes in what a unit draws: `"gru"` or `"linear"`, with a residual (equation 7.2).
        strict_mask: a unit draws nothing from itself; it comes through f all the same.
        coupled: keys and queries are the features of the layer below, not a network of their own (an ablation).
        graph: `"learned"`, or a control in its place: `"uniform"`, `"random"` or `"none"`.
    """

    hidden_size: int = 128
    num_graph_layers: int = 3
    num_heads: int = 4
    head_size: int = 32
    key_layers: int = 2
    query_layers: int = 2
    kernel_size: int = 3
    decoder_layers: int = 2
    sparsity: str = "squared_relu"
    threshold: str = "scalar"
    threshold_start: float | int = 1.0
    empty_column: str = "zero"
    compose: str = "gru"
    strict_mask: bool = True
    coupled: bool = False
    graph: str = "learned"

    def validate_sizes(self):
        check_range(self, WIDTHS, "hidden_size", "head_size", "kernel_size")
        check_range(self, LAYERS, "num_graph_layers", "num_heads", "key_layers", "query_layers", "decoder_layers")
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size must be a multiple of num_heads={self.num_heads}, so that each head has a slice of the "
                f"features; got {self.hidden_size}"
            )

    def validate_threshold(self):
        check_range(self, "(-1000, 1000)", "threshold_start")

    def validate_choices(self):
        check_choice(self, "sparsity", SPARSITIES)
        check_choice(self, "threshold", THRESHOLDS)
        check_choice(self, "empty_column", EMPTY_COLUMNS)
        check_choice(self, "compose", COMPOSITIONS)
        check_choice(self, "graph", GRAPHS)


__all__ = ["GraphConfig"]
