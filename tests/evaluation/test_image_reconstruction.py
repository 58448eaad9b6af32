"""PSNR and SSIM of reconstructions, and labels that are read from frozen features, of several families."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hf_arae import AeImageConfig, AeImageModel, SwwaeConfig, SwwaeForImageClassification, SwwaeModel
from hf_arae.data.corpora.glyphs import build_glyphs
from hf_arae.evaluation.image_pictures import ImagePictures
from hf_arae.evaluation.image_probes import ImageProbeEvaluator
from hf_arae.evaluation.image_reconstruction import ImageReconstructionEvaluator
from hf_arae.losses.classification import NO_LABEL
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.pipelines.image_anomaly_detection import ImageAnomalyDetectionPipeline

GLYPHS = build_glyphs(16, sizes={"train": 80, "validation": 30})


def what_where(where: str = "switches", cls=SwwaeModel, **changes) -> SwwaeModel:
    torch.manual_seed(0)
    layers = "(3)3c-2p-(4)3c-2p" + ("-fc" if cls is SwwaeForImageClassification else "")
    settings = {"image_size": 16, "num_channels": 1, "layers": layers, "where": where}
    return cls(SwwaeConfig(**settings | changes)).eval()


MODELS = {
    "switches": what_where,
    "none": lambda: what_where("none"),
    "labels": lambda: what_where("phase", SwwaeForImageClassification),
    "autoencoder": lambda: AeImageModel(AeImageConfig(image_size=16, num_channels=1)).eval(),
}


@pytest.fixture(params=MODELS)
def model(request):
    torch.manual_seed(0)
    return MODELS[request.param]()


def processor(model) -> AraeImageProcessor:
    return AraeImageProcessor.for_config(model.config)


def test_reconstructions_are_measured_with_every_where_that_a_model_has(model):
    evaluator = ImageReconstructionEvaluator(processor(model), GLYPHS["validation"], max_images=12)
    found = evaluator(model).metrics
    assert list(found) == evaluator.metric_names(model) and np.isfinite(list(found.values())).all()
    tells = getattr(model.config, "where", "none") != "none"
    assert ("other_psnr" in found) == ("middle_ssim" in found) == tells


def test_an_image_alone_is_its_own_other_one():
    found = ImageReconstructionEvaluator(processor(what_where()), GLYPHS["validation"], 1)(what_where()).metrics
    assert found["other_psnr"] == pytest.approx(found["psnr"])
    assert found["middle_psnr"] != pytest.approx(found["psnr"])


def test_images_smaller_than_a_window_are_refused():
    small = replace(GLYPHS["validation"], pixels=GLYPHS["validation"].pixels[:, :8, :8])
    with pytest.raises(ValueError, match="11"):
        ImageReconstructionEvaluator(AraeImageProcessor(size=8), small)


def test_pictures_of_a_training_show_another_s_where(model, tmp_path):
    pictures = ImagePictures(tmp_path, GLYPHS["validation"], None, processor(model), None)
    copies = torch.rand(30, 1, 16, 16)
    names = {path.stem for path in pictures.draw(model, None, copies)}
    tells = getattr(model.config, "where", "none") != "none"
    assert names == {"images-and-reconstructions"} | ({"what-of-rows-and-where-of-columns"} if tells else set()) | (
        {"lines-between-codes"} if model.decodes_codes else set()
    )


def test_labels_are_read_from_features_that_hold_them():
    model, images = what_where(), GLYPHS["train"]
    # An image is white or black, and that is its label.
    labels = np.arange(80) % 2
    pixels = np.broadcast_to((255 * labels).astype(np.uint8)[:, None, None, None], images.pixels.shape).copy()
    plain = replace(images, pixels=pixels, labels=labels.astype(np.int64))
    easy = ImageProbeEvaluator(processor(model), plain, plain)
    assert easy(model).metrics == {"linear_probe_error": 0, "neighbours_error": 0}
    turned = replace(plain, labels=1 - plain.labels)
    assert ImageProbeEvaluator(processor(model), plain, turned)(model).metrics["linear_probe_error"] == 100
    assert easy.metric_names(model) == ["linear_probe_error", "neighbours_error"]


def test_every_family_s_features_are_probed_and_images_without_label_left_out(model):
    labels = GLYPHS["train"].labels.copy()
    labels[::2] = NO_LABEL
    evaluator = ImageProbeEvaluator(
        processor(model), replace(GLYPHS["train"], labels=labels), GLYPHS["validation"], 30
    )
    assert len(evaluator.train) == 30 and (evaluator.train_labels >= 0).all()
    assert all(0 < value <= 100 for value in evaluator(model).metrics.values())


@pytest.mark.parametrize("labels", [None, np.full(80, NO_LABEL), np.zeros(80, np.int64)])
def test_images_whose_labels_tell_nothing_are_refused(labels):
    with pytest.raises(ValueError):
        ImageProbeEvaluator(processor(what_where()), replace(GLYPHS["train"], labels=labels), GLYPHS["validation"])


def test_a_classifier_that_rebuilds_scores_anomalies():
    model = what_where("switches", SwwaeForImageClassification)
    detect = ImageAnomalyDetectionPipeline(model=model, image_processor=processor(model))
    pictures = list(GLYPHS["validation"].pixels[:5, :, :, 0])
    detect.calibrate(pictures)
    found = detect(pictures[:2])
    assert all({"score", "anomalous", "reconstruction", "difference"} <= one.keys() for one in found)
