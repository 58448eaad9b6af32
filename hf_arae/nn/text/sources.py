"""What summarizers check of the sources and the lengths that they are given."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedConfig


def check_sources(input_ids: Tensor, attention_mask: Tensor | None, config: PreTrainedConfig) -> None:
    """Makes sure that each source has a word.

    Args:
        input_ids: `(batch, source)`.
        attention_mask: `(batch, source)`; derived from the padding token if `None`.
        config: has `pad_token_id`, `bos_token_id` and `eos_token_id`, which are no words.

    Raises:
        ValueError: a source has none; its row is named.
    """
    mask = input_ids != config.pad_token_id if attention_mask is None else attention_mask.bool()
    frame = (config.pad_token_id, config.bos_token_id, config.eos_token_id)
    empty = ~(mask & ~torch.isin(input_ids, input_ids.new_tensor(frame))).any(1)
    if empty.any():
        rows = empty.nonzero().flatten().tolist()
        raise ValueError(f"nothing to summarize in row(s) {rows}: no token beside <bos>, <eos> and padding")


def checked_lengths(rows: int, target_length: int | Tensor) -> Tensor:
    """The lengths as one number `()` or one a source `(rows,)`, int64.

    Raises:
        ValueError: they are no whole numbers, or neither one nor one a source.
    """
    lengths = torch.as_tensor(target_length)
    if lengths.is_floating_point() or lengths.dtype == torch.bool or lengths.shape not in ((), (rows,)):
        raise ValueError(
            f"target_length must be a whole number, or one a source, ({rows},); got {lengths.dtype} of shape "
            f"{tuple(lengths.shape)}"
        )
    return lengths.long()


__all__ = ["check_sources", "checked_lengths"]
