"""The loss of a classifier, and the game of one and an encoder whose codes are not to tell the label."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

NO_LABEL = -100  # label of a row that has none, as in the losses of torch and transformers
_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def class_labels(logits: Tensor, labels: Tensor) -> Tensor:
    """Labels as int64.

    Args:
        logits: `(batch, labels)`.
        labels: each row's own, `(batch,)`; -100: it has none.

    Raises:
        ValueError: they are not whole numbers, one a row, or one of them is no label.
    """
    if not isinstance(labels, Tensor) or labels.shape != logits.shape[:1] or labels.dtype not in _WHOLE:
        found = f"{labels.dtype} {tuple(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
        raise ValueError(f"labels must be a tensor of whole numbers of shape ({len(logits)},), got {found}")
    labels, last = labels.long(), logits.shape[1] - 1
    wrong = labels[(labels != NO_LABEL) & ((labels < 0) | (labels > last))]
    if len(wrong):
        raise ValueError(f"labels must lie between 0 and {last}, or be {NO_LABEL}; got {wrong[0].item()}")
    return labels


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy in nats of the rows that have a label, a scalar; 0 where none has one.

    Args:
        logits, labels: see `class_labels`.

    Raises:
        ValueError: see `class_labels`.
    """
    labels, logits = class_labels(logits, labels), logits.float()
    there = (labels != NO_LABEL).any()
    return F.cross_entropy(logits, labels, ignore_index=NO_LABEL) if there else 0 * logits.sum()


def other_labels_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over rows of -log p(another label) in nats, a scalar; with several others the mean over them.

    What the encoder of an ARAE minimises against a classifier of its codes (thesis, section 4.4.2, which has two
    labels).

    Args:
        logits: `(batch, labels)`, of two labels or more.
        labels: each row's own, `(batch,)`.
    """
    log_probs = F.log_softmax(logits, dim=1)  # (batch, labels)
    own = F.one_hot(labels, log_probs.shape[1]).bool()
    return -(log_probs.masked_fill(own, 0).sum(1) / (log_probs.shape[1] - 1)).mean()
