"""GLoMo over words: graphs of what each word draws from which other, and features computed along them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.utils import ModelOutput

from hf_arae.models.glomo.configuration_glomo import GlomoConfig
from hf_arae.models.text.example_sentences import example_sentences
from hf_arae.models.text.text_reader import TextReader
from hf_arae.nn.graphs import (
    Affinity,
    CausalConvolutions,
    FeaturePredictor,
    GraphNetwork,
    allowed_edges,
    column_counts,
)


@dataclass
class GlomoOutput(ModelOutput):
    """Output of [`GlomoModel`].

    Args:
        last_hidden_state: `(batch, T, 2 * hidden_size)`: the top features of the forward network, then those of the
            backward one; zero at padding.
        graphs: `(batch, 2, layers, heads, T, T)` if they were asked for, see `GlomoModel.graphs`.
        hidden_states: the same as `last_hidden_state` of every layer, the embeddings first, if they were asked for.
    """

    last_hidden_state: Tensor | None = None
    graphs: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None


@dataclass
class Reading:
    """Sequences in the order in which one direction reads them: tokens first, padding last.

    Args:
        ids: `(batch, T)`.
        mask: `(batch, T)` bool, false for padding.
        allowed: edges that there may be, see `allowed_edges`.
        order: `(batch, T)`, the place in the sequence of each of them; `None`: the sequence's own.
    """

    ids: Tensor
    mask: Tensor
    allowed: Tensor
    order: Tensor | None

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


class GlomoModel(TextReader):
    """Latent graphs over the units of a sequence (thesis, section 7.3), in both directions of reading.

    Sequences are token ids; all but padding are units. Nobody draws from `<bos>` and `<eos>`, which mean the same
    everywhere: every column that has nothing better to do would hang on them. The forward network sees, at
    each unit, that unit and those before it; the backward network is another one, on the mirrored sequence. They share
    the embeddings.

    Args:
        config: see [`GlomoConfig`].
    """

    config: GlomoConfig
    config_class = GlomoConfig
    auto_classes = ("AutoModel",)
    _other_heads = ("decoders",)

    def __init__(self, config: GlomoConfig):
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.forward_network = _network(config)
        self.backward_network = _network(config)
        if type(self) is GlomoModel:
            self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Embeddings of about norm 1; thresholds as the config says; the rest as torch makes it."""
        if isinstance(module, nn.Embedding):
            init.normal_(module.weight, 0.0, self.config.hidden_size**-0.5)
            if module.padding_idx is not None:
                init.zeros_(module.weight[module.padding_idx])
        elif isinstance(module, Affinity):
            module.reset_threshold()
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, (nn.Linear, nn.Conv1d)):
            init.kaiming_uniform_(module.weight, a=5**0.5)
            if module.bias is not None:
                fan_in = module.weight[0].numel()
                init.uniform_(module.bias, -(fan_in**-0.5), fan_in**-0.5)
        elif isinstance(module, (nn.GRUCell, nn.GRU)):
            for parameter in module.parameters():
                init.uniform_(parameter, -(module.hidden_size**-0.5), module.hidden_size**-0.5)

    # Graphs

    def graphs(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """All graphs of sequences; see `layer_graphs` for one layer at a time, which takes less memory.

        Args:
            input_ids: `(batch, T)`, padded on either side.
            attention_mask: 1 for units, 0 for padding; derived from the padding token if `None`.

        Returns:
            `(batch, 2, layers, heads, T, T)`: `[:, 0]` of the forward network, `[:, 1]` of the backward one;
            `[..., i, j]` is how much position j draws from position i. A column sums to one, or is all zero: at
            padding, at the first unit (forward) or the last one (backward), and where no score is positive.

        Raises:
            ValueError: a sequence is longer than the config's `context_length` or has no place, or the shapes are
                wrong.
        """
        return torch.stack(list(self.layer_graphs(input_ids, attention_mask)), 2)

    def layer_graphs(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Iterator[Tensor]:
        """The graphs of one layer after another, lowest first, each `(batch, 2, heads, T, T)`; see `graphs`."""
        readings = self._readings(input_ids, attention_mask)
        networks = (self.forward_network, self.backward_network)
        layers = [
            network.graphs(self.embedded(reading.ids), reading.allowed, reading.ids)
            for network, reading in zip(networks, readings, strict=True)
        ]
        return (
            torch.stack([reading.graph_in_place(graph) for graph, reading in zip(pair, readings, strict=True)], 1)
            for pair in zip(*layers, strict=True)
        )

    def embedded(self, input_ids: Tensor) -> Tensor:
        """The units that g and f begin with, `(batch, T, hidden_size)`: embeddings, times the root of their width.

        The table is the decoders' output too, whose scores are to be small before anything is learned; a mean of many
        units is to be seen all the same.
        """
        return self.embeddings(input_ids) * self.config.hidden_size**0.5

    def allowed_edges(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Which edges there may be, `(batch, 2, T, T)` bool; arguments and directions as for `graphs`."""
        readings = self._readings(input_ids, attention_mask)
        return torch.cat([reading.graph_in_place(reading.allowed) for reading in readings], 1)

    @torch.no_grad()
    def sparsity(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> dict[str, float]:
        """How sparse the graphs of sequences are, over all columns that could have an edge.

        Args:
            input_ids, attention_mask: see `graphs`.

        Returns:
            `edges`, the mean number of edges above 1e-3 in a column, the empty ones counted, and `empty_columns`, the
            share of columns without any; both 0 where no column could have one.
        """
        allowed = self.allowed_edges(input_ids, attention_mask).unsqueeze(2).flatten(0, 1)
        totals = torch.zeros(3, device=input_ids.device)
        for graphs in self.layer_graphs(input_ids, attention_mask):
            totals += torch.stack(column_counts(graphs.flatten(0, 1), allowed))
        columns, empty, edges = totals.tolist()
        return {"edges": edges / max(1.0, columns), "empty_columns": empty / max(1.0, columns)}

    def _readings(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> tuple[Reading, Reading]:
        """The sequences as the two networks read them."""
        if input_ids.ndim != 2:
            raise ValueError(f"input_ids must have the shape (batch, sequence), got {tuple(input_ids.shape)}")
        length, longest = input_ids.shape[1], self.config.context_length
        if not length:
            raise ValueError("input_ids hold no token, not even padding")
        if length > longest:
            raise ValueError(
                f"the sequences have {length} tokens, and the model reads {longest} (context_length): cut them, or "
                "give it windows of them"
            )
        mask = input_ids != self.config.pad_token_id if attention_mask is None else attention_mask.bool()
        if mask.shape != input_ids.shape:
            raise ValueError(
                f"attention_mask must have the shape of input_ids, {tuple(input_ids.shape)}, got {tuple(mask.shape)}"
            )
        place = torch.arange(length, device=input_ids.device).expand_as(input_ids)
        found = []
        for backward in (False, True):
            order = torch.where(mask, length - 1 - place if backward else place, length + place).argsort(1)
            there = mask.gather(1, order)
            ids = input_ids.gather(1, order).masked_fill(~there, self.config.pad_token_id)
            own = None if torch.equal(order, place) else order
            allowed = allowed_edges(there, self.config.strict_mask, self.words(ids))
            found.append(Reading(ids, there, allowed, own))
        return tuple(found)

    # transformers' interface

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        output_graphs: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> GlomoOutput | tuple:
        """Computes the features of sequences, along their graphs.

        Args:
            input_ids, attention_mask: see `graphs`.
            output_graphs: return all graphs too.
            output_hidden_states: return the features of every layer too.
            return_dict: a tuple instead of a [`GlomoOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: see `graphs`.
        """
        self._refuse_unknown(kwargs)
        graphs, states = [], []
        readings = self._readings(input_ids, attention_mask)
        for network, reading in zip((self.forward_network, self.backward_network), readings, strict=True):
            graphs.append([])
            units = self.embedded(reading.ids)
            states.append([units])
            for graph, features in network(units, reading.allowed, reading.ids):
                states[-1].append(features)
                if output_graphs:
                    graphs[-1].append(reading.graph_in_place(graph))
            kept = states[-1] if output_hidden_states else states[-1][-1:]
            there = reading.mask.unsqueeze(2)
            states[-1] = [reading.units_in_place(features.masked_fill(~there, 0.0)) for features in kept]
        layers = tuple(torch.cat(pair, 2) for pair in zip(*states, strict=True))
        output = GlomoOutput(
            layers[-1],
            torch.stack([torch.stack(one, 1) for one in graphs], 1) if output_graphs else None,
            layers if output_hidden_states else None,
        )
        return output if return_dict is not False else output.to_tuple()

    @property
    def example_inputs(self) -> dict[str, Tensor]:
        """Small valid inputs of `forward`, the same at each call: `input_ids` and `attention_mask`, `(2, 6)` int64."""
        ids = torch.tensor(example_sentences(self.config), device=self.device)[:, : self.config.context_length]
        return {"input_ids": ids, "attention_mask": (ids != self.config.pad_token_id).long()}

    def get_input_embeddings(self) -> nn.Embedding:
        """The table of words, `(vocab_size, hidden_size)`."""
        return self.embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Puts another table in its place."""
        self.embeddings = value

    def _word_tables(self) -> list[tuple[nn.Module, str]]:
        return [(self.embeddings, "weight")]


def _network(config: GlomoConfig) -> GraphNetwork:
    """g and f of one direction."""
    width, layers, networks = config.hidden_size, [], [None, None]
    if config.graph == "learned":
        kind = (config.sparsity, config.threshold, float(config.threshold_start), config.empty_column)
        count = config.num_graph_layers
        layers = [Affinity(width, config.num_heads, config.head_size, *kind) for _ in range(count)]
        if not config.coupled:
            depths = (config.key_layers, config.query_layers)
            networks = [CausalConvolutions(width, depth, config.kernel_size) for depth in depths]
    features = FeaturePredictor(width, config.compose)
    return GraphNetwork(layers, features, *networks, config.graph, config.num_graph_layers, config.num_heads)


__all__ = ["GlomoModel", "GlomoOutput"]
