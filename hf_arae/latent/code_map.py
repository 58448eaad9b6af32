"""A plane that codes are laid out on, and the way back: which code a place on the plane stands for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class CodeMap:
    """Codes and their places on a plane.

    Args:
        codes: `(rows, width)`.
        places: `(rows, 2)`, by any method that lays codes out; [`principal_map`] is one.
    """

    codes: Tensor
    places: Tensor

    def codes_at(self, places: Tensor) -> Tensor:
        """Returns a code for any place, `(places, width)`.

        It is the mean of all codes, each weighted by the inverse fourth power of its distance on the plane (Shepard
        1968), and has the weighted mean of their lengths: so a code's own place gives that code, what lies between two
        gives what lies between their codes, and codes of length 1 give codes of length 1, which the decoder knows.

        Args:
            places: `(places, 2)`, finite.

        Raises:
            ValueError: the shape is wrong, or a number is not finite.
        """
        if places.ndim != 2 or places.shape[1] != 2:
            raise ValueError(f"places must have the shape (places, 2), got {tuple(places.shape)}")
        if not places.isfinite().all():
            raise ValueError("places must be finite")
        distances = torch.cdist(places.double(), self.places.double())
        # Ratios to the nearest, so that no power overflows; rows at distance 0 share all of the weight.
        nearest = distances.amin(1, keepdim=True)
        ratios = torch.where(nearest > 0, nearest / distances, (distances == 0).double())
        weights = ratios**4 / (ratios**4).sum(1, keepdim=True)
        codes = self.codes.double()
        mixed, lengths = weights @ codes, weights @ codes.norm(dim=1, keepdim=True)
        # Codes that cancel each other out have no direction to stretch.
        mixed = mixed * (lengths / mixed.norm(dim=1, keepdim=True).clamp(min=1e-12))
        return mixed.to(self.codes.dtype)


def principal_map(codes: Tensor) -> CodeMap:
    """Lays codes out by their two principal components.

    Which way is up is settled: on each axis the code that lies farthest out lies on the positive side.

    Args:
        codes: `(rows, width)`, at least 3 rows and 2 columns.

    Raises:
        ValueError: there are too few rows or columns, or all codes are the same.
    """
    if codes.ndim != 2 or len(codes) < 3 or codes.shape[1] < 2:
        raise ValueError(f"a map needs at least 3 codes of width 2 or more, got {tuple(codes.shape)}")
    centred = codes.double() - codes.double().mean(0)
    if centred.norm(dim=1).max() < 1e-6:
        raise ValueError("a map needs codes that differ, but all of them are the same")
    axes = torch.linalg.svd(centred, full_matrices=False).Vh[:2]
    places = centred @ axes.T
    farthest = places.gather(0, places.abs().argmax(0, keepdim=True))
    return CodeMap(codes, (places * farthest.sign()).to(codes.dtype))


__all__ = ["CodeMap", "principal_map"]
