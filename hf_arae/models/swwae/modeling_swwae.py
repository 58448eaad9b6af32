"""Stacked what-where autoencoders: a ConvNet whose poolings tell its mirror image where each maximum stood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init
from transformers.modeling_outputs import ImageClassifierOutput
from transformers.utils import ModelOutput

from hf_arae.losses.classification import label_loss
from hf_arae.models.images.image_config import VALUE_RANGES
from hf_arae.models.images.image_model import ImageModel
from hf_arae.models.swwae.configuration_swwae import SwwaeConfig
from hf_arae.nn.batch_norm import reset_batch_norm
from hf_arae.nn.image.networks import linear
from hf_arae.nn.image.what_where import WhatWhereDecoder, WhatWhereEncoder


class WhatWhere(NamedTuple):
    """An image as the model sees it.

    Args:
        what: top maps, `(batch, maps, height, width)`.
        wheres: of each pooling, the lowest first: switches `(batch, maps, height, width)`, integers; phases `(batch,
            maps, 2, height, width)` in [-1, 1], that across a row first; `None` each without a where.
    """

    what: Tensor
    wheres: tuple[Tensor | None, ...]


@dataclass
class SwwaeOutput(ModelOutput):
    """Output of a [`SwwaeModel`].

    Args:
        last_hidden_state: top what, `(batch, positions, maps)`, the positions row by row.
        loss: mean squared error of a normalised pixel, a scalar.
        reconstruction: `(batch, num_channels, image_size, image_size)`, in the config's value range.
        whats: of each pooling, `(batch, maps, height, width)`, the lowest first.
        wheres: see [`WhatWhere`]; `None` if the poolings keep none.
    """

    last_hidden_state: Tensor | None = None
    loss: Tensor | None = None
    reconstruction: Tensor | None = None
    whats: tuple[Tensor, ...] | None = None
    wheres: tuple[Tensor, ...] | None = None


class SwwaeModel(ImageModel):
    """A ConvNet, and a decoder that mirrors it and hears from each pooling where its maxima stood (section 6.2).

    Args:
        config: layers and switches.
    """

    config: SwwaeConfig
    config_class = SwwaeConfig
    draws_images = decodes_codes = False

    def __init__(self, config: SwwaeConfig):
        super().__init__(config)
        layers, channels, normed = config.map_layers, config.num_channels, config.batch_norm
        self.encoder = WhatWhereEncoder(channels, layers, config.where, config.phase_beta, normed)
        self.decoder = WhatWhereDecoder(channels, layers, config.where, normed, config.sizes)
        widths = config.linear_widths
        if widths:
            if config.num_labels < 1:
                raise ValueError(f"layers end in a linear one, for labels, and there are none: {config.layers!r}")
            if widths[-1] != config.num_labels:
                raise ValueError(
                    f"layers end in {widths[-1]} outputs and there are {config.num_labels} labels: write the last "
                    "layer as fc, which has as many as there are labels"
                )
            features = config.top_shape[0] * config.top_shape[1] * config.top_shape[2]
            self.classifier = _dense([features, *widths], config.dropout)
            if config.decode_from == "logits":
                self.mirror = _dense([*reversed(widths), features], 0.0)
        mean, std = config.pixel_mean or [0.0] * channels, config.pixel_std or [1.0] * channels
        self.register_buffer("pixel_mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Normal weights, of each layer's own deviation, and no bias at first; batch norm changes nothing."""
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            init.normal_(module.weight, 0.0, module.initial_std)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            reset_batch_norm(module)
        elif isinstance(module, SwwaeModel):  # a loader leaves what no file holds undefined
            config, channels = module.config, module.config.num_channels
            for name, usual in (("pixel_mean", 0.0), ("pixel_std", 1.0)):
                values = getattr(config, name) or [usual] * channels
                init.copy_(getattr(module, name), torch.tensor(values).view(1, -1, 1, 1))

    # Verbs

    def encode(self, pixel_values: Tensor) -> WhatWhere:
        """Maps images to the top what and the wheres of all poolings."""
        found = self.encoder(self.normalized(self.check_pixels(pixel_values)))
        return WhatWhere(found.what, found.wheres)

    def decode(self, what: Tensor, wheres: Sequence[Tensor | None]) -> Tensor:
        """Maps what and where, of one image or of two, to images in the config's value range.

        Args:
            what: top maps, as of `encode`.
            wheres: of each pooling, as of `encode`; of another image, this one's content moves to its places.

        Raises:
            ValueError: they are not of this model's shapes, types or device, or a switch is no place of its map.
        """
        self._check_what_where(what, wheres)
        return self.as_pixels(self.rebuild(what, wheres)[0])

    def reconstruct(self, pixel_values: Tensor) -> Tensor:
        """What comes back of images."""
        return self.decode(*self.encode(pixel_values))

    def features(self, pixel_values: Tensor) -> Tensor:
        """The top what of images, `(batch, positions, maps)`."""
        return self.encode(pixel_values).what.flatten(2).transpose(1, 2)

    # The same for training: nothing is looked at on the way

    def normalized(self, pixel_values: Tensor) -> Tensor:
        """Pixels as the networks see them: without the mean, divided by the deviation."""
        return (pixel_values - self.pixel_mean.to(pixel_values.dtype)) / self.pixel_std.to(pixel_values.dtype)

    def as_pixels(self, normalized: Tensor) -> Tensor:
        """The way back, cut off at the ends of the range."""
        pixels = normalized * self.pixel_std.to(normalized.dtype) + self.pixel_mean.to(normalized.dtype)
        return pixels.clamp(*VALUE_RANGES[self.config.value_range])

    def classify(self, what: Tensor) -> Tensor:
        """Logits of the labels, `(batch, labels)`, of top maps."""
        return self.classifier(what.flatten(1))

    def rebuild(self, what: Tensor, wheres: Sequence[Tensor | None]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Normalised images, and the decoder's maps that mirror the inputs of the ConvNet's convolutions.

        Args:
            what: top maps.
            wheres: of each pooling, the lowest first.
        """
        if self.config.decode_from == "logits":
            what = F.relu(self.mirror(self.classify(what))).view_as(what)
        return self.decoder(what, wheres)

    # transformers' interface

    def forward(
        self, pixel_values: Tensor, return_dict: bool | None = None, **kwargs
    ) -> SwwaeOutput | tuple[Tensor, ...]:
        """Encodes and decodes.

        Args:
            pixel_values: `(batch, num_channels, image_size, image_size)`, in the config's range.
            return_dict: a tuple instead of a [`SwwaeOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: the images are not of the model's shape or range.
        """
        self._refuse_unknown(kwargs)
        images = self.normalized(self.check_pixels(pixel_values))
        found = self.encoder(images)
        rebuilt = self.rebuild(found.what, found.wheres)[0]
        output = SwwaeOutput(
            found.what.flatten(2).transpose(1, 2),
            F.mse_loss(rebuilt, images),
            self.as_pixels(rebuilt),
            found.whats,
            None if self.config.where == "none" else found.wheres,
        )
        return output.to_tuple() if return_dict is False else output

    def _check_what_where(self, what: Tensor, wheres: Sequence[Tensor | None]) -> None:
        maps = self.config.top_shape
        if not isinstance(what, Tensor) or tuple(what.shape[1:]) != maps:
            found = tuple(what.shape) if isinstance(what, Tensor) else type(what).__name__
            raise ValueError(f"what must be a tensor (batch, {', '.join(map(str, maps))}), got {found}")
        shapes = self.where_shapes(len(what))
        if not isinstance(wheres, Sequence) or not all(where is None or isinstance(where, Tensor) for where in wheres):
            raise ValueError(
                f"wheres must be those of each pooling, a sequence of tensors, got {type(wheres).__name__}"
            )
        found = [None if where is None else tuple(where.shape) for where in wheres]
        if found != shapes:
            raise ValueError(f"wheres must be those of each pooling, of shapes {shapes}, got {found}")
        if what.dtype != self.dtype:
            raise ValueError(f"what must be of the model's type, {self.dtype}, got {what.dtype}")
        below = [size for layer, size in zip(self.config.map_layers, self.config.sizes, strict=False) if layer.pools]
        for where, size in zip(wheres, below, strict=True):
            if where is None:
                continue
            if where.device != what.device:
                raise ValueError(f"wheres must be on the device of what, {what.device}, got {where.device}")
            if self.config.where == "phase":
                if not where.is_floating_point():
                    raise ValueError(f"wheres must be fractions, coordinates in [-1, 1], got {where.dtype}")
            elif where.dtype != torch.int64:
                raise ValueError(f"wheres must be places, of torch.int64, got {where.dtype}")
            elif where.numel() and not (where.min() >= 0 and where.max() < size**2):
                raise ValueError(f"wheres must be places of maps of {size} x {size}, from 0 on; one is none")

    def where_shapes(self, rows: int) -> list[tuple[int, ...] | None]:
        """The shapes of the wheres of so many images; `None` each without a where."""
        config, shapes, maps = self.config, [], 0
        for layer, size in zip(config.map_layers, config.sizes[1:], strict=True):
            if hasattr(layer, "maps"):
                maps = layer.maps
            elif config.where == "none":
                shapes.append(None)
            else:
                shapes.append((rows, maps, *([2] if config.where == "phase" else []), size, size))
        return shapes


class SwwaeForImageClassification(SwwaeModel):
    """The same with its classifier in front: of images it runs the ConvNet alone.

    Args:
        config: whose `layers` end in a linear one.

    Raises:
        ValueError: they do not, or it has another number of outputs than there are labels.
    """

    auto_classes = ("AutoModelForImageClassification",)

    def __init__(self, config: SwwaeConfig):
        if not config.linear_layers:
            raise ValueError(f"a classifier's layers end in a linear one, such as ...-fc; got {config.layers!r}")
        super().__init__(config)

    def forward(
        self,
        pixel_values: Tensor,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> ImageClassifierOutput | tuple[Tensor, ...]:
        """Logits of the labels.

        Args:
            pixel_values: `(batch, num_channels, image_size, image_size)`, in the config's range.
            labels: `(batch,)`, for the mean cross-entropy in nats as the loss; -100: the image has none.
            output_hidden_states: the whats of all poolings too, the lowest first; as the config says, if `None`.
            return_dict: a tuple instead of an `ImageClassifierOutput` if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: the images are not of the model's shape or range, or a label is none of the model's.
        """
        self._refuse_unknown(kwargs)
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        found = self.encoder(self.normalized(self.check_pixels(pixel_values)))
        logits = self.classify(found.what)
        loss = None if labels is None else label_loss(logits, labels)
        output = ImageClassifierOutput(loss, logits, found.whats if output_hidden_states else None)
        return output.to_tuple() if return_dict is False else output


def _dense(widths: Sequence[int], dropout: float) -> nn.Sequential:
    """Dropout, if any, and linear layers with ReLU between them."""
    parts: list[nn.Module] = [nn.Dropout(dropout)] if dropout else []
    for place, (below, above) in enumerate(pairwise(widths)):
        parts += [nn.ReLU()] if place else []
        parts.append(linear(below, above))
    return nn.Sequential(*parts)


__all__ = ["SwwaeForImageClassification", "SwwaeModel", "SwwaeOutput", "WhatWhere"]
