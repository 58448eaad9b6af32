"""Labels of sentences as methods of models take them: one for all or one each, by number."""

from __future__ import annotations

import torch
from torch import Tensor


def attribute_tensor(
    attribute: Tensor | int | None, batch_size: int, num_attributes: int, device: torch.device
) -> Tensor:
    """The labels of a batch, `(batch,)` int64.

    Raises:
        TypeError: a label is no whole number.
        ValueError: there is none, one is out of range, or they are not one for each sentence.
    """
    if attribute is None:
        raise ValueError(f"attribute is needed: this model writes {num_attributes} labels, 0 to {num_attributes - 1}")
    if isinstance(attribute, str) or (isinstance(attribute, (list, tuple)) and str in map(type, attribute)):
        raise TypeError(f"attribute must be ids, which config.label2id has for the labels; got {attribute!r}")
    values = torch.as_tensor(attribute, device=device)
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise TypeError(f"attribute values must be whole numbers, got {values.dtype}")
    if values.shape not in ((), (batch_size,)):
        raise ValueError(
            f"attribute must be one value, or one for each of {batch_size} sentences; got the shape "
            f"{tuple(values.shape)}"
        )
    if ((values < 0) | (values >= num_attributes)).any():
        raise ValueError(f"attribute values must lie in 0..{num_attributes - 1}, got {values.unique().tolist()}")
    return values.long().expand(batch_size) if values.ndim == 0 else values.long()


__all__ = ["attribute_tensor"]
