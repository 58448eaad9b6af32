"""A small convolutional classifier of sentences (Kim 2014)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SentenceClassifier(nn.Module):
    """Convolutions of several widths over the words, the largest value of each map, and a linear layer.

    Args:
        vocab_size: number of tokens.
        num_labels: number of labels.
        embedding_size: width of the table.
        maps: feature maps of each convolution.
        widths: words that each convolution sees.
        dropout: of the features, in [0, 1).
        padding: the padding token.
    """

    def __init__(
        self,
        vocab_size: int,
        num_labels: int,
        embedding_size: int = 64,
        maps: int = 96,
        widths: tuple[int, ...] = (1, 2, 3, 4),
        dropout: float = 0.5,
        padding: int = 0,
    ):
        super().__init__()
        self.padding = padding
        self.table = nn.Embedding(vocab_size, embedding_size, padding_idx=padding)
        # Padded on both sides, so that a short sentence has a place for the widest, too.
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding_size, maps, width, padding=width - 1) for width in widths
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(len(widths) * maps, num_labels)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Logits `(batch, num_labels)` of sentences `(batch, sequence)`; padding, on the right, changes nothing."""
        words = input_ids != self.padding
        embedded = (self.table(input_ids) * words.unsqueeze(2)).transpose(1, 2)
        lengths = words.sum(1, keepdim=True)
        features = []
        for convolution in self.convolutions:
            maps = convolution(embedded)
            reach = convolution.kernel_size[0] - 1  # places up to this one see a word
            places = torch.arange(maps.shape[2], device=maps.device) < lengths + reach
            features.append(F.relu(maps).masked_fill(~places.unsqueeze(1), 0.0).amax(2))
        return self.output(self.dropout(torch.cat(features, 1)))
