"""Graphs over the units of a sequence (words, pixels): what each unit draws from which other.

Shapes: units `(batch, T, width)`; a graph `(batch, heads, T, T)`, where `graph[..., i, j]` is how much unit j draws
from unit i. A column sums to one, or is zero where nothing is drawn. Which edges there may be at all says a mask of
allowed edges, bool `(batch, 1, T, T)` or what broadcasts to it: whatever order the units have (of reading, of a
raster) is in that mask and in the networks that make keys and queries, and nowhere else.

Source: thesis, section 7.3.1, equation 7.1.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

GRAPHS = ("learned", "uniform", "random", "none")
SPARSITIES = ("squared_relu", "softmax")
THRESHOLDS = ("scalar", "query")
EMPTY_COLUMNS = ("zero", "uniform")
EDGE = 1e-3  # what is weaker is not counted as an edge
_FAINTEST = 1e-12  # a column whose squared scores come to no more than this is empty: its quotient would be noise


def allowed_edges(mask: Tensor, strict: bool = True, sources: Tensor | None = None) -> Tensor:
    """Which edges there may be in sequences that are read from the left.

    Args:
        mask: `(batch, T)` bool, false for padding.
        strict: a unit draws from those before it alone, not from itself.
        sources: `(batch, T)` bool, the units that others may draw from; all if `None`.

    Returns:
        `(batch, 1, T, T)` bool: edges from i to j with i < j (or i <= j), between units that are no padding.
    """
    length = mask.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool, device=mask.device).triu(1 if strict else 0)
    drawn_from = mask if sources is None else mask & sources
    return (drawn_from.unsqueeze(2) & mask.unsqueeze(1) & earlier).unsqueeze(1)


def squared_relu_columns(scores: Tensor, allowed: Tensor) -> Tensor:
    """relu(s)^2 over its sum in the column (equation 7.1); zero in a column without a positive score, never NaN.

    Args:
        scores: `(batch, heads, T, T)`.
        allowed: see `allowed_edges`; others get nothing.
    """
    return _over_sums(_wide(scores).masked_fill(~allowed, 0.0).relu().square())


def softmax_columns(scores: Tensor, allowed: Tensor) -> Tensor:
    """softmax(s) in the column, over what is allowed; zero in a column where nothing is. Arguments as above."""
    scores = _wide(scores)
    weights = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min).softmax(-2)
    return weights.masked_fill(~allowed, 0.0)


def uniform_columns(allowed: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """The same from every unit that is allowed, `(batch, 1, T, T)`; zero where none is."""
    return _over_sums(allowed.to(dtype))


def random_columns(names: Tensor, layer: int, heads: int, allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """Affinities uniform in [0, 1), over their sum in the column: the thesis' random graphs.

    They are scrambled from the units' names, so that a sequence has the same ones wherever it stands, and unit j's
    follow from what is before it and itself.

    Args:
        names: `(batch, T)` int64, which tell units apart, in the order of reading.
        layer, heads: number of the graph, and how many it has.
        allowed: see `allowed_edges`.
        dtype: of the graph.

    Returns:
        `(batch, heads, T, T)`.
    """
    histories = _scrambled(_scrambled(names + 1) * torch.arange(1, names.shape[1] + 1, device=names.device)).cumsum(1)
    numbers = torch.arange(1, heads + 1, device=names.device) + 1000 * layer
    mixed = _scrambled(histories.unsqueeze(2)) + 3 * histories.unsqueeze(1)
    mixed = _scrambled(mixed.unsqueeze(1) + _scrambled(numbers).view(1, -1, 1, 1))
    affinities = (mixed & 0xFFFFFF).to(dtype) / 2**24
    return _over_sums(affinities.masked_fill(~allowed, 0.0))


def _scrambled(numbers: Tensor) -> Tensor:
    """Whole numbers in an order that is hard to guess: rounds of a 31-bit mixer."""
    for factor in (0x45D9F3B, 0x119DE1F3):
        numbers = (numbers & 0x7FFFFFFF) ^ ((numbers & 0x7FFFFFFF) >> 15)
        numbers = numbers * factor
    numbers = numbers & 0x7FFFFFFF
    return numbers ^ (numbers >> 16)


def _wide(scores: Tensor) -> Tensor:
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _over_sums(weights: Tensor) -> Tensor:
    sums = weights.sum(-2, keepdim=True)
    filled = sums > _FAINTEST
    return weights.masked_fill(~filled, 0.0) / sums.masked_fill(~filled, 1.0)


class CausalConvolutions(nn.Module):
    """Convolutions over what comes before: the key or query network of sequences that are read from the left.

    Layer normalisation stands for the batch normalisation of the published code: padding would move a batch's
    statistics.

    Args:
        width: of the units and of all layers.
        layers: convolutions, each followed by the normalisation and ReLU.
        kernel_size: units that a convolution sees, its own and those before it.
    """

    def __init__(self, width: int, layers: int, kernel_size: int):
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, kernel_size) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))

    def forward(self, units: Tensor) -> Tensor:
        """Maps `(batch, T, width)` to the same."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            columns = F.pad(units.transpose(1, 2), (convolution.kernel_size[0] - 1, 0))
            units = norm(convolution(columns).transpose(1, 2)).relu()
        return units


