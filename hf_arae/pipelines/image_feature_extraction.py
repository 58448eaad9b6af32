"""Codes of images, by transformers' own pipeline."""

from __future__ import annotations

from typing import Any

from transformers import ImageFeatureExtractionPipeline

from hf_arae.models.base import PushedWithCode
from hf_arae.models.images.image_model import ImageModel


class ImageCodePipeline(PushedWithCode, ImageFeatureExtractionPipeline):
    """transformers' "image-feature-extraction"; of this package's models it returns the codes alone.

    For these it asks whether the image processor is theirs, which then reads pictures, transparent ones too.

    Raises:
        ValueError: the image processor is not the model's.
    """

    def __init__(self, *positional, **named):
        super().__init__(*positional, **named)
        if isinstance(self.model, ImageModel):
            self.model.check_processor(self.image_processor)

    def preprocess(self, image, timeout=None, **settings) -> Any:
        if not isinstance(self.model, ImageModel):
            return super().preprocess(image, timeout=timeout, **settings)
        return self.image_processor(images=image, return_tensors="pt", **settings).to(self.dtype)

    def _forward(self, model_inputs):
        outputs = super()._forward(model_inputs)
        if isinstance(self.model, ImageModel):  # a loss over all images could not be cut into one of each
            return type(outputs)(last_hidden_state=outputs.last_hidden_state)
        return outputs


__all__ = ["ImageCodePipeline"]
