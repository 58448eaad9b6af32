"""Small summarizers, and what their summaries are checked with."""

from __future__ import annotations

import torch

from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration

PAD, BOS, EOS, UNK, MASK = range(5)
SIZES = {"vocab_size": 30, "embedding_size": 6, "hidden_size": 8, "reader_size": 5, "conv_size": 10}
SIZES |= {"max_source_length": 12, "max_summary_length": 6, "encoder_layers": 2, "decoder_layers": 2}
IDS = torch.tensor([[BOS, 9, 8, 7, 20, 21, EOS], [BOS, 6, 11, EOS, PAD, PAD, PAD], [BOS, 5, 13, 12, 17, EOS, PAD]])


def make_model(seed=0, spread=4.0, **changes) -> UrsaeForConditionalGeneration:
    """A model in evaluation mode; `spread` sharpens its distributions, which are near uniform at first."""
    torch.manual_seed(seed)
    model = UrsaeForConditionalGeneration(UrsaeConfig(**(SIZES | changes))).eval()
    with torch.no_grad():
        for parameter in (*model.writer.parameters(), *model.reader.parameters()):
            parameter.mul_(spread)
    return model


def words_of(summary: torch.Tensor) -> list[list[int]]:
    """The words of each row, checking the frame around them."""
    rows = []
    for row in summary.tolist():
        end = row.index(EOS)
        assert row[0] == BOS and not any(row[end + 1 :])
        rows.append(row[1:end])
    return rows


def is_compression(words: list[int], source: list[int]) -> bool:
    """Whether the words stand in the source, in this order, between its frame."""
    rest = iter(source[1 : source.index(EOS)])
    return all(word in rest for word in words)
