"""Images to points of a latent space and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from hf_arae.latent.paths import check_min
from hf_arae.latent.points import LatentPoints
from hf_arae.models.images.image_config import VALUE_RANGES
from hf_arae.models.images.image_model import ImageModel

# A picture, an array of one or a file of one, or several; or pixel values `(rows, channels, height, width)`.
Images = Image | np.ndarray | str | Iterable[Image | np.ndarray | str] | Tensor


class ImageNeighbour(NamedTuple):
    """An image near another one.

    Args:
        image: the neighbour, as it was given.
        similarity: cosine of the two codes, in -1..1.
        row: its place among the images that were searched.
    """

    image: Any
    similarity: float
    row: int


class LatentImages(LatentPoints):
    """The latent space of a model of images, see [`~hf_arae.LatentSpace`], which makes it.

    Where it takes images, these are pictures (of PIL, arrays or files), or pixel values as the image processor makes
    them, a tensor of four dimensions; a tensor of two dimensions is one of points.

    Args:
        model: a model of images. It is put in evaluation mode.
        processor: its image processor.
        batch_size: images that are read or made at once.

    Raises:
        ValueError: the processor is not the model's.
    """

    item, one = "image", "an image"

    def __init__(self, model: ImageModel, processor: Any, batch_size: int = 256):
        model.check_processor(processor)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.model, self.processor, self.batch_size = model.eval(), processor, batch_size

    # Between images and vectors

    @property
    def has_generator(self) -> bool:
        """Whether the model makes images of z."""
        return self.model.draws_images

    @torch.no_grad()
    def width(self, space: str = "code") -> int:
        """As the base's; the width of codes that the config does not have is that of a code."""
        if space != "code" or hasattr(self.model.config, "code_size"):
            return super().width(space)
        config = self.model.config
        pixels = torch.zeros(1, config.num_channels, config.image_size, config.image_size)
        return self._codes_of(pixels.to(self.model.device, self.model.dtype)).shape[1]

    def encode(self, images: Images) -> Tensor:
        """Returns the codes of images, `(rows, code size)`, on the model's device.

        Raises:
            ValueError: a picture cannot be read, or pixel values are not the model's.
        """
        return self._read(images, "images")

    def decode(self, points: Tensor, space: str = "code", likeliest: bool = False) -> list[Image]:
        """Makes a picture of each row of `points`, `(rows, width)`.

        Args:
            points: codes or z.
            space: which of them, "code" or "z".
            likeliest: each pixel is black or white, whichever is likelier, where else its value is the probability.

        Raises:
            ValueError: the width is wrong, a value is not finite, there is no such space, or the model has no images
                of it.
        """
        values = self.pixel_values(points, space)
        if likeliest:
            low, high = VALUE_RANGES[self.model.config.value_range]
            values = torch.where(values >= (low + high) / 2, high, low).to(values)
        return self.processor.post_process(values) if len(values) else []

    @torch.no_grad()
    def pixel_values(self, points: Tensor, space: str = "code") -> Tensor:
        """The images of `points` as the model gives them, `(rows, num_channels, image_size, image_size)`.

        The arguments and errors are those of `decode`.
        """
        if space == "code" and not self.model.decodes_codes:
            raise ValueError(f"a {type(self.model).__name__} makes no images of codes alone: give space='z'")
        make = self.model.decode if space == "code" else self.model.images_from_z
        return torch.cat([make(part) for part in self._points(points, space, "points").split(self.batch_size)])

    @torch.no_grad()
    def draw(self, num_samples: int, space: str = "code", seed: int | None = 0) -> Tensor:
        """Draws points of new images, `(num_samples, width)`: z ~ N(0, I), or the codes that the model makes of them.

        Point i of a seed is the same for every number of them.

        Raises:
            ValueError: the model does not know where new images lie (a plain autoencoder), or makes no codes of z.
        """
        check_min("num_samples", num_samples, 1)
        self.width(space)
        if not self.has_generator:
            raise ValueError(f"a {type(self.model).__name__} does not know where codes of new images lie")
        z = self.model.sample_z(num_samples, None if seed is None else torch.Generator().manual_seed(seed))
        return z if space == "z" else self.to_codes(z)

    def sample(self, num_samples: int, seed: int | None = 0, likeliest: bool = False) -> list[Image]:
        """Makes new images from drawn z, see `draw`."""
        return self.decode(self.draw(num_samples, "z", seed), "z", likeliest)

    # Arithmetic

    def arithmetic(
        self,
        base: Images | Tensor,
        minus: Images | Tensor,
        plus: Images | Tensor,
        space: str = "code",
        likeliest: bool = False,
    ) -> list[Image]:
        """Moves each row of `base` by `offset(minus, plus)` and makes the image there.

        Args:
            base, minus, plus: images or points; see `offset`.
            space: "code" or "z".
            likeliest: see `decode`.
        """
        return self.decode(self._points(base, space, "base") + self.offset(minus, plus, space), space, likeliest)

    # Inside

    def _is_points(self, given: Any) -> bool:
        return isinstance(given, Tensor) and given.dim() != 4

    @torch.no_grad()
    def _read(self, given: Images | Sequence[Tensor], name: str) -> Tensor:
        if not self.model.rebuilds_images:
            raise ValueError(f"a {type(self.model).__name__} has no codes of images, so {name} must be z")
        if isinstance(given, Tensor):
            values = given
        else:
            single = isinstance(given, (Image, str)) or (isinstance(given, np.ndarray) and given.ndim < 4)
            pictures = [given] if single else list(given)
            if not pictures:
                return torch.empty(0, self.width(), device=self.model.device, dtype=self.model.dtype)
            values = self.processor(images=pictures, return_tensors="pt")["pixel_values"]
        values = self.model.check_pixels(values).to(self.model.device, self.model.dtype)
        return torch.cat([self._codes_of(part) for part in values.split(self.batch_size)])

    def _codes_of(self, pixel_values: Tensor) -> Tensor:
        return self.model.features(pixel_values).flatten(1)

    def _neighbour(self, item: Any, similarity: float, row: int) -> ImageNeighbour:
        return ImageNeighbour(item, similarity, row)


__all__ = ["ImageNeighbour", "Images", "LatentImages"]
