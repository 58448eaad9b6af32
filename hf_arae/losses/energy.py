"""The game of an energy D(x) >= 0, low on real images, and of a generator whose images are to have a low one."""

from __future__ import annotations

import torch
from torch import Tensor

ENERGIES = ("norm", "squared", "mean_squared")


def reconstruction_energy(images: Tensor, reconstructions: Tensor, kind: str = "norm") -> Tensor:
    """How far images are from what an autoencoder makes of them, `(batch,)`, >= 0 (thesis, equation 3.15).

    Args:
        images, reconstructions: `(batch, ...)`, of one shape.
        kind: `"norm"`, the l2 norm over an image; `"squared"`, its square; `"mean_squared"`, that by the numbers of
            an image. Margins are on this scale: a norm of 10 is a mean square of 0.13 for 28 x 28 pixels.
    """
    difference = (reconstructions - images).flatten(1)
    if kind == "norm":
        return torch.linalg.vector_norm(difference, dim=1)
    squares = difference.square()
    return squares.sum(1) if kind == "squared" else squares.mean(1)


def highest_energy(kind: str, num_numbers: int, width: float) -> float:
    """The highest energy that an image can have, every number of it being wrong by the whole width of its range.

    Args:
        kind: as in `reconstruction_energy`.
        num_numbers: pixels times channels.
        width: of the range that pixels and their reconstructions lie in.
    """
    return {"norm": num_numbers**0.5 * width, "squared": num_numbers * width**2, "mean_squared": width**2}[kind]


def energy_hinge(energies: Tensor, margin: float) -> Tensor:
    """Mean of max(0, m - D) over examples, a scalar: what pushes energies of generated images up to the margin.

    The hinge is each example's own: of a batch's mean it would be another loss (thesis, equation 3.1).

    Args:
        energies: of generated images, `(batch,)`.
        margin: m, on the scale of the energies; where it is 0 or below, nothing is pushed.
    """
    return (margin - energies).clamp(min=0).mean()


__all__ = ["ENERGIES", "energy_hinge", "highest_energy", "reconstruction_energy"]
