"""Ways through a space of vectors: from one point to another, and at random from a point."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

METHODS = ("linear", "spherical")


def interpolation(a: Tensor, b: Tensor, steps: int, method: str = "linear") -> Tensor:
    """Points from each row of `a` to the same row of `b`, both ends included.

    "linear" is (1 - t) a + t b, as in section 4.6.3. "spherical" turns from one direction to the other at an even pace
    while the length changes evenly (Shoemake 1985; White 2016, arXiv:1609.04468): halfway between two draws from
    N(0, I), or between two codes of length 1, linear points are shorter than any that the model has met.

    Args:
        a, b: `(rows, width)`; either may have one row for all of the other.
        steps: points on each way, at least 2.
        method: "linear" or "spherical".

    Returns:
        `(rows, steps, width)`.

    Raises:
        ValueError: too few steps, an unknown method, numbers of rows or widths that do not fit; for "spherical" a row
            of zeros, or two that point in opposite directions, between which there is no shortest arc.
    """
    check_min("steps", steps, 2)
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}; got {method!r}")
    if a.shape[1] != b.shape[1] or (len(a) != len(b) and 1 not in (len(a), len(b))):
        raise ValueError(
            "a and b must be as wide, with as many rows, or one of them with one row: "
            f"{tuple(a.shape)}, {tuple(b.shape)}"
        )
    a, b = torch.broadcast_tensors(a.unsqueeze(1), b.unsqueeze(1))
    t = torch.linspace(0, 1, steps, device=a.device, dtype=a.dtype).view(1, -1, 1)
    if method == "linear":
        return (1 - t) * a + t * b
    lengths = [_lengths(end, name) for end, name in ((a, "a"), (b, "b"))]
    from_, to = a / lengths[0], b / lengths[1]
    apart, together = (from_ - to).norm(dim=-1, keepdim=True), (from_ + to).norm(dim=-1, keepdim=True)
    if (together < 1e-4).any():
        row = int((together < 1e-4).flatten().nonzero()[0])
        raise ValueError(f"row {row} of a and b point in opposite directions: no shortest arc leads between them")
    angle = 2 * torch.atan2(apart, together)  # as the arc cosine, and accurate for small angles
    sine = angle.sin().clamp(min=1e-12)
    near = angle < 1e-3  # the arc is a line, and the sines' ratio loses its digits
    weights = [torch.where(near, w, (w * angle).sin() / sine) for w in (1 - t, t)]
    direction = F.normalize(weights[0] * from_ + weights[1] * to, dim=-1)
    return ((1 - t) * lengths[0] + t * lengths[1]) * direction


def random_walk(start: Tensor, steps: int, angle: float, seed: int | None = 0) -> Tensor:
    """Points of a random walk from each row of `start`, that row first.

    Each step turns the vector by `angle` toward a random direction and keeps its length. So it stays among vectors
    that the model knows: those of N(0, I), which nearly all have one length, and codes on the unit sphere.

    Args:
        start: `(rows, width)`.
        steps: points on each walk, at least 2.
        angle: in radians, above 0 and at most pi.
        seed: of the directions; the same on every device. `None`: they are drawn by torch's own generator.

    Returns:
        `(rows, steps, width)`.

    Raises:
        ValueError: too few steps, an angle out of range, or a row of zeros, which has no direction.
    """
    check_min("steps", steps, 2)
    if not 0 < angle <= math.pi:
        raise ValueError(f"angle must lie above 0 and be at most pi, got {angle}")
    lengths = _lengths(start, "start")
    source = None if seed is None else torch.Generator().manual_seed(seed)
    direction, points = start / lengths, [start]
    for _ in range(steps - 1):
        turn = torch.randn(start.shape, generator=source).to(start)
        turn = F.normalize(turn - (turn * direction).sum(1, keepdim=True) * direction, dim=1)
        direction = F.normalize(math.cos(angle) * direction + math.sin(angle) * turn, dim=1)
        points.append(lengths * direction)
    return torch.stack(points, 1)


def _lengths(points: Tensor, name: str) -> Tensor:
    lengths = points.norm(dim=-1, keepdim=True)
    if not lengths.all():
        raise ValueError(f"row {int((lengths == 0).flatten().nonzero()[0])} of {name} is zero: it has no direction")
    return lengths


def check_min(name: str, given: int, minimum: int) -> None:
    if given < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {given}")


__all__ = ["check_min", "interpolation", "random_walk"]
