"""The errors of a classifier of images."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers.modeling_outputs import ImageClassifierOutput

from hf_arae.data.corpora.glyphs import build_glyphs
from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_classification import ImageClassificationEvaluator
from hf_arae.models.images.image_processing import AraeImageProcessor


class Halves(torch.nn.Module):
    """Says with 3/4 that dark images are of the class 0, and others of the class 1."""

    device, dtype = torch.device("cpu"), torch.float32
    config = SimpleNamespace(id2label={0: "dark", 1: "light"})

    def forward(self, pixel_values):
        light = (pixel_values.flatten(1).mean(1) > 0.5).float()
        return ImageClassifierOutput(logits=np.log(3) * torch.stack([1 - light, light], 1))


def test_errors_are_those_of_labelled_images():
    pixels = np.repeat(np.array([0, 255, 0, 255, 0, 0], np.uint8), 16).reshape(6, 4, 4, 1)
    images = LabelledImages(pixels, np.array([0, 1, 0, 0, -100, 0]), ["dark", "light"])
    evaluator = ImageClassificationEvaluator(AraeImageProcessor(size=4), images)
    model = Halves()
    found = evaluator(model).metrics
    assert set(found) == set(evaluator.metric_names(model))
    assert found["classification_error"] == pytest.approx(20)
    assert found["calibration_error"] == pytest.approx(100 * abs(0.75 - 0.8), abs=1e-4)
    # The names count, not their order.
    turned = LabelledImages(pixels, np.array([1, 0, 1, 1, -100, 1]), ["light", "dark"])
    assert ImageClassificationEvaluator(AraeImageProcessor(size=4), turned)(model).metrics == found
    others = LabelledImages(pixels, images.labels, ["dark", "grey"])
    with pytest.raises(ValueError, match="'grey'"):
        ImageClassificationEvaluator(AraeImageProcessor(size=4), others)(model)


def test_images_without_labels_are_refused():
    glyphs = build_glyphs(16, sizes={"test": 3})["test"]
    with pytest.raises(ValueError, match="label"):
        ImageClassificationEvaluator(AraeImageProcessor(size=16), LabelledImages(glyphs.pixels))
