"""Labels of images, by transformers' own pipeline."""

from __future__ import annotations

from transformers import ImageClassificationPipeline

from hf_arae.models.images.image_model import ImageModel
from hf_arae.pipelines.image_pipeline import OwnPictures


class ImageLabelPipeline(OwnPictures, ImageClassificationPipeline):
    """transformers' "image-classification"; of this package's models it takes those that learn labels.

    For these it asks whether the image processor is theirs, which then reads pictures, transparent ones too.

    Raises:
        ValueError: the model learns no labels, or the image processor is not the model's.
    """

    def __init__(self, model, *positional, **named):
        if isinstance(model, ImageModel) and "AutoModelForImageClassification" not in model.auto_classes:
            raise ValueError(f"a {type(model).__name__} has no labels: a classifier of images is needed")
        super().__init__(model, *positional, **named)


__all__ = ["ImageLabelPipeline"]
