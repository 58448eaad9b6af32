"""What the pipelines of images share: what they load, and whether the processor is the model's."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar

import torch
from transformers import MODEL_MAPPING, AutoModel, Pipeline, PreTrainedConfig

from hf_arae.models.base import PushedWithCode
from hf_arae.models.images.image_model import ImageModel


class ImagePipeline(PushedWithCode, Pipeline):
    """Base of pipelines of image models.

    Raises:
        ValueError: the model cannot do what the pipeline is for, or the image processor is not the model's.
    """

    _load_tokenizer = False
    _load_processor = False
    _load_image_processor = True
    _load_video_processor = False
    _load_feature_extractor = False
    auto_models = (AutoModel,)
    needed: ClassVar[str]  # what a model must have set to do what the pipeline is for
    lacking: ClassVar[str]  # what is said of one that has not

    def __init__(self, model, *positional, **arguments):
        if not getattr(model, self.needed, False):
            raise ValueError(f"this {type(model).__name__} {self.lacking}")
        super().__init__(model, *positional, **arguments)
        self.model.check_processor(self.image_processor)

    @classmethod
    def accepts(cls, config: PreTrainedConfig) -> bool:
        """Whether the pipeline can run models of this config."""
        model_class = MODEL_MAPPING.get(type(config), None)
        if not hasattr(model_class, cls.needed):
            return False
        with torch.device("meta"):  # it may depend on the config
            return getattr(model_class(deepcopy(config)), cls.needed)


__all__ = ["ImagePipeline"]


class OwnPictures(PushedWithCode):
    """Mixin for transformers' pipelines of images: this package's models read pictures by their processor alone.

    transformers makes colour of a picture first: what is transparent becomes what happens to lie below it, and sixteen
    bits are cut off at eight, so that a model would see other pixels than in its training.

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
