"""Generators, encoders and decoders of images, dense or convolutional, as plain sequences of layers.

Shapes: a generator maps `(batch, latent_size)` to images, an encoder images to codes `(batch, code size)`, a decoder
codes to images; images are `(batch, channels, size, size)`. A linear layer or convolution has the attribute
`initial_std`, the deviation of its first weights; its bias, if it has one, begins at 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from hf_arae.nn.batch_norm import BatchNorm, ImageBatchNorm
from hf_arae.nn.image.layer_strings import ConvLayer, sizes_down

Shape = tuple[int, int, int]  # channels, height, width
GENERATOR_STD = 0.02  # of convolutional networks' first weights, as published
DISCRIMINATOR_STD = 0.002


def squashed(value_range: str) -> nn.Module:
    """What brings numbers into the range of pixels: `"unit"`, (0, 1), or `"signed"`, (-1, 1)."""
    return nn.Sigmoid() if value_range == "unit" else nn.Tanh()


# Dense


def dense_generator(latent_size: int, sizes: Sequence[int], shape: Shape, batch_norm: bool, last: nn.Module):
    """Hidden layers of the given sizes with ReLU, batch norm before it if wanted, and `last` after the last layer."""
    layers: list[nn.Module] = []
    width = latent_size
    for size in sizes:
        layers += [linear(width, size, bias=not batch_norm), *([BatchNorm(size)] if batch_norm else []), nn.ReLU()]
        width = size
    pixels = shape[0] * shape[1] * shape[2]
    return nn.Sequential(*layers, linear(width, pixels), last, nn.Unflatten(1, shape))


def dense_encoder(shape: Shape, sizes: Sequence[int], batch_norm: bool, dropout: float) -> nn.Sequential:
    """Layers of the given sizes with ReLU, the last of which is the code, and dropout after each.

    Batch norm, if wanted, stands before each ReLU but the first.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    width = shape[0] * shape[1] * shape[2]
    for place, size in enumerate(sizes):
        normed = batch_norm and place > 0
        layers += [linear(width, size, bias=not normed), *([BatchNorm(size)] if normed else []), nn.ReLU()]
        layers += [nn.Dropout(dropout)] if dropout else []
        width = size
    return nn.Sequential(*layers)


def dense_decoder(code_size: int, shape: Shape, last: nn.Module) -> nn.Sequential:
    """One layer, and `last` after it."""
    return nn.Sequential(linear(code_size, shape[0] * shape[1] * shape[2]), last, nn.Unflatten(1, shape))


# Convolutional


def conv_generator(latent_size: int, layers: Sequence[ConvLayer], batch_norm: bool, last: nn.Module) -> nn.Sequential:
    """Transposed convolutions from one pixel on, with ReLU; batch norm, if wanted, after all but the last layer."""
    first, *rest = layers
    begun = nn.ConvTranspose2d(latent_size, first.maps, first.kernel, bias=not (batch_norm and rest))
    parts = [nn.Unflatten(1, (latent_size, 1, 1)), with_std(begun, GENERATOR_STD)]
    if not rest:
        return nn.Sequential(*parts, last)
    parts += [*([ImageBatchNorm(first.maps)] if batch_norm else []), nn.ReLU()]
    return nn.Sequential(*parts, *_growing(first.maps, rest, batch_norm, nn.ReLU(), last, GENERATOR_STD))


def conv_encoder(
    shape: Shape, layers: Sequence[ConvLayer], batch_norm: bool, dropout: float, std: float
) -> nn.Sequential:
    """Convolutions with LeakyReLU(0.2), whose last maps are the code.

    Batch norm, if wanted, stands after all but the first layer, and dropout of whole maps after each.

    Args:
        std: deviation of the first weights.
    """
    parts: list[nn.Module] = []
    maps = shape[0]
    for place, layer in enumerate(layers):
        normed = batch_norm and place > 0
        conv = nn.Conv2d(maps, layer.maps, layer.kernel, layer.stride, layer.padding, bias=not normed)
        parts += [with_std(conv, std), *([ImageBatchNorm(layer.maps)] if normed else []), nn.LeakyReLU(0.2)]
        parts += [nn.Dropout2d(dropout)] if dropout else []
        maps = layer.maps
    return nn.Sequential(*parts, nn.Flatten())


def conv_decoder(
    shape: Shape, layers: Sequence[ConvLayer], batch_norm: bool, last: nn.Module, std: float
) -> nn.Sequential:
    """The mirror image of `conv_encoder`'s layers: transposed, from the code back to the image.

    Batch norm, if wanted, stands after all but the last layer, which gives pixels.

    Args:
        shape: of the images.
        layers: the encoder's.
        std: deviation of the first weights.
    """
    size = sizes_down(tuple(layers), shape[1])[-1]
    maps = [shape[0], *(layer.maps for layer in layers[:-1])]
    mirrored = [ConvLayer(out, layer.kernel, layer.stride) for out, layer in zip(maps, layers, strict=True)][::-1]
    code = layers[-1].maps
    return nn.Sequential(
        nn.Unflatten(1, (code, size, size)), *_growing(code, mirrored, batch_norm, nn.LeakyReLU(0.2), last, std)
    )


def _growing(
    maps: int, layers: Sequence[ConvLayer], batch_norm: bool, between: nn.Module, last: nn.Module, std: float
) -> list[nn.Module]:
    parts: list[nn.Module] = []
    for place, layer in enumerate(layers, 1):
        inner = place < len(layers)
        normed = batch_norm and inner
        options = {"padding": layer.padding, "output_padding": layer.extra, "bias": not normed}
        conv = nn.ConvTranspose2d(maps, layer.maps, layer.kernel, layer.stride, **options)
        parts += [with_std(conv, std), *([ImageBatchNorm(layer.maps)] if normed else []), between if inner else last]
        maps = layer.maps
    return parts


# First weights


def linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A linear layer whose first weights deviate as much as torch's own do."""
    return with_std(nn.Linear(inputs, outputs, bias=bias), (3 * inputs) ** -0.5)


def with_std(layer: nn.Module, std: float) -> nn.Module:
    """The layer, with the deviation of its first weights as its attribute `initial_std`."""
    layer.initial_std = std
    return layer


__all__ = [
    "DISCRIMINATOR_STD",
    "GENERATOR_STD",
    "conv_decoder",
    "conv_encoder",
    "conv_generator",
    "dense_decoder",
    "dense_encoder",
    "dense_generator",
    "linear",
    "squashed",
    "with_std",
]
