"""Pipelines of image models: new images, anomalies, codes, classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from family_tests import family_tests, narrow_model
from image_mixins import ImageFamilyTests
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, pipeline

from hf_arae.models.auto import FAMILIES, family
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.pipelines.auto import TASKS

IMAGE_FAMILIES = [name for name in FAMILIES if isinstance(family_tests(name), ImageFamilyTests)]
CLASSIFIER = "AutoModelForImageClassification"


def save(model, folder):
    model.save_pretrained(folder)
    AraeImageProcessor.for_config(model.config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, str]:
    """A small model of each image family."""
    place = tmp_path_factory.mktemp("images")
    return {name: save(narrow_model(name, 0), place / name) for name in IMAGE_FAMILIES}


@pytest.fixture(params=IMAGE_FAMILIES)
def folder(request, folders) -> str:
    return folders[request.param]


@pytest.fixture(scope="module")
def drawing(folders) -> str:
    return next(folder for folder in folders.values() if AutoModel.from_pretrained(folder).draws_images)


@pytest.fixture(scope="module")
def rebuilding(folders) -> str:
    return next(folder for folder in folders.values() if AutoModel.from_pretrained(folder).rebuilds_images)


def pictures(count: int, size: int = 9) -> list[Image.Image]:
    source = np.random.default_rng(0)
    return [Image.fromarray(source.integers(0, 256, (size, size, 3), np.uint8)) for _ in range(count)]


def test_the_processor_is_found_by_the_config(folder):
    assert type(AutoImageProcessor.from_pretrained(folder)) is AraeImageProcessor


def test_each_pipeline_accepts_what_the_model_can_do(folder):
    model = AutoModel.from_pretrained(folder)
    for task, able in (
        ("unconditional-image-generation", model.draws_images),
        ("image-anomaly-detection", model.rebuilds_images),
    ):
        assert TASKS[task].accepts(model.config) == able
        if able:
            pipeline(task, model=folder)
        else:
            with pytest.raises(ValueError):
                pipeline(task, model=folder)


def test_drawn_images_are_the_same_for_every_number_and_batch_size(drawing):
    draw = pipeline("unconditional-image-generation", model=drawing)
    images = [np.asarray(image).astype(int) for image in draw(num_images=21, seed=3)]
    size = draw.model.config.image_size
    assert len(images) == 21 and images[0].shape[:2] == (size, size)
    assert not np.array_equal(images[0], images[1])
    for count in (1, 16, 17):
        assert all(np.array_equal(*two) for two in zip(draw(num_images=count, seed=3), images, strict=False))
    other = [np.asarray(image).astype(int) for image in draw(num_images=5, seed=3, batch_size=2)]
    assert max(abs(one - two).max() for one, two in zip(other, images, strict=False)) <= 1
    assert not np.array_equal(images[0], draw(seed=4)[0])
    for wrong in ({"num_images": 0}, {"num_images": 2.0}, {"batch_size": 0}, {"num_images": True}):
        with pytest.raises(ValueError):
            draw(**wrong)


def test_a_foreign_processor_is_refused(drawing, rebuilding):
    other = AraeImageProcessor(size=99)
    tasks = {"unconditional-image-generation": drawing, "image-anomaly-detection": rebuilding}
    for task, folder in (tasks | {"image-feature-extraction": rebuilding}).items():
        with pytest.raises(ValueError, match="processor"):
            pipeline(task, model=AutoModel.from_pretrained(folder), image_processor=other)


def test_a_score_is_the_energy_or_the_error_of_the_reconstruction(folder):
    model = AutoModel.from_pretrained(folder)
    if not model.rebuilds_images:
        return
    detect = pipeline("image-anomaly-detection", model=folder)
    values = AutoImageProcessor.from_pretrained(folder)(pictures(5), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        output, rebuilt = model(values), model.reconstruct(values)
    width = 1 if model.config.value_range == "unit" else 2
    error = ((values - rebuilt) / width).square().flatten(1).mean(1)
    energy = getattr(output, "energy", None)
    wanted = (error if energy is None else energy).tolist()
    for size in (1, 3):
        assert detect.scores(pictures(5), batch_size=size) == pytest.approx(wanted, rel=1e-4)
    assert detect.scores(pictures(5)[0]) == pytest.approx(wanted[:1], rel=1e-4)
    result = detect(pictures(5)[0], threshold=0.0)
    assert result["score"] == pytest.approx(wanted[0], rel=1e-4) and result["anomalous"] and result["threshold"] == 0
    there = np.asarray(result["difference"]).reshape((*values.shape[-2:], -1)).transpose(2, 0, 1) / 255
    assert there == pytest.approx(((values[0] - rebuilt[0]) / width).abs().clamp(0, 1).numpy(), abs=0.003)


def test_a_threshold_is_calibrated_and_goes_with_the_model(rebuilding, tmp_path):
    detect = pipeline("image-anomaly-detection", model=rebuilding)
    images = pictures(20)
    for early in (images[0], images, iter([images[0]])):
        with pytest.raises(ValueError, match="calibrate"):
            detect(early)
    scores = detect.scores(images)
    threshold = detect.calibrate(images, quantile=0.75)
    assert threshold == pytest.approx(np.quantile(scores, 0.75))
    results = detect(images, batch_size=4)
    assert sum(result["anomalous"] for result in results) == 5 and detect([]) == []
    assert not any(result["anomalous"] for result in detect(images, threshold=max(scores) * 1.01))
    detect.save_pretrained(tmp_path)
    again = pipeline("image-anomaly-detection", model=str(tmp_path))
    assert again.model.config.anomaly_threshold == threshold and again.model.config.anomaly_quantile == 0.75
    assert [result["anomalous"] for result in again(images)] == [result["anomalous"] for result in results]
    for wrong in ({"quantile": 1.0}, {"quantile": True}, {"images": []}):
        with pytest.raises(ValueError):
            detect.calibrate(**{"images": images} | wrong)
    for threshold in (float("nan"), "low"):
        with pytest.raises(ValueError):
            detect(images[0], threshold=threshold)


def test_all_kinds_of_images_are_scored_alike(rebuilding, tmp_path):
    detect = pipeline("image-anomaly-detection", model=rebuilding)
    (picture,) = pictures(1)
    picture.save(tmp_path / "picture.png")
    array = np.asarray(picture)
    score = detect.scores([picture])[0]
    turned = torch.from_numpy(array.transpose(2, 0, 1).copy())
    for image in (str(tmp_path / "picture.png"), tmp_path / "picture.png", array, array / 255, turned):
        assert detect(image, threshold=1.0)["score"] == pytest.approx(score)
        assert detect.scores(image) == pytest.approx([score])
    assert detect.scores(array[None]) == pytest.approx([score])
    streamed = detect((one for one in [picture, array]), threshold=1.0)
    assert [one["score"] for one in streamed] == pytest.approx([score] * 2)
    (tmp_path / "notes.png").write_text("no picture")
    with pytest.raises(ValueError, match="notes"):
        detect.scores([str(tmp_path / "notes.png")])


@pytest.mark.parametrize("batch_size", [1, 2])
def test_features_are_codes(folder, batch_size):
    model, images = AutoModel.from_pretrained(folder), pictures(3)
    values = AutoImageProcessor.from_pretrained(folder)(images, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        seen = model(values).last_hidden_state
    extract = pipeline("image-feature-extraction", model=folder)
    features = extract(images, batch_size=batch_size, return_tensors=True)
    assert [tuple(feature.shape) for feature in features] == [(1, *seen.shape[1:])] * 3
    torch.testing.assert_close(torch.cat(features), seen)


@pytest.mark.parametrize("name", [name for name in IMAGE_FAMILIES if CLASSIFIER in family(name).models])
def test_classes_are_named(name, tmp_path, caplog):
    model = narrow_model(name, 0, CLASSIFIER)
    model.config.id2label = {number: f"glyph {number}" for number in range(model.config.num_labels)}
    classify = pipeline("image-classification", model=save(model, tmp_path))
    values = AraeImageProcessor.for_config(model.config)(pictures(3), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        shares = model(values).logits.softmax(1)
    for found, wanted in zip(classify(pictures(3), batch_size=2), shares, strict=True):
        assert found[0] == {"label": f"glyph {wanted.argmax()}", "score": pytest.approx(wanted.max().item(), abs=1e-5)}
    assert "not supported" not in caplog.text
    with pytest.raises(ValueError, match="processor"):
        pipeline("image-classification", model=model, image_processor=AraeImageProcessor(size=99))


@pytest.mark.parametrize("name", [name for name in IMAGE_FAMILIES if CLASSIFIER in family(name).models])
def test_every_pipeline_sees_the_pixels_that_training_saw(name, tmp_path):
    """Transparent pictures and ones of sixteen bits too, which transformers would bring to colour in its own way."""
    model = narrow_model(name, 0, CLASSIFIER)
    processor, source = AraeImageProcessor.for_config(model.config), np.random.default_rng(0)
    colour = Image.fromarray(source.integers(0, 256, (9, 9, 3), np.uint8))
    clear = colour.copy()
    clear.putalpha(Image.fromarray(source.choice(np.array([0, 255], np.uint8), (9, 9))))
    deep = Image.fromarray(source.integers(0, 65536, (9, 9)).astype(np.uint16))
    paths = []
    for number, picture in enumerate((clear, clear.convert("LA"), deep, colour)):
        paths.append(str(tmp_path / f"{number}.png"))
        picture.save(paths[-1])
    values = processor(paths, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        shares, seen = model(values).logits.softmax(1).amax(1), model.features(values)
        scores = model.energy(values) if hasattr(model, "energy") else None
        if scores is None and model.rebuilds_images:
            scores = (values - model.reconstruct(values)).square().flatten(1).mean(1)
    parts = {"model": model, "image_processor": processor}
    found = pipeline("image-classification", **parts)(paths)
    assert [one[0]["score"] for one in found] == pytest.approx(shares.tolist(), abs=1e-5)
    if scores is not None:
        assert pipeline("image-anomaly-detection", **parts).scores(paths) == pytest.approx(scores.tolist(), rel=1e-4)
    extracted = pipeline("image-feature-extraction", **parts)(paths, return_tensors=True)
    torch.testing.assert_close(torch.cat(extracted), seen)


def test_a_model_without_labels_classifies_nothing(drawing):
    parts = {"model": AutoModel.from_pretrained(drawing), "image_processor": AraeImageProcessor()}
    with pytest.raises(ValueError, match="no labels"):
        pipeline("image-classification", **parts)


def test_scores_that_are_no_numbers_calibrate_nothing(rebuilding):
    detect = pipeline("image-anomaly-detection", model=rebuilding)
    with torch.no_grad():
        next(detect.model.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match="finite"):
        detect.calibrate(pictures(3))
    assert detect.model.config.anomaly_threshold is None
