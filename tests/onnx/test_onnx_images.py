"""Classifiers of images in ONNX: the same labels of the same pictures, and what is refused."""

from __future__ import annotations

import copy
import json
import os
import pickle
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageClassification, pipeline

from hf_arae import (
    EbganConfig,
    EbganForImageClassification,
    EbganModel,
    SwwaeConfig,
    SwwaeForImageClassification,
    SwwaeModel,
)
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.onnx import OnnxImageClassifier, export_image_classifier
from hf_arae.onnx.__main__ import main
from hf_arae.onnx.image_export import check_image_export

pytestmark = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="the extra onnx is not installed")

NAMES = {0: "left", 1: "middle", 2: "right"}
LAYERS = {"layers": "(4)3c-2p-(5)3c-2p-6fc-fc", "id2label": NAMES, "image_size": 12}
COLOUR = {"num_channels": 3, "value_range": "signed", "pixel_mean": [0.1, 0, -0.1], "pixel_std": [0.4, 0.5, 0.6]}
MODELS = {
    "switches": lambda: SwwaeForImageClassification(SwwaeConfig(**LAYERS)),
    "phase": lambda: SwwaeForImageClassification(SwwaeConfig(**LAYERS | COLOUR, where="phase", batch_norm=False)),
    "ladder": lambda: EbganForImageClassification(
        EbganConfig(backbone="ladder", image_size=12, discriminator_layers="8-6", id2label=NAMES)
    ),
}


def made(name: str):
    """A model whose logits differ, and its image processor."""
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    settings = {"ladder": {"binarize": "stochastic"}, "phase": {"normalize_contrast": True}}
    return model, AraeImageProcessor.for_config(model.config, **settings.get(name, {}))


