"""What the config of a classifier of images with graphs has: how they are mixed in, and what stands above them."""

from __future__ import annotations

from huggingface_hub.dataclasses import strict

from hf_arae.models.glomo.graph_task_config import MIXING_FIELDS, MixingConfig
from hf_arae.nn.image.residual import read_stages
from hf_arae.utils.validation import WIDTHS, check_range


@strict
class ImageTaskConfig(MixingConfig):
    """Sizes of a classifier of images, which the graph predictor's own model has no part of.

    Beside the fields of [`MixingConfig`]:

    Args:
        task_maps: width of the features into which graphs are mixed.
        task_stages: the residual network above them: `"(64)2-(128)2"` is two blocks of 64 maps, then two of 128 at
            half of the height and width.
    """

    task_maps: int = 32
    task_stages: str = "(32)1-(64)1"

    def validate_task(self):
        check_range(self, WIDTHS, "task_maps")
        try:
            read_stages(self.task_stages)
        except ValueError as error:
            raise ValueError(f"task_stages: {error}") from error


IMAGE_TASK_FIELDS = (*MIXING_FIELDS, *ImageTaskConfig.__annotations__)

__all__ = ["IMAGE_TASK_FIELDS", "ImageTaskConfig"]
