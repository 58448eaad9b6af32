"""Configuration of GLoMo's graphs over images."""

from __future__ import annotations

from typing import ClassVar

from huggingface_hub.dataclasses import strict

from hf_arae.models.glomo.graph_config import GraphConfig
from hf_arae.models.glomo_image.image_task_config import ImageTaskConfig
from hf_arae.models.images.image_config import ImageConfig
from hf_arae.utils.validation import check_range


@strict
class GlomoImageConfig(ImageConfig, GraphConfig, ImageTaskConfig):
    """Sizes of the graph predictor g, the feature predictor f and the decoders over images, and of a task's model.

    Beside the fields of [`ImageConfig`], [`GraphConfig`] and, for classifiers, [`ImageTaskConfig`]:

    Args:
        patch_size: height and width of a unit in pixels, of which those of an image are a multiple; 1: a unit is a
            pixel.
        window: height and width, odd, of the window around a unit whose later half it predicts in pre-training.
        levels: a value is predicted as one of so many levels of brightness.
        kernel_size: height and width, odd, of the window whose earlier half a convolution sees.
        id2label: names of the labels.
    """

    model_type = "glomo_image"
    not_chosen: ClassVar[tuple[str, ...]] = (*ImageConfig.not_chosen, "id2label")
    predicts: ClassVar[str] = "units"

    patch_size: int = 2
    window: int = 3
    levels: int = 16
    hidden_size: int = 64
    head_size: int = 16

    @property
    def units_size(self) -> int:
        """Units in a row of an image, and rows of them."""
        return self.image_size // self.patch_size

    @property
    def context_length(self) -> int:
        """T, the units of an image."""
        return self.units_size**2

    @property
    def values_per_unit(self) -> int:
        """Numbers that a unit is."""
        return self.num_channels * self.patch_size**2

    def validate_units(self):
        check_range(self, "[1, 1024]", "patch_size")
        check_range(self, "[2, 256]", "levels")
        check_range(self, "[3, 1023]", "window", "kernel_size")
        for name in ("window", "kernel_size"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} must be odd, so that a unit is in the middle; got {getattr(self, name)}")
        if self.image_size % self.patch_size:
            raise ValueError(
                f"patch_size must divide the image_size, {self.image_size}, so that units cover an image; got "
                f"{self.patch_size}"
            )
        if self.units_size < 2:
            raise ValueError(
                f"patch_size={self.patch_size} makes one unit of an image of {self.image_size} x {self.image_size} "
                "pixels, which has no other one to draw from: make it smaller"
            )


__all__ = ["GlomoImageConfig"]
