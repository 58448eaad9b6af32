"""GLoMo over words: graphs of what each word draws from which other, and features computed along them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from transformers import initialization as init

from hf_arae.models.glomo.configuration_glomo import GlomoConfig
from hf_arae.models.glomo.graph_reader import GlomoOutput, GraphReader, Reading, graph_network
from hf_arae.models.text.example_sentences import example_sentences
from hf_arae.models.text.text_reader import TextReader
from hf_arae.nn.graphs import CausalConvolutions, allowed_edges


class GlomoModel(GraphReader, TextReader):
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
        self.forward_network = graph_network(config, CausalConvolutions)
        self.backward_network = graph_network(config, CausalConvolutions)
        if type(self) is GlomoModel:
            self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Embeddings of about norm 1; thresholds as the config says; the rest as torch makes it."""
        if isinstance(module, nn.Embedding):
            init.normal_(module.weight, 0.0, self.config.hidden_size**-0.5)
            if module.padding_idx is not None:
                init.zeros_(module.weight[module.padding_idx])
        else:
            super()._init_weights(module)

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
        return self.layers_of(self._readings(input_ids, attention_mask))

    def embedded(self, input_ids: Tensor) -> Tensor:
        """The units that g and f begin with, `(batch, T, hidden_size)`: embeddings, times the root of their width.

        The table is the decoders' output too, whose scores are to be small before anything is learned; a mean of many
        units is to be seen all the same.
        """
        return self.embeddings(input_ids) * self.config.hidden_size**0.5

    def units_of(self, reading: Reading) -> Tensor:
        """See the base."""
        return self.embedded(reading.names)

    def allowed_edges(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Which edges there may be, `(batch, 2, T, T)` bool; arguments and directions as for `graphs`."""
        return self.edges_of(self._readings(input_ids, attention_mask))

    def sparsity(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> dict[str, float]:
        """How sparse the graphs of sequences are, over all columns that could have an edge.

        Args:
            input_ids, attention_mask: see `graphs`.

        Returns:
            `edges`, the mean number of edges above 1e-3 in a column, the empty ones counted, and `empty_columns`, the
            share of columns without any; both 0 where no column could have one.
        """
        return self.sparsity_of(self._readings(input_ids, attention_mask))

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
        readings = self._readings(input_ids, attention_mask)
        output = self.features_of(readings, output_graphs, output_hidden_states)
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


__all__ = ["GlomoModel", "GlomoOutput"]
