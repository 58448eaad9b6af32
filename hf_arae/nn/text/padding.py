"""Sentences in one tensor: padding belongs on the right."""

from __future__ import annotations

import torch
from torch import Tensor


def padded_right(input_ids: Tensor, attention_mask: Tensor, padding: int) -> tuple[Tensor, Tensor]:
    """Moves each row's tokens to its beginning, so that a recurrent network reads them and nothing else before.

    Rows that are padded on the left, or whose mask leaves out a token in between, are then read as they would be by
    themselves. What is on the right already comes back as it is.

    Args:
        input_ids: `(batch, sequence)`.
        attention_mask: `(batch, sequence)`: whatever is not 0 stands for a token that is to be read.
        padding: the padding token.

    Returns:
        Token ids and mask, of the same shapes; the mask holds 0 and 1 or, if it came as bool, bool.

    Raises:
        ValueError: the shapes are not `(batch, sequence)` and the same; on a CPU also where a row has no token.
    """
    if torch.jit.is_tracing():  # the graph is for what tokenizers give, and an order of rows costs it an operator
        return input_ids, attention_mask
    if input_ids.ndim != 2:
        raise ValueError(f"input_ids must have the shape (batch, sequence), got {tuple(input_ids.shape)}")
    if attention_mask.shape != input_ids.shape:
        raise ValueError(
            f"attention_mask must have the shape of input_ids, {tuple(input_ids.shape)}, "
            f"got {tuple(attention_mask.shape)}"
        )
    mask = attention_mask.bool()
    if attention_mask.dtype != torch.bool:
        attention_mask = mask.long()  # its sums are lengths, so no other number may stand for a token
    # Elsewhere than on a CPU the questions cost more than the answer: they wait for the device.
    if input_ids.device.type == "cpu":
        empty = ~mask.any(1)
        if empty.any():
            raise ValueError(f"row {int(empty.int().argmax())} of input_ids holds no token")
        if not _holes(mask).any():
            return input_ids, attention_mask
    order = (~mask).int().argsort(dim=1, stable=True)
    moved = attention_mask.gather(1, order)
    return input_ids.gather(1, order).masked_fill(~moved.bool(), padding), moved


def check_padded_right(name: str, mask: Tensor) -> None:
    """Raises ValueError where `mask` `(batch, sequence)`, true for tokens, leaves out a place before a token."""
    if torch.jit.is_tracing():
        return
    holes = _holes(mask.bool()).any(1)
    if holes.any():
        row = int(holes.int().argmax())
        raise ValueError(
            f"{name} must be padded on the right, but row {row} has padding before a token: "
            'set tokenizer.padding_side = "right"'
        )


def words_to_predict(labels: Tensor, padding: int) -> Tensor:
    """What follows each place of `labels` `(batch, sequence)` but the last: `(batch, sequence - 1)`, -100 for none."""
    return labels[:, 1:].masked_fill(labels[:, 1:] == padding, -100)


def padded_after_end(written: Tensor, end: int, padding: int) -> Tensor:
    """Texts `(batch, sequence)` with the padding token at every place after their first `end`."""
    ends = (written == end).int()
    return written.masked_fill(ends.cumsum(1) > ends, padding)


def _holes(mask: Tensor) -> Tensor:
    """Where a token follows what is no token: `(batch, sequence - 1)`."""
    return mask[:, 1:] & ~mask[:, :-1]


__all__ = ["check_padded_right", "padded_after_end", "padded_right", "words_to_predict"]
