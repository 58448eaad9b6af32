"""What the configs of all image families share."""

from __future__ import annotations

from typing import ClassVar

from huggingface_hub.dataclasses import strict

from hf_arae.data.images.ranges import VALUE_RANGES
from hf_arae.models.base import FamilyConfig
from hf_arae.utils.validation import check_choice, check_range


@strict
class ImageConfig(FamilyConfig):
    """Size and values of the images that a model reads and makes.

    Args:
        image_size: height and width in pixels; images are square.
        num_channels: 1 for grey, 3 for colour.
        value_range: pixels lie in [0, 1] (`"unit"`) or in [-1, 1] (`"signed"`).
        anomaly_threshold: scores above it are those of anomalous images; `None`: it has not been calibrated since the
            model was trained.
        anomaly_quantile: share of the images that it was calibrated with whose scores are not above it.
    """

    not_chosen: ClassVar[tuple[str, ...]] = (
        *FamilyConfig.not_chosen,
        "image_size",
        "num_channels",
        "anomaly_threshold",
        "anomaly_quantile",
    )

    image_size: int = 28
    num_channels: int = 1
    value_range: str = "unit"
    anomaly_threshold: float | None = None
    anomaly_quantile: float | None = None

    @property
    def num_pixels(self) -> int:
        """How many numbers an image is, all channels together."""
        return self.num_channels * self.image_size**2

    def validate_image_shape(self):
        check_range(self, "[1, 1024]", "image_size")
        if self.num_channels not in (1, 3):
            raise ValueError(f"num_channels must be 1 (grey) or 3 (colour), got {self.num_channels}")

    def validate_value_range(self):
        check_choice(self, "value_range", tuple(VALUE_RANGES))


__all__ = ["VALUE_RANGES", "ImageConfig"]
