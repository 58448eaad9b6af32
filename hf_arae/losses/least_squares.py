"""The game of a discriminator that gives 1 to what is real and 0 to what is not (Mao et al. 2017)."""

from __future__ import annotations

from torch import Tensor


def distance_to_real(ratings: Tensor) -> Tensor:
    """Half the mean of (D - 1)^2, a scalar: the discriminator's loss on what is real (equation 9).

    It is the loss, too, of a generator whose outputs are to be taken for real.

    Args:
        ratings: of any shape.
    """
    return 0.5 * (ratings - 1).square().mean()


def distance_to_fake(ratings: Tensor) -> Tensor:
    """Half the mean of D^2, a scalar: the discriminator's loss on what is not real.

    Args:
        ratings: of any shape.
    """
    return 0.5 * ratings.square().mean()


__all__ = ["distance_to_fake", "distance_to_real"]
