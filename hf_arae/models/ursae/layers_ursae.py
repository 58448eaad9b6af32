"""The reader and the reconstructor of a URSAE."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.utils import ModelOutput

from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.nn.text.convolution import ConvolutionalDecoder, ConvolutionalEncoder, attend
from hf_arae.nn.text.vocabulary import VocabularyProjection


@dataclass
class UrsaeReading(ModelOutput):
    """What the reader knows of the sources before anything is written.

    Args:
        last_hidden_state: keys, `(batch, source, reader_size)`.
        values: `(batch, source, width of the writer's output table)`.
        mask: `(batch, source)`, false for padding.
        input_ids: the sources, `(batch, source)`.
    """

    last_hidden_state: Tensor | None = None
    values: Tensor | None = None
    mask: Tensor | None = None
    input_ids: Tensor | None = None


class Reader(nn.Module):
    """Attention over the source's words, asked by the writer's state (thesis, sections 5.4 and 5.7.1).

    A value is the word's row of the writer's *output* table, times a square matrix that begins as the identity. So to
    attend to a word is to raise its logit, by the row's squared length, from the first update on; this is what lets a
    writer that is frozen be steered to words of the source. `<bos>` has the value 0: to attend to it leaves the
    language model alone. `<eos>` raises the end's logit.

    With `copy_gate` there is a direct way too: an attention of weight a adds a times the gate to the word's logit. The
    rows of an output table are short, and it takes long until the square matrix has grown enough to lift a word above
    a whole vocabulary; the gate does so within a few hundred updates.

    Args:
        config: see [`UrsaeConfig`].
    """

    gate_scale = 10.0  # logits that matter differ by about so much; the gate's parameters stay of the size of 1

    def __init__(self, config: UrsaeConfig):
        super().__init__()
        self.bos_token_id = config.bos_token_id
        value_size = config.embedding_size if config.share_embeddings else config.hidden_size
        self.keys = nn.Conv1d(
            config.embedding_size,
            config.reader_size,
            config.reader_kernel,
            padding=config.reader_kernel // 2,
            bias=False,  # the same for every word of the source: attention would not see it
        )
        self.positions = nn.Embedding(config.max_source_length + 2, config.reader_size)
        self.query = nn.Linear(config.hidden_size, config.reader_size)
        self.value = nn.Parameter(torch.empty(value_size, value_size))
        self.gate = nn.Linear(config.hidden_size, 1) if config.copy_gate else None

    def encode(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Maps embedded words `(batch, source, embedding_size)` to keys `(batch, source, reader_size)`."""
        columns = embedded.masked_fill(~mask.unsqueeze(2), 0.0).transpose(1, 2)
        return self.keys(columns).transpose(1, 2) + self.positions.weight[: embedded.shape[1]]

    def forward(self, states: Tensor, reading: UrsaeReading) -> tuple[Tensor, Tensor]:
        """Returns the read vectors `(batch, places, value_size)` and the weights `(batch, places, source)`.

        Args:
            states: the writer's, `(batch, places, hidden_size)`.
            reading: see [`UrsaeReading`].
        """
        read, weights = attend(self.query(states), reading.last_hidden_state, reading.values, reading.mask)
        return F.linear(read, self.value), weights

    def copy(self, logits: Tensor, states: Tensor, weights: Tensor, reading: UrsaeReading) -> Tensor:
        """Adds the attended words' share to their logits `(batch, places, vocab_size)`, if there is a gate."""
        if self.gate is None:
            return logits
        ids = reading.input_ids.unsqueeze(1)
        shares = self.gate_scale * self.gate(states) * weights.masked_fill(ids == self.bos_token_id, 0.0)
        return logits.scatter_add(2, ids.expand(shares.shape), shares.to(logits.dtype))


class Reconstructor(nn.Module):
    """p_dec: convolutional sequence-to-sequence model from the summary to the source (thesis, section 5.7.1).

    Args:
        config: see [`UrsaeConfig`].
    """

    def __init__(self, config: UrsaeConfig):
        super().__init__()
        self.pad_token_id = config.pad_token_id
        # Tables begin uniform(-0.1, 0.1); times this, their entries are of the size of 1, as normalised states are.
        self.scale = 3**0.5 / 0.1
        width, dropout = config.conv_size, config.reconstructor_dropout
        self.embeddings = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=config.pad_token_id)
        self.widen = nn.Linear(config.embedding_size, width)
        self.summary_positions = nn.Embedding(config.max_summary_length + 2, width)
        self.source_positions = nn.Embedding(config.max_source_length + 2, width)
        self.dropout = nn.Dropout(dropout)
        self.encoder = ConvolutionalEncoder(width, config.encoder_layers, config.encoder_kernel, dropout)
        self.decoder = ConvolutionalDecoder(width, config.decoder_layers, config.decoder_kernel, dropout)
        self.projection = VocabularyProjection(
            width, config.vocab_size, config.embedding_size if config.share_embeddings else None
        )

    def forward(self, summary_ids: Tensor, source_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the operands of the logits of the word after each of the source's, see `VocabularyProjection`.

        Args:
            summary_ids: `(batch, summary)`, padded.
            source_ids: `(batch, source)`.
        """
        mask = summary_ids != self.pad_token_id
        keys, values = self.encoder(self._embed(summary_ids, self.summary_positions), mask)
        states = self.decoder(self._embed(source_ids, self.source_positions), keys, values, mask)
        return self.projection.operands(states, None if hasattr(self.projection, "weight") else self.embeddings.weight)

    def _embed(self, ids: Tensor, positions: nn.Embedding) -> Tensor:
        words = self.widen(self.embeddings(ids) * self.scale)
        return self.dropout(words + positions.weight[: ids.shape[1]] * self.scale)


__all__ = ["Reader", "Reconstructor", "UrsaeReading"]
