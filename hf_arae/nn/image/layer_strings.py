"""Networks written as strings: dense ones, `400-400`, and convolutional ones, `(64)4c2s-(128)4c2s`.

The former has two layers of 400 units; the latter a layer of 64 maps by filters of 4 x 4 pixels with a stride of 2,
and one of 128 maps. A string that pools has `2p`, the greatest of each 2 x 2 pixels, between convolutions, and may end
in linear layers: `(64)5c-2p-(64)3c-2p-100fc-10fc`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

_LAYER = re.compile(r"\(([1-9]\d{0,5})\)([1-9]\d{0,2})c(?:([1-9]\d{0,2})s)?")
_POOL = re.compile(r"([1-9]\d{0,2})p")
_LINEAR = re.compile(r"([1-9]\d{0,5})?fc")


@dataclass(frozen=True)
class ConvLayer:
    """One layer.

    Args:
        maps: feature maps that it gives.
        kernel: height and width of its filters, in pixels.
        stride: step of its filters; transposed, the factor by which it makes images larger.
    """

    pools: ClassVar[bool] = False  # a model's code and its config's may hold a copy each of this class

    maps: int
    kernel: int
    stride: int = 1

    @property
    def padding(self) -> int:
        """Pixels of zeros on each side with which a size that the stride divides is divided by it, exactly."""
        return -(-(self.kernel - self.stride) // 2)

    @property
    def extra(self) -> int:
        """Pixels more on one side, with which the transposed layer multiplies a size by the stride, exactly."""
        return (self.kernel - self.stride) % 2

    def __str__(self) -> str:
        return f"({self.maps}){self.kernel}c" + (f"{self.stride}s" if self.stride > 1 else "")


@dataclass(frozen=True)
class PoolLayer:
    """Pooling over squares that do not overlap.

    Args:
        size: height and width of a square, in pixels, >= 2.
    """

    pools: ClassVar[bool] = True

    size: int

    def __str__(self) -> str:
        return f"{self.size}p"


@dataclass(frozen=True)
class LinearLayer:
    """A linear layer over all that comes before.

    Args:
        width: numbers that it gives; `None`: as many as there are labels.
    """

    width: int | None

    def __str__(self) -> str:
        return f"{'' if self.width is None else self.width}fc"


def read_layers(text: str) -> tuple[ConvLayer, ...]:
    """The layers of a string, in order.

    Args:
        text: `(MAPS)KERNELc` or `(MAPS)KERNELcSTRIDEs` a layer, with `-` between them.

    Raises:
        ValueError: names the part that is none, or it is no string.
    """
    layers = []
    _check_string(text, "(64)4c2s-(128)4c2s")
    for place, part in enumerate(text.split("-"), 1):
        found = _LAYER.fullmatch(part.strip())
        if found is None:
            raise ValueError(
                f"layer {place} of {text!r} is {part!r}; a layer is (MAPS)KERNELc or (MAPS)KERNELcSTRIDEs, such as "
                "(64)3c or (64)4c2s, with a - between two"
            )
        layers.append(ConvLayer(int(found[1]), int(found[2]), int(found[3] or 1)))
    return tuple(layers)


def read_pooled(text: str) -> tuple[list[ConvLayer | PoolLayer], list[LinearLayer]]:
    """The layers of a string that pools: convolutions and poolings, and the linear layers that may follow them.

    Args:
        text: `(MAPS)KERNELc`, `SIZEp` or, at the end, `WIDTHfc` a layer, with `-` between them. Kernels are odd, so
            that a convolution keeps the size of its maps, as its mirror image does. The last linear layer may be `fc`,
            with as many outputs as there are labels.

    Raises:
        ValueError: names the part that is none, or stands where it cannot, or it is no string.
    """
    _check_string(text, "(64)5c-2p-(64)3c-2p-10fc")
    maps: list[ConvLayer | PoolLayer] = []
    linear: list[LinearLayer] = []
    parts = [part.strip() for part in text.split("-")]
    for place, part in enumerate(parts, 1):
        here = f"layer {place} of {text!r} is {part!r}"
        conv, pool, full = (kind.fullmatch(part) for kind in (_LAYER, _POOL, _LINEAR))
        if full is not None:
            if full[1] is None and place < len(parts):
                raise ValueError(f"{here}; only the last layer has as many outputs as labels, others name theirs")
            linear.append(LinearLayer(None if full[1] is None else int(full[1])))
        elif conv is None and pool is None:
            raise ValueError(
                f"{here}; a layer is (MAPS)KERNELc, a convolution such as (64)3c, or SIZEp, a pooling such as 2p, or "
                "at the end WIDTHfc, a linear layer such as 10fc, with a - between two"
            )
        elif linear:
            raise ValueError(f"{here}; after a linear layer there are only linear ones")
        elif conv is not None:
            layer = ConvLayer(int(conv[1]), int(conv[2]), int(conv[3] or 1))
            if layer.stride > 1 or layer.kernel % 2 == 0:
                raise ValueError(
                    f"{here}, which has no mirror image that gives back each pixel's place: a convolution between "
                    "poolings has an odd kernel and no stride"
                )
            maps.append(layer)
        elif int(pool[1]) < 2:
            raise ValueError(f"{here}; a pooling is over squares of at least 2 x 2 pixels")
        elif not maps:
            raise ValueError(f"{here}; a network begins with a convolution")
        else:
            maps.append(PoolLayer(int(pool[1])))
    if not maps:
        raise ValueError(f"{text!r} has no convolution")
    return maps, linear


def pooled_sizes(layers: list[ConvLayer | PoolLayer], image_size: int) -> list[int]:
    """Height and width before the first layer and after each; what is left over of a size, a pooling drops.

    Raises:
        ValueError: names the pooling that is larger than its map.
    """
    sizes = [image_size]
    for place, layer in enumerate(layers, 1):
        if layer.pools and layer.size > sizes[-1]:
            raise ValueError(f"layer {place}, {layer}, pools squares larger than its map of {sizes[-1]} x {sizes[-1]}")
        sizes.append(sizes[-1] // layer.size if layer.pools else sizes[-1])
    return sizes


def read_sizes(text: str) -> list[int]:
    """The widths of a string's dense layers, in order.

    Args:
        text: `WIDTH` a layer, with `-` between them.

    Raises:
        ValueError: names the part that is none, or it is no string.
    """
    sizes = []
    _check_string(text, "400-400")
    for place, part in enumerate(text.split("-"), 1):
        if re.fullmatch(r"[1-9]\d{0,5}", part.strip()) is None:
            raise ValueError(
                f"layer {place} of {text!r} is {part!r}; a dense layer is its width, such as 400, with a - between two"
            )
        sizes.append(int(part))
    return sizes


def _check_string(text: str, example: str) -> None:
    if not isinstance(text, str):
        raise ValueError(f"layers are written as a string, such as {example!r}, got {text!r}")


def sizes_down(layers: tuple[ConvLayer, ...], image_size: int) -> list[int]:
    """Height and width before the first layer and after each.

    Raises:
        ValueError: names the layer that cannot divide its input's size by its stride.
    """
    sizes = [image_size]
    for place, layer in enumerate(layers, 1):
        if layer.kernel < layer.stride or 2 * layer.padding >= layer.kernel:
            raise ValueError(f"layer {place}, {layer}, {_BAD_KERNEL}")
        if sizes[-1] % layer.stride:
            raise ValueError(
                f"layer {place}, {layer}, gets {sizes[-1]} x {sizes[-1]} pixels, which its stride does not divide"
            )
        sizes.append(sizes[-1] // layer.stride)
    return sizes


def sizes_up(layers: tuple[ConvLayer, ...], first: int, start: int = 1) -> list[int]:
    """Height and width before the first of some transposed layers and after each.

    Args:
        first: height and width before the first of them.
        start: place of the first of them, for messages.

    Raises:
        ValueError: names the layer that cannot multiply its input's size by its stride.
    """
    sizes = [first]
    for place, layer in enumerate(layers, start):
        if layer.kernel < layer.stride or layer.extra >= layer.stride:
            raise ValueError(f"layer {place}, {layer}, {_BAD_KERNEL}")
        sizes.append(sizes[-1] * layer.stride)
    return sizes


def generator_sizes(layers: tuple[ConvLayer, ...]) -> list[int]:
    """Height and width after each layer of a generator, whose first layer makes its kernel's size of one pixel.

    Raises:
        ValueError: as `sizes_up`, or the first layer has a stride.
    """
    if layers[0].stride > 1:
        raise ValueError(f"layer 1, {layers[0]}, makes an image of one pixel, which takes no stride")
    return sizes_up(layers[1:], layers[0].kernel, start=2)


_BAD_KERNEL = (
    "cannot divide or multiply a size by its stride exactly: its kernel must be at least the stride, and odd where "
    "the stride is 1"
)


__all__ = [
    "ConvLayer",
    "LinearLayer",
    "PoolLayer",
    "generator_sizes",
    "pooled_sizes",
    "read_layers",
    "read_pooled",
    "read_sizes",
    "sizes_down",
    "sizes_up",
]
