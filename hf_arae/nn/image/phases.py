"""Pooling to a soft maximum and a soft place, and the way back, with gradients that are written out.

Thesis, equations 6.3 and 6.4. autograd's own way through these equations takes twice as long and more, and keeps more
memory. Where the channels of maps lie side by side in memory, squares are a view of them, `(batch, height, P, width,
P, maps)`; sums over a square go along one of its sides and then along the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def phase_pool(maps: Tensor, size: int, beta: float) -> tuple[Tensor, Tensor]:
    """Soft maximum and soft place of squares that do not overlap, computed in float32 at least.

    Args:
        maps: `(batch, maps, height, width)`.
        size: P, height and width of a square, at most those of the maps.
        beta: how near the soft maximum is to the hard one, >= 0.

    Returns:
        The soft maximum, `(batch, maps, height // P, width // P)`, and its coordinates in [-1, 1], that across a row
        first, `(batch, maps, 2, height // P, width // P)`.
    """
    if torch.is_grad_enabled() and maps.requires_grad:
        return _Pool.apply(maps, size, beta)
    return _pool(maps, size, beta)[:2]


def phase_unpool(what: Tensor, where: Tensor, size: int, output_size: Sequence[int]) -> Tensor:
    """Spreads each value over the pixels of its square that are next to its place; they share it linearly.

    Args:
        what: `(batch, maps, height, width)`.
        where: `(batch, maps, 2, height, width)`.
        size: P.
        output_size: height and width of the maps; what no square covers is zero.
    """
    if torch.is_grad_enabled() and (what.requires_grad or where.requires_grad):
        return _Unpool.apply(what, where, size, *output_size)
    return _unpool(what, where, size, *output_size)


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, size: int, beta: float) -> tuple[Tensor, Tensor]:
        what, where, shares, total = _pool(maps, size, beta)
        ctx.save_for_backward(maps, what, where, shares, total)
        ctx.size, ctx.beta = size, beta
        return what, where

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_what: Tensor, to_where: Tensor) -> tuple[Tensor, None, None]:
        # w being the shares and z the values: dm/dz = w (1 + beta (z - m)), dp_x/dz = w beta (x - p_x), and so for y
        (maps, what, where, shares, total), size, beta = ctx.saved_tensors, ctx.size, ctx.beta
        kind = shares.dtype
        squares = _squares(maps, size)
        what, to_what = (one.permute(0, 2, 3, 1).to(kind) for one in (what, to_what))
        where, to_where = (one.permute(0, 3, 4, 2, 1).to(kind) for one in (where, to_where))
        to_what, to_where = to_what / total, to_where / total[:, :, :, None]
        to_value, to_place = beta * to_what, beta * to_where
        still = to_what - (to_value * what + (to_place * where).sum(3))
        places = _places(size, still)
        across = still[:, :, :, None] + places[:, None] * to_place[:, :, :, :1]
        found = _new(maps, maps.shape, size)
        for row, place in enumerate(places):
            one = across + (place * to_place[:, :, :, 1])[:, :, :, None]
            one.addcmul_(squares[:, :, row].to(kind), to_value[:, :, :, None])
            _squares(found, size)[:, :, row] = one.mul_(shares[:, :, row])
        return found, None, None


class _Unpool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, what: Tensor, where: Tensor, size: int, height: int, width: int) -> Tensor:
        ctx.save_for_backward(what, where)
        ctx.size = size
        return _unpool(what, where, size, height, width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_maps: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        (what, where), size = ctx.saved_tensors, ctx.size
        kind = _precise(what, where)
        value, places = what.permute(0, 2, 3, 1).to(kind), where.permute(0, 3, 4, 2, 1).to(kind)
        squares = _squares(to_maps, size)
        across, down = (_away(places[:, :, :, axis], size) for axis in (0, 1))
        across_slope, down_slope = _slope(across, size), _slope(down, size)
        across, down = _tent(across), _tent(down)
        whole, slope = torch.zeros_like(across), torch.zeros_like(across)  # sums over the rows of a square
        for row in range(size):
            one = squares[:, :, row].to(kind)
            whole.addcmul_(one, down[:, :, :, row, None])
            slope.addcmul_(one, down_slope[:, :, :, row, None])
        to_place = [_along(whole * across_slope) * value, _along(slope * across) * value]
        to_where = torch.stack(to_place, 3).to(where.dtype).permute(0, 4, 3, 1, 2)
        return _along(whole * across).to(what.dtype).permute(0, 3, 1, 2), to_where, None, None, None


def _pool(maps: Tensor, size: int, beta: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What, where, the shares of the values of each square, and what these sum to."""
    squares = _squares(maps, size).to(_precise(maps))
    peaks = squares[:, :, 0]
    for row in range(1, size):
        peaks = torch.maximum(peaks, squares[:, :, row])
    shares = (squares - peaks.amax(3)[:, :, None, :, None]).mul_(beta).exp_()
    places, rows = _places(size, shares), [shares[:, :, row] for row in range(size)]
    whole, down, value = rows[0], rows[0] * places[0], rows[0] * squares[:, :, 0]
    for row in range(1, size):
        whole = whole + rows[row]
        down = torch.addcmul(down, rows[row], places[row])
        value = torch.addcmul(value, rows[row], squares[:, :, row])
    total = _along(whole)
    where = torch.stack([_along(whole * places[:, None]), _along(down)], 3) / total[:, :, :, None]
    what = (_along(value) / total).to(maps.dtype)
    return what.permute(0, 3, 1, 2), where.permute(0, 4, 3, 1, 2), shares, total


