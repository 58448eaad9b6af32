"""The verbs that all image families share, on tensors of pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.utils import ModelOutput

from hf_arae.models.base import FamilyModel
from hf_arae.models.images.image_config import VALUE_RANGES, ImageConfig
from hf_arae.utils.validation import check_number


@dataclass
class ImageModelOutput(ModelOutput):
    """Output of an [`ImageModel`].

    Args:
        last_hidden_state: codes `(batch, 1, size)`, as `features` gives them. First, so that the
            image-feature-extraction pipeline returns them.
        loss: what the family's training lowers on images that are real, a scalar, where it has such a loss.
        reconstruction: `(batch, num_channels, image_size, image_size)`, in the config's value range.
        energy: of each image, `(batch,)`, where the family has one: low on images like those that it was trained on.
    """

    last_hidden_state: Tensor | None = None
    loss: Tensor | None = None
    reconstruction: Tensor | None = None
    energy: Tensor | None = None


class ImageModel(FamilyModel):
    """Base of the image families: images in, codes, images out.

    Pixels are `(batch, num_channels, image_size, image_size)`, in the config's value range. A subclass defines
    `encode` and `decode`, and says where new images come from: `images_from_z` or, for a model with a generator of
    codes, `generate_codes`.

    Args:
        config: size and values of the images.
    """

    config: ImageConfig
    config_class = ImageConfig
    auto_classes = ("AutoModel",)
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    draws_images = True  # `sample` knows where new images lie
    decodes_codes = True  # `decode` is there: a code alone gives an image
    _saw_a_batch = False
    rebuilds_images = True  # `encode` and `reconstruct` are there; not where a discriminator is a mere classifier

    # What a subclass says

    def encode(self, pixel_values: Tensor) -> Tensor:
        """Maps images to codes `(batch, code size)`."""
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        """Maps codes `(batch, code size)` to images in the config's value range."""
        raise NotImplementedError

    def images_from_z(self, z: Tensor) -> Tensor:
        """Maps noise `(batch, latent_size)` to images."""
        return self.decode(self.generate_codes(z))

    def generate_codes(self, z: Tensor) -> Tensor:
        """Maps noise `(batch, latent_size)` to codes `(batch, code size)`.

        Raises:
            ValueError: the family has no generator of codes.
        """
        raise ValueError(f"{type(self).__name__} has no generator of codes")

    # Verbs

    def reconstruct(self, pixel_values: Tensor) -> Tensor:
        """What comes back of images from their codes."""
        return self.decode(self.encode(pixel_values))

    def features(self, pixel_values: Tensor) -> Tensor:
        """What the model sees in images, `(batch, positions, width)`; of one code an image, that at one position."""
        return self.encode(pixel_values).unsqueeze(1)

    def sample_z(self, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Draws z ~ N(0, I), `(num_samples, latent_size)`, on the model's device; the same numbers on every device.

        The first rows are the same for every number of rows.

        Args:
            generator: of the CPU; torch's own if `None`.
        """
        # One call a row: torch fills a tensor by blocks, so the end of a shorter one would differ.
        rows = [torch.randn(self.config.latent_size, generator=generator) for _ in range(num_samples)]
        drawn = torch.stack(rows) if rows else torch.empty(0, self.config.latent_size)
        return drawn.to(self.device, self.dtype)

    @torch.no_grad()
    def sample(self, num_samples: int, seed: int | None = None, batch_size: int = 256) -> Tensor:
        """Draws new images `(num_samples, num_channels, image_size, image_size)`, in evaluation mode.

        Image i of a seed is the same for every number of images, and but for rounding for every batch size. Training,
        if the model is at it, goes on as if nothing had been drawn.

        Args:
            num_samples: how many, >= 1.
            seed: >= 0; `None`: torch's own generator draws.
            batch_size: how many are made at once, >= 1.

        Raises:
            ValueError: a number is not whole or too small, or the family does not know where new images lie.
        """
        check_number("num_samples", num_samples, "[1, inf)", whole=True)
        check_number("batch_size", batch_size, "[1, inf)", whole=True)
        if seed is not None:
            check_number("seed", seed, "[0, 18446744073709551616)", whole=True)
        if not self.draws_images:
            raise ValueError(
                f"{type(self).__name__} does not know where codes of new images lie: decode() codes of your own"
            )
        source = None if seed is None else torch.Generator().manual_seed(seed)
        points = self.sample_z(num_samples, source)
        with _evaluating(self):
            return torch.cat([self.images_from_z(part) for part in points.split(batch_size)])

    @torch.no_grad()
    def interpolate(self, first: Tensor, second: Tensor, steps: int = 10, space: str = "code") -> Tensor:
        """Images on straight lines between points, in evaluation mode as `sample`.

        Args:
            first, second: `(rows, width)` codes or z, or images, whose codes are then taken.
            steps: points of a line, both ends among them, >= 2.
            space: what the points are: "code" or "z".

        Returns:
            `(rows, steps, num_channels, image_size, image_size)`.

        Raises:
            ValueError: the shapes differ or are not the model's, there are fewer than two steps, the space is unknown,
                or the model makes no images of codes alone.
        """
        if space not in ("code", "z"):
            raise ValueError(f"space must be 'code' or 'z', got {space!r}")
        check_number("steps", steps, "[2, inf)", whole=True)
        if space == "code" and not self.decodes_codes:
            raise ValueError(f"a {type(self).__name__} makes no images of codes alone: space must be 'z'")
        with _evaluating(self):
            return self._lines(first, second, steps, space)

    def _lines(self, first: Tensor, second: Tensor, steps: int, space: str) -> Tensor:
        if first.dim() == 4 and space == "code":
            first, second = self.encode(first), self.encode(second)
        if first.shape != second.shape or first.dim() != 2:
            raise ValueError(
                f"first and second must both be (rows, width), got {tuple(first.shape)} and {tuple(second.shape)}"
            )
        weights = torch.linspace(0, 1, steps, device=first.device, dtype=first.dtype)
        points = torch.lerp(first[:, None], second[:, None], weights[:, None]).flatten(0, 1)
        images = self.decode(points) if space == "code" else self.images_from_z(points)
        return images.unflatten(0, (len(first), steps))

    # transformers' interface

    @property
    def example_inputs(self) -> dict[str, Tensor]:
        """Small valid inputs of `forward`, the same at each call: two images from the lowest value to the highest."""
        config = self.config
        low, high = VALUE_RANGES[config.value_range]
        values = torch.linspace(low, high, 2 * config.num_pixels, device=self.device).to(self.dtype)
        return {"pixel_values": values.view(2, config.num_channels, config.image_size, config.image_size)}

    # Training

    def begin_training(self) -> None:
        """Takes the threshold of anomalies back, which is that of the scores before."""
        self.config.anomaly_threshold = self.config.anomaly_quantile = None

    # Checks

    def check_processor(self, processor: Any | None) -> None:
        """Makes sure that an image processor makes this model's inputs: of its size, channels and range.

        Raises:
            ValueError: it does not, or there is none.
        """
        if processor is None:
            raise ValueError("its image processor is missing, without which it reads no picture")
        pictures = [np.full((8, 8, 3), value, np.uint8) for value in (0, 255)]
        # Of a picture of one value no contrast would be left.
        as_they_are = {"normalize_contrast": False} if getattr(processor, "normalize_contrast", None) else {}
        try:
            values = processor(images=pictures, return_tensors="pt", **as_they_are)["pixel_values"]
        except Exception as error:  # whatever it is that it makes of pictures
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ValueError(f"the {type(processor).__name__} reads no pictures: {reason}") from error
        config = self.config
        wanted = (2, config.num_channels, config.image_size, config.image_size)
        if tuple(values.shape) != wanted:
            raise ValueError(
                f"the image processor is not the model's: it makes images {tuple(values.shape[1:])} and the model "
                f"reads {wanted[1:]}"
            )
        ends = VALUE_RANGES[config.value_range]
        found = (values[0].unique().tolist(), values[1].unique().tolist())
        if any(len(own) != 1 or abs(own[0] - end) > 1e-3 for own, end in zip(found, ends, strict=True)):
            raise ValueError(
                f"the image processor is not the model's: its values lie between {found[0][0]:g} and "
                f"{found[1][-1]:g}, the model's between {ends[0]:g} and {ends[1]:g}"
            )

    def check_first_batch(self, pixel_values: Tensor) -> Tensor:
        """Returns a training's images, the first ones having been looked at: later ones are the same processor's.

        Raises:
            ValueError: as `check_pixels`.
        """
        if not self._saw_a_batch:
            self.check_pixels(pixel_values)
            self._saw_a_batch = True
        return pixel_values

    def check_pixels(self, pixel_values: Tensor) -> Tensor:
        """Returns the images, or refuses them.

        Raises:
            ValueError: their shape is not the model's, or values are whole numbers, not finite or outside its range.
        """
        config = self.config
        wanted = (config.num_channels, config.image_size, config.image_size)
        if not isinstance(pixel_values, Tensor) or pixel_values.dim() != 4 or tuple(pixel_values.shape[1:]) != wanted:
            found = tuple(pixel_values.shape) if isinstance(pixel_values, Tensor) else type(pixel_values).__name__
            raise ValueError(f"pixel_values must be a tensor (batch, {', '.join(map(str, wanted))}), got {found}")
        low, high = VALUE_RANGES[config.value_range]
        if not pixel_values.is_floating_point():
            raise ValueError(
                f"pixel_values must be fractions in [{low:g}, {high:g}], as the model's image processor makes them, "
                f"got {pixel_values.dtype}"
            )
        if pixel_values.numel():
            least, most = torch.aminmax(pixel_values.detach())
            if not (least >= low - 1e-3 and most <= high + 1e-3):  # NaN is in no range
                raise ValueError(
                    f"pixel_values must lie in [{low:g}, {high:g}], as the model's image processor makes them; they "
                    f"lie in [{least.item():g}, {most.item():g}]"
                )
        return pixel_values


def check_rows(name: str, rows: Any, width: int) -> Tensor:
    """Returns points of a latent space, or raises `ValueError` unless they are `(rows, width)`."""
    if not isinstance(rows, Tensor) or rows.dim() != 2 or rows.shape[1] != width:
        found = tuple(rows.shape) if isinstance(rows, Tensor) else type(rows).__name__
        raise ValueError(f"{name} must be a tensor (rows, {width}), got {found}")
    return rows


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Within, the model is in evaluation mode, and afterwards each part of it as it was.

    In training mode batch norm would make an image depend on the others, and remember them.
    """
    training = [part for part in model.modules() if part.training]
    model.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


__all__ = ["ImageModel", "ImageModelOutput", "check_rows"]
