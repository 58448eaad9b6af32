"""From pictures to the pixel values that a model reads, and back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import BatchFeature
from transformers.image_processing_backends import PilBackend
from transformers.image_utils import load_image
from transformers.utils import TensorType

from hf_arae.data.images.pixels import binarized, contrasted, open_picture, square_pixels
from hf_arae.models.images.image_config import VALUE_RANGES
from hf_arae.utils.validation import check_number


class AraeImageProcessorKwargs(TypedDict, total=False):
    """What can be set, at making the processor or for one call."""

    size: int | dict[str, int]
    num_channels: int
    value_range: str
    image_mean: float | list[float] | tuple[float, ...] | None
    image_std: float | list[float] | tuple[float, ...] | None
    binarize: str | None
    normalize_contrast: bool | None
    return_tensors: str | TensorType | None


# What transformers writes beside the settings.
_WRITTEN = ("auto_map", "feature_extractor_type", "image_processor_type", "processor_class")


class AraeImageProcessor(PilBackend):
    """Pictures of any size and kind to pixel values, by PIL.

    A picture is turned upright as its camera says, its middle square is scaled to the size, and its bytes become
    values. What is transparent is seen before white. See [`~hf_arae.data.images.pixels.square_pixels`].

    Args:
        size: height and width in pixels, the same: a number, or `{"height": 28, "width": 28}`.
        num_channels: 1 for grey, 3 for colour.
        value_range: values lie in [0, 1] (`"unit"`) or in [-1, 1] (`"signed"`).
        image_mean, image_std: of each channel; values have the mean taken off and are divided by the deviation. Both
            or neither.
        binarize: `"threshold"`: a pixel is one end of the range or the other, the upper from half of it on.
            `"stochastic"`: it is the upper one with its grey value's probability. Called on pictures, the processor
            draws the same for the same picture; in training each visit has draws of its own. `None`: all values.
        normalize_contrast: each image is brought to one brightness and contrast first; see
            [`~hf_arae.data.images.pixels.contrasted`].

    Raises:
        TypeError: there is no such setting.
        ValueError: a setting has a value that it cannot have.
    """

    valid_kwargs = AraeImageProcessorKwargs
    model_input_names = ["pixel_values"]
    size = {"height": 28, "width": 28}
    num_channels = 1
    value_range = "unit"
    image_mean = None
    image_std = None
    binarize = None
    normalize_contrast = None

    def __init__(self, **settings: Any):
        self._refuse_unknown(name for name in settings if name not in _WRITTEN and not name.startswith("_"))
        super().__init__(**settings)
        size = self.size if isinstance(self.size, Mapping) else {"height": self.size, "width": self.size}
        self.return_tensors = None
        if set(size) != {"height", "width"} or size["height"] != size["width"]:
            raise ValueError(f"size must be one number of pixels for height and width, got {self.size!r}")
        check_number("size", size["height"], "[1, inf)", whole=True)
        self.size = {name: int(size[name]) for name in ("height", "width")}
        if self.num_channels not in (1, 3):
            raise ValueError(f"num_channels must be 1 (grey) or 3 (colour), got {self.num_channels!r}")
        if self.value_range not in VALUE_RANGES:
            raise ValueError(f"value_range must be one of {', '.join(VALUE_RANGES)}; got {self.value_range!r}")
        if self.binarize not in (None, "threshold", "stochastic"):
            raise ValueError(f"binarize must be None, threshold or stochastic; got {self.binarize!r}")
        if self.normalize_contrast not in (None, False, True):
            raise ValueError(f"normalize_contrast must be true or false, got {self.normalize_contrast!r}")
        if (self.image_mean is None) != (self.image_std is None):
            raise ValueError("image_mean and image_std go together: give both or neither")
        if self.image_mean is not None:
            self.image_mean, self.image_std = self._each("image_mean"), self._each("image_std")
            if min(self.image_std) <= 0:
                raise ValueError(f"image_std must be positive, got {self.image_std}")

    @classmethod
    def _refuse_unknown(cls, names: Iterable[str]) -> None:
        accepted = AraeImageProcessorKwargs.__annotations__
        for name in names:
            if name not in accepted:
                raise TypeError(f"{cls.__name__} has no setting {name!r}. Accepted: {', '.join(accepted)}")

    def _each(self, name: str) -> list[float]:
        """A setting with one number for each channel."""
        values = np.ravel(getattr(self, name))
        numbers = np.issubdtype(values.dtype, np.number) and np.isfinite(values).all()
        if not numbers or len(values) not in (1, self.num_channels):
            raise ValueError(f"{name} must hold a number for each of {self.num_channels} channel(s), got {values}")
        return np.broadcast_to(values, self.num_channels).astype(float).tolist()

    def _standardize_kwargs(self, **settings: Any) -> dict[str, Any]:
        return settings

    @classmethod
    def for_config(cls, config: Any, **more: Any) -> AraeImageProcessor:
        """The processor of a model.

        Args:
            config: has `image_size`, `num_channels` and `value_range`.
            more: further settings, such as `binarize="threshold"`.
        """
        settings = {"size": config.image_size, "num_channels": config.num_channels, "value_range": config.value_range}
        return cls(**(settings | more))

    @property
    def bounds(self) -> tuple[list[float], list[float]]:
        """The lowest and the highest value of each channel."""
        low, high = (self._ends(value) for value in VALUE_RANGES[self.value_range])
        return low, high

    def scale(self, pixels: np.ndarray, source: np.random.Generator | None = None) -> Tensor:
        """Maps bytes to values.

        Args:
            pixels: uint8 `(batch, size, size, num_channels)`.
            source: of stochastic binarisation; `None`: each image's draws depend on the image alone.

        Returns:
            Float32 `(batch, num_channels, size, size)`.

        Raises:
            ValueError: the shape is another.
        """
        wanted = (self.size["height"], self.size["width"], self.num_channels)
        if pixels.dtype != np.uint8 or pixels.shape[1:] != wanted:
            raise ValueError(f"pixels must be uint8 (batch, {', '.join(map(str, wanted))}), got {pixels.shape}")
        pixels = binarized(contrasted(pixels) if self.normalize_contrast else pixels, self.binarize, source)
        values = torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, 3, 1))).float()
        low, high = VALUE_RANGES[self.value_range]
        values.mul_((high - low) / 255).add_(low)
        if self.image_mean is not None:
            mean, std = (torch.tensor(part)[:, None, None] for part in (self.image_mean, self.image_std))
            values.sub_(mean).div_(std)
        return values

    def post_process(self, pixel_values: Tensor) -> list[Image.Image]:
        """Pictures of values as the processor makes them, `(batch, num_channels, height, width)`, or of one image.

        Values beyond the range are cut off at its ends.

        Raises:
            ValueError: the shape is another, or a value is not finite.
        """
        values = torch.as_tensor(pixel_values).detach().float().cpu()
        values = values[None] if values.dim() == 3 else values
        if values.dim() != 4 or values.shape[1] != self.num_channels:
            found = tuple(values.shape)
            raise ValueError(f"pixel_values must be (batch, {self.num_channels}, height, width), got {found}")
        if not torch.isfinite(values).all():
            raise ValueError("pixel_values hold numbers that are not finite")
        low, high = (torch.tensor(ends)[:, None, None] for ends in self.bounds)
        pixels = ((values - low) / (high - low)).clamp(0, 1).mul(255).round().to(torch.uint8)
        arrays = pixels.permute(0, 2, 3, 1).numpy()
        return [Image.fromarray(one[:, :, 0] if self.num_channels == 1 else one) for one in arrays]

    def _ends(self, value: float) -> list[float]:
        if self.image_mean is None:
            return [value] * self.num_channels
        return [(value - mean) / std for mean, std in zip(self.image_mean, self.image_std, strict=True)]

    def preprocess(self, images: Any, return_tensors: Any = None, **settings: Any) -> BatchFeature:
        """Pixel values of pictures, as calling the processor does.

        Args:
            images: a picture of PIL, an array, a tensor or a path (or address), or a list of these, or an array or
                tensor of four dimensions. Arrays are read as [`~hf_arae.data.images.pixels.picture_of_array`] says.
            return_tensors: "pt" or "np"; `None`: a list of arrays.
            settings: of the processor, others for this call.

        Returns:
            `pixel_values`, float32 `(batch, num_channels, size, size)`.

        Raises:
            FileNotFoundError: there is no such file.
            TypeError: there is no such setting.
            ValueError: an image is damaged or holds other numbers than pixels; its number is named.
        """
        self._refuse_unknown(settings)
        processor = type(self)(**(self._settings() | settings)) if settings else self
        size, channels = processor.size["height"], processor.num_channels
        listed, pixels = _listed(images), []
        for number, image in enumerate(listed):
            try:
                pixels.append(square_pixels(_opened(image), size, channels))
            except ValueError as error:
                place = f"image {number}: " if len(listed) > 1 else ""
                raise ValueError(f"{place}{error}") from error
        values = processor.scale(np.stack(pixels) if pixels else np.empty((0, size, size, channels), np.uint8))
        data = {"pixel_values": values if return_tensors is not None else list(values.numpy())}
        return BatchFeature(data=data, tensor_type=return_tensors)

    def to_dict(self) -> dict[str, Any]:
        """All settings, as they are saved.

        Not the class: transformers then takes that of the model's config, in this package or, where it is not
        installed, in the code that goes with the model.
        """
        return self._settings()

    def _settings(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in AraeImageProcessorKwargs.__annotations__}
        return {name: value for name, value in found.items() if value is not None}


def _listed(images: Any) -> list[Any]:
    """One image, a list of them, or an array of several."""
    if isinstance(images, (list, tuple)):
        return [one for image in images for one in _listed(image)]
    if isinstance(images, (Tensor, np.ndarray)) and images.ndim == 4:
        return list(images)
    return [images]


def _opened(image: Any) -> Image.Image | np.ndarray:
    if isinstance(image, Image.Image):
        return image
    if isinstance(image, Tensor):
        image = image.detach().cpu()
        return (image.float() if image.dtype == torch.bfloat16 else image).numpy()  # numpy has no such type
    if isinstance(image, np.ndarray):
        return image
    if isinstance(image, str) and image.startswith(("http://", "https://", "data:")):
        return load_image(image)
    if isinstance(image, (str, os.PathLike, bytes)):
        return open_picture(image)
    raise ValueError(f"an image must be a picture of PIL, an array, a tensor or a path, got {type(image).__name__}")


__all__ = ["AraeImageProcessor"]
