"""What models with latent graphs share, whatever their units are: words, or the pixels and patches of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.utils import ModelOutput

from hf_arae.models.base import FamilyModel
from hf_arae.models.glomo.graph_config import GraphConfig
from hf_arae.nn.graph_mixer import GraphMixer
from hf_arae.nn.graphs import Affinity, FeaturePredictor, GraphNetwork, column_counts

DIRECTIONS = ("forward", "backward")


@dataclass
class GlomoOutput(ModelOutput):
    """Output of a [`GraphReader`].

    Args:
        last_hidden_state: `(batch, T, 2 * hidden_size)`: the top features of the forward network, then those of the
            backward one; zero at padding.
        graphs: `(batch, 2, layers, heads, T, T)` if they were asked for, see `graphs`.
        hidden_states: the same as `last_hidden_state` of every layer, the embeddings first, if they were asked for.
    """

    last_hidden_state: Tensor | None = None
    graphs: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None


@dataclass
class Reading:
    """Sequences in the order in which one direction reads them: units first, padding last.

    Args:
        names: `(batch, T)` int64, which tell units apart; token ids, of texts.
        mask: `(batch, T)` bool, false for padding.
        allowed: edges that there may be, see `allowed_edges`.
        order: `(batch, T)`, the place in the sequence of each of them; `None`: the sequence's own.
    """

    names: Tensor
    mask: Tensor
    allowed: Tensor
    order: Tensor | None = None

    def units_in_place(self, units: Tensor) -> Tensor:
        """`(batch, T, width)` in the sequence's own order."""
        if self.order is None:
            return units
        return units.gather(1, self.order.argsort(1).unsqueeze(2).expand_as(units))

    def graph_in_place(self, graph: Tensor) -> Tensor:
        """`(batch, heads, T, T)` in the sequence's own order."""
        if self.order is None:
            return graph
        back = self.order.argsort(1)
        rows = graph.gather(2, back[:, None, :, None].expand_as(graph))
        return rows.gather(3, back[:, None, None, :].expand_as(graph))


@dataclass
class Along:
    """What one direction makes of sequences.

    Args:
        direction: its name.
        reading: the sequences.
        features: the top ones, `(batch, T, width)`, in the order of reading.
        columns, empty, edges: counts of its graphs' columns and edges, see `column_counts`; scalars.
    """

    direction: str
    reading: Reading
    features: Tensor
    columns: Tensor
    empty: Tensor
    edges: Tensor


@dataclass
class Prediction:
    """What one direction says of a batch.

    Args:
        total: -log p in nats, summed over what is predicted; a scalar.
        count: how much that is.
        columns, empty, edges: see [`Along`].
    """

    total: Tensor
    count: int
    columns: Tensor
    empty: Tensor
    edges: Tensor