def pictures(count: int = 7) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 20, 14, 3), np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An exported classifier with its image processor. Not to be changed."""
    place = tmp_path_factory.mktemp("exported")
    export_image_classifier(made("switches")[0], place, made("switches")[1])
    return place


@pytest.fixture(scope="module")
def classify(folder) -> OnnxImageClassifier:
    return OnnxImageClassifier.from_pretrained(folder, num_threads=1, batch_size=3)


def test_copies_open_the_files_again(classify):
    images = pictures(2)
    for other in (copy.deepcopy(classify), pickle.loads(pickle.dumps(classify))):
        assert other(images) == classify(images) and other.batch_size == 3


@pytest.mark.parametrize("name", MODELS)
def test_labels_and_pixels_are_those_of_torch(tmp_path, name):
    model, processor = made(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    export_image_classifier(model.train(), tmp_path, processor)
    assert model.training and all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    model.eval()
    found = check_image_export(model, processor, tmp_path, pictures())
    assert found.logit_difference < 1e-4 and (found.equal_labels, found.images) == (1.0, 7)
    exported = OnnxImageClassifier(tmp_path, batch_size=2)
    wanted = processor(images=pictures(), return_tensors="np")["pixel_values"]
    np.testing.assert_allclose(exported.pixel_values(pictures()), wanted, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "classifier.onnx",
        "config.json",
        "preprocessor_config.json",
    ]


def test_the_answer_is_the_pipeline_s(classify, tmp_path):
    model, processor = made("switches")
    label = pipeline("image-classification", model=model, image_processor=processor)
    images = [Image.fromarray(one) for one in pictures()]
    for found, wanted in zip(classify(images), label(images), strict=True):
        assert [one["label"] for one in found] == [one["label"] for one in wanted]
        assert [one["score"] for one in found] == pytest.approx([one["score"] for one in wanted], abs=1e-5)
    images[0].save(tmp_path / "one.png")
    content = (tmp_path / "one.png").read_bytes()
    assert classify(images[0]) == classify(str(tmp_path / "one.png")) == classify(content) == classify(images)[0]
    assert len(classify(images[0], top_k=1)) == 1 and classify([]) == []
    assert np.allclose(classify.probabilities(images).sum(1), 1)


def test_the_number_of_images_does_not_matter(classify):
    values = classify.pixel_values(pictures())
    alone = np.concatenate([classify.logits(values[row : row + 1]) for row in range(7)])
    np.testing.assert_allclose(classify.logits(values), alone, atol=1e-5)
    assert classify.logits(values[:0]).shape == (0, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.logits(np.zeros((1, 1, 11, 12), np.float32)),
        lambda c: c.logits(np.zeros((1, 1, 12, 12), np.int64)),
        lambda c: c.logits(np.full((1, 1, 12, 12), 2.0)),
        lambda c: c.logits(np.full((1, 1, 12, 12), np.nan)),
        lambda c: c(np.zeros((2, 3, 7))),
        lambda c: c([b"no picture"]),
        lambda c: c(None),
        lambda c: c(pictures(1), top_k=0),
    ],
)
def test_wrong_images_are_refused(classify, call):
    with pytest.raises(ValueError):
        call(classify)
    with pytest.raises(FileNotFoundError):
        classify("there is no such file.png")


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"image_size": 16}),
        ("config.json", {"image_size": "large"}),
        ("config.json", {"id2label": {"0": "a", "1": "b"}}),
        ("config.json", {"value_range": "bytes"}),
        ("preprocessor_config.json", {"num_channels": 3}),
        ("preprocessor_config.json", {"size": 12}),
        ("preprocessor_config.json", {"image_mean": [0.5], "image_std": [0.5]}),
        ("classifier.onnx", None),
    ],
)
def test_a_folder_whose_files_do_not_belong_together_is_refused(folder, tmp_path, file, change):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    if change is None:
        (copy / file).write_bytes(b"nothing")
    else:
        (copy / file).write_text(json.dumps(json.loads((copy / file).read_text()) | change))
    with pytest.raises(ValueError):
        OnnxImageClassifier(copy)


def test_without_image_processor_pixel_values_are_read(tmp_path):
    model, processor = made("switches")
    export_image_classifier(model, tmp_path)
    exported = OnnxImageClassifier(tmp_path)
    values = processor(images=pictures(2), return_tensors="np")["pixel_values"]
    assert exported.logits(values).shape == (2, 3)
    with pytest.raises(ValueError, match="image processor"):
        exported(pictures(1))
    (tmp_path / "classifier.onnx").unlink()
    with pytest.raises(FileNotFoundError, match="classifier"):
        OnnxImageClassifier(tmp_path)


def test_models_without_labels_and_foreign_processors_are_refused(tmp_path):
    model, processor = made("switches")
    for wrong in (SwwaeModel(model.config), EbganModel(EbganConfig(image_size=12)), torch.nn.Linear(2, 2)):
        with pytest.raises(ValueError):
            export_image_classifier(wrong, tmp_path / "out")
    with pytest.raises(ValueError):
        export_image_classifier(model, tmp_path / "out", AraeImageProcessor(size=16))
    with pytest.raises(ValueError):
        export_image_classifier(model, tmp_path / "out", processor, opset=7)
    assert not (tmp_path / "out").exists()


def test_neither_torch_nor_transformers_is_needed(folder):
    code = f"""
import sys
sys.modules.update(dict.fromkeys(("torch", "transformers", "datasets")))
import numpy as np
from hf_arae.onnx import OnnxImageClassifier
print(OnnxImageClassifier({str(folder)!r})(np.zeros((9, 9), np.uint8))[0]["label"])
"""
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() in NAMES.values(), done.stderr


def test_the_command(tmp_path, monkeypatch, capsys):
    for name, (model, processor) in {
        "labels": made("switches"),
        "none": (SwwaeModel(made("switches")[0].config), None),
    }.items():
        model.save_pretrained(tmp_path / name)
        (processor or made("switches")[1]).save_pretrained(tmp_path / name)
    command = ["onnx", "--output_dir", str(tmp_path / "out"), "--images", "9", "--model"]
    monkeypatch.setattr(sys, "argv", [*command, str(tmp_path / "labels")])
    main()
    found = capsys.readouterr().out
    assert f"MB  {tmp_path / 'out' / 'classifier.onnx'}" in found
    assert "put into the same class: 100.0% of 9 built-in images" in found
    for wrong in ([str(tmp_path / "none")], [str(tmp_path / "labels"), "--int8"]):
        monkeypatch.setattr(sys, "argv", [*command, *wrong])
        with pytest.raises(SystemExit):
            main()
    assert AutoModelForImageClassification.from_pretrained(tmp_path / "labels").config.id2label == NAMES
