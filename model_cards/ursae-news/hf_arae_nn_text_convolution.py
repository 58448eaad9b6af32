# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/nn/text/convolution.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""Convolutional sequence-to-sequence layers (Gehring et al. 2017), with layer normalisation for weight normalisation.

Every block adds to what it reads, normalises its own input and gates its output, so that a stack trains from the
start at the usual rates. Shapes are `(batch, sequence, width)` throughout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class GatedConvolution(nn.Module):
    """Residual block: `x + dropout(glu(convolution(norm(x))))`.

    Args:
        width: feature maps.
        kernel: places that a convolution sees.
        causal: the place itself and those before it; else those around it (one more behind, for an even kernel).
        dropout: in [0, 1).
    """

    def __init__(self, width: int, kernel: int, causal: bool, dropout: float = 0.0):
        super().__init__()
        self.padding = (kernel - 1, 0) if causal else ((kernel - 1) // 2, kernel // 2)
        self.norm = nn.LayerNorm(width)
        self.convolution = nn.Conv1d(width, 2 * width, kernel)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Maps `(batch, sequence, width)` to the same; `mask` `(batch, sequence)`: false places read as zeros."""
        normed = self.norm(inputs)
        if mask is not None:
            normed = normed.masked_fill(~mask.unsqueeze(2), 0.0)
        columns = self.convolution(F.pad(normed.transpose(1, 2), self.padding))
        return inputs + self.dropout(F.glu(columns, dim=1).transpose(1, 2))


class ConvolutionalEncoder(nn.Module):
    """Stack of [`GatedConvolution`] that see both sides.

    Args:
        width, kernel, dropout: see [`GatedConvolution`].
        layers: blocks.
    """

    def __init__(self, width: int, layers: int, kernel: int, dropout: float = 0.0):
        super().__init__()
        self.blocks = nn.ModuleList(GatedConvolution(width, kernel, False, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Returns keys and values, `(batch, sequence, width)` each; a value is its key and the input itself.

        Args:
            inputs: `(batch, sequence, width)`.
            mask: `(batch, sequence)`, false for padding.
        """
        states = inputs
        for block in self.blocks:
            states = block(states, mask)
        keys = self.norm(states)
        return keys, keys + inputs


class ConvolutionalDecoder(nn.Module):
    """Stack of causal [`GatedConvolution`], each followed by attention to an encoder.

    Args:
        width, kernel, dropout: see [`GatedConvolution`].
        layers: blocks.
    """

    def __init__(self, width: int, layers: int, kernel: int, dropout: float = 0.0):
        super().__init__()
        self.blocks = nn.ModuleList(GatedConvolution(width, kernel, True, dropout) for _ in range(layers))
        self.queries = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.outputs = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, inputs: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Returns states `(batch, sequence, width)`; one depends on the inputs up to its place.

        Args:
            inputs: `(batch, sequence, width)`.
            keys, values: the encoder's, `(batch, source, width)`.
            mask: `(batch, source)`, false for padding; true somewhere in each row.
        """
        states = inputs
        for block, query, output, norm in zip(self.blocks, self.queries, self.outputs, self.norms, strict=True):
            states = block(states)
            # The input is in the question, as in the paper: which word was just read.
            read, _ = attend(query(norm(states) + inputs), keys, values, mask)
            states = states + self.dropout(output(read))
        return self.norm(states)


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention.

    Args:
        queries: `(batch, places, width)`.
        keys: `(batch, source, width)`.
        values: `(batch, source, value width)`.
        mask: `(batch, source)`, false where nothing is to be read; true somewhere in each row.

    Returns:
        What was read, `(batch, places, value width)`, and the weights, `(batch, places, source)`, float32 or wider.
    """
    scores = queries @ keys.transpose(1, 2) * keys.shape[-1] ** -0.5
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    weights = scores.masked_fill(~mask.unsqueeze(1), -torch.inf).softmax(-1)
    return weights.to(values.dtype) @ values, weights
