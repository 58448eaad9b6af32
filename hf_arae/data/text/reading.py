"""Batches of texts that are read, and not trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from hf_arae.data.text.cutting import cut_ids


def batches_by_length(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, batch_size: int, device: torch.device
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Yields (row numbers, `input_ids`, `attention_mask`), sentences of like length together, padded on the right.

    Longer ones are cut to the tokenizer's limit.
    """
    limit = tokenizer.model_max_length - 2
    order = sorted(range(len(texts)), key=lambda row: len(texts[row].split()))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        read = tokenizer([texts[row] for row in rows], verbose=False)["input_ids"]
        parts = [torch.tensor(cut_ids(ids, limit)) for ids in read]
        masks = [torch.ones_like(part) for part in parts]
        yield (
            rows,
            pad_sequence(parts, batch_first=True, padding_value=tokenizer.pad_token_id).to(device),
            pad_sequence(masks, batch_first=True).to(device),
        )
