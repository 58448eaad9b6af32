"""Energies and errors as scores of anomalies."""

import numpy as np
import pytest
import torch
from huggingface_hub.dataclasses import strict

from hf_arae.data.corpora.glyphs import build_glyphs
from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_anomaly import ImageAnomalyEvaluator, anomaly_scores
from hf_arae.evaluation.several import SeveralEvaluators
from hf_arae.metrics.numbers import known_numbers
from hf_arae.models.images.image_config import ImageConfig
from hf_arae.models.images.image_model import ImageModel
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.training.results import Evaluation

GLYPHS = build_glyphs(16, sizes={"train": 400, "test": 200})


@strict
class StubConfig(ImageConfig):
    model_type = "stub_of_energy"
    latent_size: int = 2
    image_size: int = 16


class Stub(ImageModel):
    """Rebuilds every image as the mean of the training images."""

    config_class = StubConfig
    draws_images = False

    def __init__(self, **config):
        super().__init__(StubConfig(**config))
        self.mean = torch.nn.Parameter(torch.from_numpy(GLYPHS["train"].pixels.mean(0) / 255).permute(2, 0, 1).float())

    def reconstruct(self, pixel_values):
        low = -1 if self.config.value_range == "signed" else 0
        return (low + (1 - low) * self.mean).expand_as(pixel_values)


class WithEnergy(Stub):
    """Its energy is how much ink there is; its new images are white."""

    draws_images = True

    def energy(self, pixel_values):
        return pixel_values.flatten(1).sum(1)

    def images_from_z(self, z):
        return torch.ones(len(z), 1, 16, 16)


@pytest.mark.parametrize("value_range", ["unit", "signed"])
def test_errors_of_reconstruction_find_what_is_no_image(value_range):
    model = Stub(value_range=value_range)
    evaluator = ImageAnomalyEvaluator(AraeImageProcessor.for_config(model.config), GLYPHS["test"], GLYPHS["train"])
    metrics = evaluator(model).metrics
    assert list(metrics) == evaluator.metric_names(model)
    assert set(metrics) <= set(known_numbers())
    assert metrics["auroc_noise"] > 95
    assert metrics["auroc_noisy_images"] > 60
    assert metrics["auroc_blends"] < 40  # nearer to the mean than its two parts
    assert abs(metrics["auroc_other_images"] - 50) < 10  # they are of the same distribution
    assert evaluator(model).metrics == metrics


def test_energy_comes_before_errors_and_own_images_are_scored():
    model = WithEnergy()
    processor = AraeImageProcessor.for_config(model.config)
    table = ImageAnomalyEvaluator(processor, GLYPHS["test"], num_images=100).table(model)
    assert next(iter(table)) == "samples"
    assert table["samples"]["auroc"] == 100
    assert table["samples"]["score"] == pytest.approx(256)
    assert table["samples"]["fpr_at_95"] == 0
    assert table["upside_down"]["auroc"] == pytest.approx(50, abs=1)  # as much ink
    values = torch.rand(5, 1, 16, 16)
    torch.testing.assert_close(anomaly_scores(model, values, batch_size=2), values.flatten(1).sum(1))


def test_a_class_that_was_left_out_is_no_normal_one():
    model, names = Stub(), GLYPHS["test"].label_names
    evaluator = ImageAnomalyEvaluator(AraeImageProcessor(size=16), GLYPHS["test"], left_out=names[3])
    assert set(evaluator.kinds["left_out_class"].labels.tolist()) == {3}
    assert 3 not in evaluator.images.labels
    assert "auroc_left_out_class" in evaluator(model).metrics


def test_blends_are_of_different_classes():
    source = np.random.default_rng(0)
    labels = source.integers(0, 2, 60)
    pixels = np.broadcast_to((labels * 200).astype(np.uint8)[:, None, None, None], (60, 16, 16, 1))
    images = LabelledImages(pixels, labels, ["dark", "light"])
    evaluator = ImageAnomalyEvaluator(AraeImageProcessor(size=16), images)
    assert (evaluator.kinds["blends"].pixels == 100).all()


def test_what_cannot_be_told_apart_is_refused_at_once():
    processor, test = AraeImageProcessor(size=16), GLYPHS["test"]
    one_class = test.take(np.flatnonzero(test.labels == 0))
    for images, more in (
        (test, {"left_out": "no class"}),
        (LabelledImages(test.pixels), {"left_out": "ring"}),
        (one_class, {"left_out": test.label_names[0]}),
        (test.take([0]), {}),
        (test, {"other_images": build_glyphs(20, sizes={"test": 10})["test"]}),
    ):
        with pytest.raises(ValueError):
            ImageAnomalyEvaluator(processor, images, **more)

    class Neither(Stub):
        rebuilds_images = False

    with pytest.raises(ValueError, match="energy"):
        anomaly_scores(Neither(), torch.rand(2, 1, 16, 16))


def test_several_evaluators_are_one():
    class Fixed:
        def __init__(self, name):
            self.name = name

        def metric_names(self, model):
            return [self.name]

        def __call__(self, model):
            return Evaluation({self.name: 1.0}, [f"of {self.name}"])

    both = SeveralEvaluators(Fixed("a"), Fixed("b"))
    assert both.metric_names(None) == ["a", "b"]
    assert both(None) == Evaluation({"a": 1.0, "b": 1.0}, ["of a", "of b"])
