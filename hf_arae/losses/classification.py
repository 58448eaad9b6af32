"""The game of a classifier and an encoder whose codes are not to tell the label."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


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
