"""The game of a discriminator D, which gives log-odds of being real, and of what wants to be taken for real."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def taken_for_real(log_odds: Tensor) -> Tensor:
    """Mean of -log D in nats, a scalar: the discriminator's loss on what is real (Goodfellow et al. 2014, equation 1).

    It is the loss, too, of a generator or encoder whose outputs are to be taken for real (the non-saturating one).

    Args:
        log_odds: of being real, of any shape.
    """
    return F.softplus(-log_odds).mean()


def taken_for_fake(log_odds: Tensor) -> Tensor:
    """Mean of -log(1 - D) in nats, a scalar: the discriminator's loss on what is not real.

    Args:
        log_odds: of being real, of any shape.
    """
    return F.softplus(log_odds).mean()