def _unpool(what: Tensor, where: Tensor, size: int, height: int, width: int) -> Tensor:
    kind = _precise(what, where)
    value, places = what.permute(0, 2, 3, 1).to(kind), where.permute(0, 3, 4, 2, 1).to(kind)
    across, down = (_tent(_away(places[:, :, :, axis], size)) for axis in (0, 1))
    across *= value[:, :, :, None]
    found = _new(what, (*what.shape[:2], height, width), size)
    for row in range(size):
        _squares(found, size)[:, :, row] = across * down[:, :, :, row, None]
    return found


def _away(places: Tensor, size: int) -> Tensor:
    """How far the pixels along a side are from a place, in pixels, `(batch, height, width, P, maps)`."""
    return (_places(size, places)[:, None] - places[:, :, :, None]).mul_((size - 1) / 2)


def _tent(away: Tensor) -> Tensor:
    """Each pixel's part of the value."""
    return (1 - away.abs()).clamp_min_(0)


def _slope(away: Tensor, size: int) -> Tensor:
    """How the part grows with the place."""
    return away.sign().mul_(away.abs() <= 1).mul_((size - 1) / 2)


def _squares(maps: Tensor, size: int) -> Tensor:
    """The squares of maps `(batch, maps, height, width)`, a view `(batch, height, P, width, P, maps)`."""
    height, width = (side // size for side in maps.shape[2:])
    whole = maps.permute(0, 2, 3, 1)[:, : height * size, : width * size]
    return whole.unflatten(2, (width, size)).unflatten(1, (height, size))


def _along(sides: Tensor) -> Tensor:
    """The sum along a square's side, `(batch, height, width, maps)`, of `(batch, height, width, P, maps)`."""
    parts = sides.unbind(3)
    return sum(parts[1:], parts[0])


def _new(like: Tensor, shape: Sequence[int], size: int) -> Tensor:
    """Maps to be written into square by square, zero where there is none, with channels side by side in memory."""
    count, maps, height, width = shape
    make = like.new_zeros if height % size or width % size else like.new_empty
    return make((count, height, width, maps)).permute(0, 3, 1, 2)


def _places(size: int, like: Tensor) -> Tensor:
    """Coordinates of a square's pixels along a side, from -1 to 1."""
    return torch.linspace(-1, 1, size, device=like.device, dtype=like.dtype)


def _precise(*tensors: Tensor) -> torch.dtype:
    """What is computed in: float32, or float64 where that is given."""
    return torch.float64 if any(one.dtype == torch.float64 for one in tensors) else torch.float32


__all__ = ["phase_pool", "phase_unpool"]
