"""The network of a task with graphs: word vectors, mixer, recurrent states, attention between the texts of a pair."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from hf_arae.models.glomo.configuration_glomo import GlomoConfig
from hf_arae.nn.graph_mixer import GraphMixer


class GraphTaskNetwork(nn.Module):
    """Reads texts, or pairs of them, into a state for each token.

    Args:
        config: see [`GlomoConfig`]; with `graph="none"` there is no mixer.
    """

    def __init__(self, config: GlomoConfig):
        super().__init__()
        width, hidden = config.task_embedding_size or config.hidden_size, config.task_hidden_size
        self.begin = config.bos_token_id
        self.embeddings = nn.Embedding(config.vocab_size, width, padding_idx=config.pad_token_id)
        self.dropout = nn.Dropout(config.task_dropout)
        self.mixers = nn.ModuleDict()
        width = self._mixed_width("embeddings", width, config)
        between = config.task_dropout if config.task_layers > 1 else 0.0
        self.rnn = nn.GRU(width, hidden, config.task_layers, batch_first=True, bidirectional=True, dropout=between)
        width = self._mixed_width("states", 2 * hidden, config)
        self.attention = None
        if config.task_attention:
            self.attention = nn.Linear(width, width, bias=False)
            self.merge = nn.Linear(4 * width, 2 * hidden)
            self.reader = nn.GRU(2 * hidden, hidden, batch_first=True, bidirectional=True)
            width = 2 * hidden
        self.output_size = width

    def _mixed_width(self, place: str, width: int, config: GlomoConfig) -> int:
        if config.graph == "none" or config.mix_at not in (place, "both"):
            return width
        self.mixers[place] = GraphMixer(
            width,
            config.num_graph_layers,
            config.num_heads,
            weights=config.mixture_weights,
            num_mixtures=config.num_mixtures,
            gate_size=config.gate_size,
            dropout=config.task_dropout,
        )
        return self.mixers[place].output_width

    def forward(self, input_ids: Tensor, mask: Tensor, layer_graphs: Iterable[Tensor]) -> Tensor:
        """States of tokens, `(batch, T, output_size)`; those of padding mean nothing.

        Args:
            input_ids: `(batch, T)`, padded on the right.
            mask: `(batch, T)` bool, false for padding.
            layer_graphs: see `GraphMixer`; may be gone through again.
        """
        states = self._mixed("embeddings", self.dropout(self.embeddings(input_ids)), mask, layer_graphs)
        states = self.dropout(_read(self.rnn, states, mask))
        states = self._mixed("states", states, mask, layer_graphs)
        if self.attention is not None:
            texts = (input_ids == self.begin).cumsum(1)
            others = (texts.unsqueeze(2) != texts.unsqueeze(1)) & mask.unsqueeze(1)
            scores = self.attention(states) @ states.transpose(1, 2) * states.shape[2] ** -0.5
            weights = scores.masked_fill(~others, torch.finfo(scores.dtype).min).softmax(2)
            drawn = weights.masked_fill(~others, 0.0) @ states
            joined = torch.cat([states, drawn, states * drawn, states - drawn], 2)
            states = self.dropout(_read(self.reader, self.merge(joined).relu(), mask))
        return states

    def _mixed(self, place: str, states: Tensor, mask: Tensor, layer_graphs: Iterable[Tensor]) -> Tensor:
        return self.mixers[place](states, layer_graphs, mask) if place in self.mixers else states


def _read(rnn: nn.GRU, units: Tensor, mask: Tensor) -> Tensor:
    """States of both directions, `(batch, T, 2 * hidden)`, neither of which begins in the padding."""
    lengths = mask.sum(1).cpu()
    packed = pack_padded_sequence(units, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=units.shape[1])[0]


__all__ = ["GraphTaskNetwork"]
