"""Codes of images, by transformers' own pipeline."""

from __future__ import annotations

from transformers import ImageFeatureExtractionPipeline

from hf_arae.models.images.image_model import ImageModel, ImageModelOutput
from hf_arae.pipelines.image_pipeline import OwnPictures


class ImageCodePipeline(OwnPictures, ImageFeatureExtractionPipeline):
    """transformers' "image-feature-extraction"; of this package's models it returns the codes alone.

    For these it asks whether the image processor is theirs, which then reads pictures, transparent ones too.

    Raises:
        ValueError: the image processor is not the model's.
    """

    def _forward(self, model_inputs):
        if not isinstance(self.model, ImageModel):
            return super()._forward(model_inputs)
        return ImageModelOutput(last_hidden_state=self.model.features(model_inputs["pixel_values"]))


__all__ = ["ImageCodePipeline"]
