"""What stacked what-where autoencoders keep of images, and where: with other wheres, and as images are moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hf_arae.evaluation.image_pixels import unit_pixels
from hf_arae.metrics.numbers import Number
from hf_arae.models.swwae.modeling_swwae import SwwaeModel, WhatWhere
from hf_arae.nn.image.layer_strings import PoolLayer

AXES = ("horizontal", "vertical")
FIRES = 0.1  # of the greatest what of a map: from here on it fires at an image
_OFTEN = 0.01  # of the images: a map that fires at fewer is left out
_ROWS = 250  # images that a model reads at once

NUMBERS = {
    "psnr_gain": Number(
        "PSNR above that of upsampling (dB)", "By how much `psnr` is higher than without where in the whole training."
    ),
    "ssim_gain": Number("Structural similarity above that of upsampling", "The same of `ssim`."),
    "what_r2": Number(
        "R^2 of the what of moved images",
        "The share of a map's variance over images that its value before the movement explains, as it is; 1: it does "
        "not change.",
    ),
    "where_pixels": Number(
        "Movement of the where along the axis (pixels)",
        "The mean over maps, in pixels of the image; as far as the images were moved, if it moves with them.",
    ),
    "other_axis_pixels": Number(
        "Movement of the where along the other axis (pixels)",
        "The mean over maps of how far, whichever way, along the axis along which nothing was moved; lower is better.",
    ),
    "right_sign_maps": Number(
        "Maps whose where moves as the images do (%)",
        "The share of maps, among those that fire at one image in a hundred, whose mean movement has the right sign.",
    ),
    "right_sign": Number(
        "Places that move as the image does (%)", "The same of single maps at single images, where these fire."
    ),
}


class Pooling(NamedTuple):
    """One pooling of a model.

    Args:
        size: height and width of its squares, in pixels of the maps that it reads.
        before: height and width of these.
        after: those of the maps that it gives.
        stride: pixels of the image that lie between two pixels of the maps that it reads.
    """

    size: int
    before: int
    after: int
    stride: int


def poolings(model: SwwaeModel) -> list[Pooling]:
    """The poolings of a model, the lowest first."""
    found, stride, sizes = [], 1, model.config.sizes
    for layer, before, after in zip(model.config.map_layers, sizes, sizes[1:], strict=False):
        if isinstance(layer, PoolLayer):
            found.append(Pooling(layer.size, before, after, stride))
            stride *= layer.size
    return found


def tells_where(model: torch.nn.Module) -> bool:
    """Whether a model is one whose poolings say where."""
    return isinstance(model, SwwaeModel) and model.config.where != "none" and bool(poolings(model))


def where_coordinates(model: SwwaeModel, where: Tensor, level: int = -1) -> Tensor:
    """The places that a pooling found in its squares, `(batch, maps, 2, height, width)` in [-1, 1], across first.

    Args:
        where: of that pooling, as `encode` gives it.
        level: number of the pooling, the lowest first.

    Raises:
        ValueError: the model's poolings say nothing of where.
    """
    if not tells_where(model):
        raise ValueError(f"the poolings of where={model.config.where!r} do not say where a maximum stood")
    if model.config.where == "phase":
        return where.float()
    pooling = poolings(model)[level]
    down, across = where // pooling.before, where % pooling.before
    places = torch.stack([across, down], 2) % pooling.size
    return 2 * places.float() / (pooling.size - 1) - 1


def middle_wheres(model: SwwaeModel, rows: int) -> tuple[Tensor | None, ...]:
    """Wheres of so many images that say of each maximum that it stood in the middle of its square.

    Of an even number of pixels it is the one above and to the left of the middle, if a place must be a pixel's.
    """
    found: list[Tensor | None] = []
    for pooling, shape in zip(poolings(model), model.where_shapes(rows), strict=True):
        if shape is None:
            found.append(None)
        elif model.config.where == "phase":
            found.append(torch.zeros(shape, device=model.device))
        else:
            lines = torch.arange(pooling.after, device=model.device) * pooling.size + (pooling.size - 1) // 2
            found.append((lines[:, None] * pooling.before + lines).expand(shape).contiguous())
    return tuple(found)


def exchange(model: SwwaeModel, whats: WhatWhere, wheres: WhatWhere) -> Tensor:
    """Images of what each of some images holds, at the places of each of others.

    Args:
        model: whose `encode` gave both.
        whats: of n images.
        wheres: of m images.

    Returns:
        `(n, m, channels, height, width)` in the model's range.
    """
    rows, columns = len(whats.what), len(wheres.what)
    what = whats.what.repeat_interleave(columns, 0)
    where = [None if one is None else one.repeat(rows, *[1] * (one.dim() - 1)) for one in wheres.wheres]
    parts = [None if one is None else one.split(_ROWS) for one in where]
    images = [
        model.decode(part, [None if one is None else one[number] for one in parts])
        for number, part in enumerate(what.split(_ROWS))
    ]
    return torch.cat(images).unflatten(0, (rows, columns))


@torch.no_grad()
def exchange_table(model: SwwaeModel, values: Tensor) -> Tensor:
    """What of one image with where of another, as a table: a row an image whose what it is, a column one whose where.

    Args:
        model: in evaluation mode, whose poolings tell where.
        values: n images as it reads them. They stand above the columns and left of the rows; where both are of one
            image, its reconstruction is seen.

    Returns:
        Pixels in [0, 1], row by row, `((n + 1)^2, channels, height, width)`, the first image being white.
    """
    seen = model.encode(values.to(model.device, model.dtype))
    made = unit_pixels(exchange(model, seen, seen).flatten(0, 1), model.config.value_range)
    own = unit_pixels(values, model.config.value_range)
    below = torch.cat([own[:, None], made.unflatten(0, (len(own), len(own)))], 1).flatten(0, 1)
    return torch.cat([torch.ones_like(own[:1]), own, below])


class Response(NamedTuple):
    """The top pooling of a model at images, a column a map and position, position by position within a map.

    Args:
        what: `(images, columns)`.
        where: `(images, columns, 2)` in [-1, 1], across a row first.
    """

    what: Tensor
    where: Tensor


@torch.no_grad()
def respond(model: SwwaeModel, values: Tensor) -> Response:
    """What and where of the top pooling at images, float32 on the CPU.

    Args:
        model: in evaluation mode.
        values: images as it reads them.

    Raises:
        ValueError: its poolings say nothing of where.
    """
    whats, wheres = [], []
    for part in values.split(_ROWS):
        found = model.encoder(model.normalized(model.check_pixels(part.to(model.device, model.dtype))))
        if not found.whats:
            raise ValueError("the model has no pooling, which would say where")
        whats.append(found.whats[-1].float().flatten(1).cpu())
        where = where_coordinates(model, found.wheres[-1])
        wheres.append(where.transpose(1, 2).flatten(2).transpose(1, 2).cpu())
    return Response(torch.cat(whats), torch.cat(wheres))


def fires(*responses: Response) -> Tensor:
    """Where a map fires at an image as it was and as it was moved, `(images, columns)` of truth values.

    It does if its what is above a tenth of its greatest one at images of the first response.
    """
    least = FIRES * responses[0].what.amax(0)
    found = [(one.what > least) & (one.what > 0) for one in responses]
    return torch.stack(found).all(0)


def shift_numbers(
    model: SwwaeModel, still: Response, moved: Mapping[tuple[str, int], Response]
) -> list[dict[str, float | str]]:
    """How what and where change as images move (thesis, section 6.3.2): invariant the one, equivariant the other.

    Args:
        model: of the responses.
        still: to images.
        moved: to the same images, by axis and pixels by which they were moved: to the right or downwards if positive.

    Returns:
        A row for each movement: `axis`, `pixels`;
        `what_r2`: of a map's what at moved images, the share of its variance over images that its what at the images
            before explains, as it is: 1 where what does not change. Over all maps, each by its variance;
        `where_pixels`: by how many pixels of the image the places move along the axis, a mean over maps that fire at
            one image in a hundred, of means over images at which they do, before and after; `where_shift` is the same
            in units of [-1, 1], and `other_axis_pixels` that along the other axis, whichever way each map moves;
        `maps`: the share (%) of maps that fire so often; `right_sign_maps`: the share (%) of these whose place moves,
            in the mean, the way of the images; `right_sign`: that of single maps at single images.
    """
    pooling, rows = poolings(model)[-1], []
    pixels = pooling.stride * (pooling.size - 1) / 2  # of the image, a unit of [-1, 1]
    for (axis, distance), response in moved.items():
        own = AXES.index(axis)
        spread = (response.what - response.what.mean(0)).square().sum()
        change = (response.what - still.what).square().sum()
        firing = fires(still, response)
        often = firing.sum(0) >= max(1, _OFTEN * len(firing))
        shifts = (response.where - still.where) * firing[..., None]
        means = (shifts.sum(0) / firing.sum(0).clamp_min(1)[:, None])[often].double()
        single = shifts[..., own][firing & often]
        right = torch.sign(torch.tensor(float(distance)))
        rows.append(
            {
                "axis": axis,
                "pixels": distance,
                "what_r2": (1 - change / spread).item(),
                "where_shift": means[:, own].mean().item(),
                "where_pixels": pixels * means[:, own].mean().item(),
                "other_axis_pixels": pixels * means[:, 1 - own].abs().mean().item(),
                "maps": 100 * often.double().mean().item(),
                "right_sign_maps": 100 * (means[:, own].sign() == right).double().mean().item(),
                "right_sign": 100 * (single.sign() == right).double().mean().item(),
            }
        )
    return rows


def shown_map(still: Response, moved: Sequence[Response]) -> int:
    """The column of a response that a picture shows: of those that fire most often, that whose what varies most."""
    often = fires(still, *moved).sum(0)
    most = often >= 0.99 * often.max()
    return int(torch.where(most, still.what.var(0), -1.0).argmax())


__all__ = [
    "AXES",
    "Pooling",
    "Response",
    "exchange",
    "exchange_table",
    "fires",
    "middle_wheres",
    "poolings",
    "respond",
    "shift_numbers",
    "shown_map",
    "tells_where",
    "where_coordinates",
]