class Affinity(nn.Module):
    """One layer's graphs from keys and queries (equation 7.1).

    The score of an edge is `s_ij = k_i . q_j / sqrt(head_size) + b`; `b` is a number or, with `threshold="query"`, a
    linear function of the query network's output at j, whose weights begin at zero. It begins at `threshold_start`,
    above 0 so that most columns have a positive score before anything is learned. Softmax, which it would not change,
    has none.

    Args:
        width: of keys and queries.
        num_heads: graphs of the layer.
        head_size: width of a head's keys and queries.
        sparsity: `"squared_relu"` or `"softmax"`.
        threshold: `"scalar"` or `"query"`.
        threshold_start: what `b` begins at.
        empty_column: a column without a positive score stays `"zero"`, or becomes `"uniform"` over what is allowed.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        head_size: int,
        sparsity: str = "squared_relu",
        threshold: str = "scalar",
        threshold_start: float = 1.0,
        empty_column: str = "zero",
    ):
        super().__init__()
        self.num_heads, self.head_size = num_heads, head_size
        self.sparsity, self.threshold_start, self.empty_column = sparsity, threshold_start, empty_column
        self.keys = nn.Linear(width, num_heads * head_size, bias=False)
        self.queries = nn.Linear(width, num_heads * head_size, bias=False)
        if sparsity == "squared_relu":
            self.bias = nn.Parameter(torch.empty(1))
            self.by_query = nn.Parameter(torch.empty(1, width)) if threshold == "query" else None
            self.reset_threshold()

    def reset_threshold(self) -> None:
        """Sets `b` to what it begins at."""
        if self.sparsity == "squared_relu":
            init.constant_(self.bias, self.threshold_start)
            if self.by_query is not None:
                init.zeros_(self.by_query)

    def forward(self, keys: Tensor, queries: Tensor, allowed: Tensor) -> Tensor:
        """Returns the graph `(batch, num_heads, T, T)`, in float32 at least.

        Args:
            keys, queries: `(batch, T, width)`.
            allowed: see `allowed_edges`.
        """
        keys, asked = (self._heads(part) for part in (self.keys(keys), self.queries(queries)))
        scores = keys @ asked.transpose(2, 3) * self.head_size**-0.5
        if self.sparsity == "softmax":
            return softmax_columns(scores, allowed)
        scores = scores + self.bias
        if self.by_query is not None:
            scores = scores + F.linear(queries, self.by_query).transpose(1, 2).unsqueeze(2)
        graph = squared_relu_columns(scores, allowed)
        if self.empty_column == "uniform":
            graph = torch.where(graph.any(-2, keepdim=True), graph, uniform_columns(allowed, graph.dtype))
        return graph

    def _heads(self, units: Tensor) -> Tensor:
        return units.unflatten(2, (self.num_heads, self.head_size)).transpose(1, 2)


class FeaturePredictor(nn.Module):
    """f: one step of features along a graph (equation 7.2), the same for all layers.

    Each head's graph sums a slice of the features, `u_t = sum_j graph[j, t] f_j`; then `f_t` becomes `v(u_t, f_t)`.

    Args:
        width: of the features; a multiple of the number of heads.
        compose: `v`: `"gru"`, a GRU cell with state f and input `[u * f, u]`, or `"linear"`, `f + W [u, f]`.
    """

    def __init__(self, width: int, compose: str = "gru"):
        super().__init__()
        self.compose = nn.GRUCell(2 * width, width) if compose == "gru" else nn.Linear(2 * width, width)

    def forward(self, features: Tensor, graph: Tensor) -> Tensor:
        """Returns the features of the next layer, `(batch, T, width)`.

        Args:
            features: `(batch, T, width)`.
            graph: `(batch, heads, T, T)`.
        """
        heads = features.unflatten(2, (graph.shape[1], -1)).transpose(1, 2)
        drawn = (graph.to(heads.dtype).transpose(2, 3) @ heads).transpose(1, 2).flatten(2)
        if isinstance(self.compose, nn.Linear):
            return features + self.compose(torch.cat([drawn, features], 2))
        inputs = torch.cat([drawn * features, drawn], 2).flatten(0, 1)
        return self.compose(inputs, features.flatten(0, 1)).view_as(features)


class GraphNetwork(nn.Module):
    """g and f of one direction of reading.

    Args:
        layers: one [`Affinity`] a graph layer, lowest first; none where graphs are not learned.
        features: f.
        key_network, query_network: map embedded units `(batch, T, width)` to the same, and see no later unit; not the
            same network. Without them keys and queries are the features of the layer below, as in self-attention: g
            and f are then one network ("coupled").
        graph: `"learned"`, or a control: `"uniform"`, `"random"` (see `random_columns`) or `"none"`.
        num_layers, num_heads: of a control.
    """

    def __init__(
        self,
        layers: list[Affinity],
        features: FeaturePredictor,
        key_network: nn.Module | None = None,
        query_network: nn.Module | None = None,
        graph: str = "learned",
        num_layers: int = 1,
        num_heads: int = 1,
    ):
        super().__init__()
        self.key_network, self.query_network = key_network, query_network
        self.layers = nn.ModuleList(layers)
        self.features = features
        self.graph, self.num_layers, self.num_heads = graph, len(layers) or num_layers, num_heads

    def graphs(self, units: Tensor, allowed: Tensor, names: Tensor) -> Iterator[Tensor]:
        """Yields each layer's graph `(batch, heads, T, T)`, lowest first. Arguments as for `forward`."""
        if self.layers and self.key_network is None:
            yield from (graph for graph, _ in self(units, allowed, names))
        else:
            yield from self._graphs(units, allowed, names)

    def forward(self, units: Tensor, allowed: Tensor, names: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields each layer's graph `(batch, heads, T, T)` and the features after it, `(batch, T, width)`, from below.

        Args:
            units: embedded, `(batch, T, width)`, in the order of reading.
            allowed: see `allowed_edges`.
            names: of the units, `(batch, T)` int64, which the graph `"random"` is made of.
        """
        features = units
        if self.layers and self.key_network is None:
            for layer in self.layers:
                graph = layer(features, features, allowed)
                features = self.features(features, graph)
                yield graph, features
        else:
            for graph in self._graphs(units, allowed, names):
                features = self.features(features, graph)
                yield graph, features

    def _graphs(self, units: Tensor, allowed: Tensor, names: Tensor) -> Iterator[Tensor]:
        if self.layers:
            keys, queries = self.key_network(units), self.query_network(units)
            yield from (layer(keys, queries, allowed) for layer in self.layers)
            return
        for number in range(self.num_layers):
            if self.graph == "random":
                yield random_columns(names, number, self.num_heads, allowed, units.dtype)
            else:
                there = allowed if self.graph == "uniform" else torch.zeros_like(allowed)
                yield uniform_columns(there, units.dtype).expand(-1, self.num_heads, -1, -1)


@torch.no_grad()
def column_counts(graph: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What is known of how sparse a graph is, over all columns that could have an edge.

    Args:
        graph: `(batch, heads, T, T)`.
        allowed: see `allowed_edges`.

    Returns:
        The number of columns, of empty ones among them, and of edges above `EDGE` in them; three scalars.
    """
    possible = allowed.any(-2).expand((*graph.shape[:2], -1))
    empty = possible & ~graph.any(-2)
    return possible.sum(), empty.sum(), (graph > EDGE).sum()


__all__ = [
    "EDGE",
    "EMPTY_COLUMNS",
    "GRAPHS",
    "SPARSITIES",
    "THRESHOLDS",
    "Affinity",
    "CausalConvolutions",
    "FeaturePredictor",
    "GraphNetwork",
    "allowed_edges",
    "column_counts",
    "random_columns",
    "softmax_columns",
    "squared_relu_columns",
    "uniform_columns",
]
