# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/nn/text/token_log_probs.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""Log-probabilities of given words, place by place, without holding all logits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .hf_arae_nn_text_linear_cross_entropy import linear_cross_entropy_by_row

CHUNK_ROWS = 4096  # places whose logits are held at once


def token_log_probs(states: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, ignore_index: int = -100) -> Tensor:
    """`log softmax(states @ weight.T + bias)[target]`, in nats; 0 where the target is `ignore_index`.

    For sums that differ by row; one sum over everything is faster by `linear_cross_entropy`. Logits are made again for
    the gradients.

    Args:
        states: `(..., width)`.
        weight: `(vocabulary, width)`.
        bias: `(vocabulary,)`.
        targets: `(...)` int64.
        ignore_index: target value that is not counted.

    Returns:
        `(...)`, float32 or wider.
    """
    rows, wanted = states.reshape(-1, states.shape[-1]), targets.reshape(-1)
    if not torch.is_grad_enabled():
        keep = (wanted != ignore_index).nonzero().squeeze(1)
        losses = linear_cross_entropy_by_row(rows.index_select(0, keep), weight, bias, wanted.index_select(0, keep))
        return -losses.new_zeros(len(wanted)).index_copy(0, keep, losses).view(targets.shape)
    settings = {"use_reentrant": False, "preserve_rng_state": False}
    pieces = zip(rows.split(CHUNK_ROWS), wanted.split(CHUNK_ROWS), strict=True)
    parts = [checkpoint(_negated, part, weight, bias, goal, ignore_index, **settings) for part, goal in pieces]
    return -torch.cat(parts).view(targets.shape)


def _negated(states: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, ignore_index: int) -> Tensor:
    logits = F.linear(states, weight, bias)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return F.cross_entropy(logits, targets, ignore_index=ignore_index, reduction="none")