class GraphReader(FamilyModel):
    """Base of models with two networks, of which each computes graphs and features: `forward_network`, which reads
    sequences from their beginning, and `backward_network`, from their end.

    A subclass says how its inputs become two [`Reading`]s, and how the units of these are embedded.
    """

    forward_network: GraphNetwork
    backward_network: GraphNetwork

    def units_of(self, reading: Reading) -> Tensor:
        """The units that g and f begin with, `(batch, T, hidden_size)`, in the order of reading."""
        raise NotImplementedError

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Thresholds as the config says; the rest as torch makes it."""
        if isinstance(module, Affinity):
            module.reset_threshold()
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            init.kaiming_uniform_(module.weight, a=5**0.5)
            if module.bias is not None:
                fan_in = module.weight[0].numel()
                init.uniform_(module.bias, -(fan_in**-0.5), fan_in**-0.5)
        elif isinstance(module, (nn.GRUCell, nn.GRU)):
            for parameter in module.parameters():
                init.uniform_(parameter, -(module.hidden_size**-0.5), module.hidden_size**-0.5)

    @property
    def networks(self) -> tuple[GraphNetwork, GraphNetwork]:
        """Of the two directions, as their names are listed in `DIRECTIONS`."""
        return self.forward_network, self.backward_network

    def layers_of(self, readings: Sequence[Reading]) -> Iterator[Tensor]:
        """The graphs of one layer after another, lowest first, each `(batch, 2, heads, T, T)`."""
        layers = [
            network.graphs(self.units_of(reading), reading.allowed, reading.names)
            for network, reading in zip(self.networks, readings, strict=True)
        ]
        return (
            torch.stack([reading.graph_in_place(graph) for graph, reading in zip(pair, readings, strict=True)], 1)
            for pair in zip(*layers, strict=True)
        )

    def edges_of(self, readings: Sequence[Reading]) -> Tensor:
        """Which edges there may be, `(batch, 2, T, T)` bool."""
        return torch.cat([reading.graph_in_place(reading.allowed) for reading in readings], 1)

    @torch.no_grad()
    def sparsity_of(self, readings: Sequence[Reading]) -> dict[str, float]:
        """How sparse graphs are, over all columns that could have an edge.

        Returns:
            `edges`, the mean number of edges above 1e-3 in a column, the empty ones counted, and `empty_columns`, the
            share of columns without any; both 0 where no column could have one.
        """
        allowed = self.edges_of(readings).unsqueeze(2).flatten(0, 1)
        totals = torch.zeros(3, device=allowed.device)
        for graphs in self.layers_of(readings):
            totals += torch.stack(column_counts(graphs.flatten(0, 1), allowed))
        columns, empty, edges = totals.tolist()
        return {"edges": edges / max(1.0, columns), "empty_columns": empty / max(1.0, columns)}

    def features_of(
        self, readings: Sequence[Reading], output_graphs: bool | None, output_hidden_states: bool | None
    ) -> GlomoOutput:
        """The features along the graphs, in the sequences' own order, and what else is asked for."""
        graphs, states = [], []
        for network, reading in zip(self.networks, readings, strict=True):
            graphs.append([])
            units = self.units_of(reading)
            states.append([units])
            for graph, features in network(units, reading.allowed, reading.names):
                states[-1].append(features)
                if output_graphs:
                    graphs[-1].append(reading.graph_in_place(graph))
            kept = states[-1] if output_hidden_states else states[-1][-1:]
            there = reading.mask.unsqueeze(2)
            states[-1] = [reading.units_in_place(features.masked_fill(~there, 0.0)) for features in kept]
        layers = tuple(torch.cat(pair, 2) for pair in zip(*states, strict=True))
        return GlomoOutput(
            layers[-1],
            torch.stack([torch.stack(one, 1) for one in graphs], 1) if output_graphs else None,
            layers if output_hidden_states else None,
        )

    def along_graphs(self, readings: Sequence[Reading]) -> Iterator[Along]:
        """What each direction makes of sequences, for what is predicted from it."""
        for direction, network, reading in zip(DIRECTIONS, self.networks, readings, strict=True):
            features, counts = self.units_of(reading), reading.names.new_zeros(3)
            for graph, after in network(features, reading.allowed, reading.names):
                counts = counts + torch.stack(column_counts(graph, reading.allowed))
                features = after
            yield Along(direction, reading, features, *counts)


class FrozenPredictor(FamilyModel):
    """Base of models of tasks: a frozen [`GraphReader`] `glomo`, and all that learns in `task`."""

    base_model_prefix = "glomo"
    _own_head = "task"
    _other_heads = ("decoders",)

    def _freeze(self) -> None:
        self.glomo.requires_grad_(False).eval()

    def _after_loading(self) -> None:
        self._freeze()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """As the predictor initialises its own; what a mixer draws counts as it is."""
        if isinstance(module, GraphMixer):
            init.ones_(module.scales)
            if hasattr(module, "logits"):
                init.zeros_(module.logits)
        else:
            self.glomo._init_weights(module)

    def train(self, mode: bool = True) -> FrozenPredictor:
        """As in torch, but the predictor stays in evaluation mode."""
        super().train(mode)
        self.glomo.eval()
        return self


def graph_network(config: GraphConfig, convolutions: type[nn.Module], *shape: int) -> GraphNetwork:
    """g and f of one direction.

    Args:
        config: their sizes.
        convolutions: the class of the key and query networks, made of `(width, layers, kernel_size, *shape)`.
        shape: of the units.
    """
    width, layers, networks = config.hidden_size, [], [None, None]
    if config.graph == "learned":
        kind = (config.sparsity, config.threshold, float(config.threshold_start), config.empty_column)
        count = config.num_graph_layers
        layers = [Affinity(width, config.num_heads, config.head_size, *kind) for _ in range(count)]
        if not config.coupled:
            depths = (config.key_layers, config.query_layers)
            networks = [convolutions(width, depth, config.kernel_size, *shape) for depth in depths]
    features = FeaturePredictor(width, config.compose)
    return GraphNetwork(layers, features, *networks, config.graph, config.num_graph_layers, config.num_heads)


__all__ = [
    "DIRECTIONS",
    "Along",
    "FrozenPredictor",
    "GlomoOutput",
    "GraphReader",
    "Prediction",
    "Reading",
    "graph_network",
]
