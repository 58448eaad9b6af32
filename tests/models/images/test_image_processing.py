"""From pictures to pixel values and back."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from hf_arae.models.images.image_config import ImageConfig
from hf_arae.models.images.image_model import ImageModel
from hf_arae.models.images.image_processing import AraeImageProcessor

RAMP = (np.arange(64).reshape(8, 8) * 4).astype(np.uint8)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"value_range": "signed"},
        {"image_mean": 0.5, "image_std": [0.25]},
        {"num_channels": 3, "image_mean": [0.1, 0.2, 0.3], "image_std": [1.0, 2.0, 0.5]},
    ],
)
def test_pictures_come_back_and_settings_are_saved(settings, tmp_path):
    processor = AraeImageProcessor(size=8, **settings)
    picture = Image.fromarray(RAMP)
    values = processor(picture, return_tensors="pt")["pixel_values"]
    assert values.dtype == torch.float32 and values.shape == (1, processor.num_channels, 8, 8)
    assert np.array_equal(np.asarray(processor.post_process(values)[0].convert("L")), RAMP)
    low, high = processor.bounds
    assert (values.amin((0, 2, 3)) >= torch.tensor(low) - 1e-6).all()
    assert (
        processor(np.full((8, 8), 255, np.uint8), return_tensors="pt")["pixel_values"][0, :, 0, 0] - torch.tensor(high)
    ).abs().max() < 1e-6
    for number in range(2):
        processor.save_pretrained(tmp_path / str(number))
        processor = AraeImageProcessor.from_pretrained(tmp_path / str(number))
    first, second = ((tmp_path / name / "preprocessor_config.json").read_text() for name in "01")
    assert first == second and torch.equal(processor(picture, return_tensors="pt")["pixel_values"], values)


def test_all_kinds_of_inputs_of_one_picture_are_the_same(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "ramp.png")
    processor = AraeImageProcessor(size=8)
    values = processor(RAMP, return_tensors="pt")["pixel_values"]
    for image in (
        Image.fromarray(RAMP),
        Image.fromarray(RAMP).convert("RGB"),
        RAMP[None],
        RAMP[..., None],
        RAMP.astype(np.int64),
        RAMP / 255,
        torch.from_numpy(RAMP / 255).float()[None],
        torch.from_numpy(RAMP)[None, None],
        str(tmp_path / "ramp.png"),
        tmp_path / "ramp.png",
        RAMP.astype(np.uint16) * 257,
    ):
        assert torch.equal(processor(image, return_tensors="pt")["pixel_values"], values), type(image)
        assert torch.equal(processor([image, image], return_tensors="pt")["pixel_values"], values.repeat(2, 1, 1, 1))
    assert processor([RAMP, RAMP])["pixel_values"][1].shape == (1, 8, 8)
    assert processor([], return_tensors="pt")["pixel_values"].shape == (0, 1, 8, 8)


def test_binarised_pixels_are_the_ends_of_the_range_and_the_same_for_a_picture_wherever_it_stands():
    values = AraeImageProcessor(size=8, binarize="threshold", value_range="signed")(RAMP, return_tensors="pt")
    assert torch.equal(values["pixel_values"][0, 0], torch.from_numpy(np.where(RAMP > 127, 1.0, -1.0)).float())
    processor = AraeImageProcessor(size=8, binarize="stochastic")
    alone = processor(RAMP, return_tensors="pt")["pixel_values"]
    assert alone.unique().tolist() == [0, 1]
    assert torch.equal(processor([RAMP.T, RAMP], return_tensors="pt")["pixel_values"][1:], alone)
    black_and_white = (RAMP > 127) * np.uint8(255)
    assert torch.equal(
        processor(black_and_white, return_tensors="pt")["pixel_values"][0, 0] * 255,
        torch.from_numpy(black_and_white).float(),
    )


def test_contrast_is_normalised_image_by_image_before_all_else(tmp_path):
    processor = AraeImageProcessor(size=8, normalize_contrast=True)
    dim, flat = RAMP // 4 + 9, np.full((8, 8), 200, np.uint8)
    bright, dimmed, grey = processor([RAMP, dim, flat], return_tensors="pt")["pixel_values"]
    assert bright.mean() == pytest.approx(0.5, abs=0.01) and bright.std(correction=0) == pytest.approx(0.25, abs=0.01)
    assert (bright - dimmed).abs().max() < 0.03 and ((grey - 0.5).abs() < 0.01).all()
    processor.save_pretrained(tmp_path)
    assert AraeImageProcessor.from_pretrained(tmp_path).normalize_contrast is True
    assert "normalize_contrast" not in AraeImageProcessor(size=8).to_dict()


def test_wrong_settings_and_inputs_are_refused(tmp_path):
    for wrong in (
        {"size": 0},
        {"size": {"height": 8, "width": 9}},
        {"num_channels": 2},
        {"value_range": "byte"},
        {"binarize": "half"},
        {"normalize_contrast": "much"},
        {"size": 28.0},
        {"size": "28"},
        {"size": True},
        {"size": {"shortest_edge": 28}},
        {"image_mean": "a", "image_std": 1.0},
        {"image_mean": 0.5},
        {"image_mean": 0.5, "image_std": 0.0},
        {"image_mean": [0.5, 0.5], "image_std": [1.0, 1.0]},
    ):
        with pytest.raises(ValueError):
            AraeImageProcessor(**wrong)
    processor = AraeImageProcessor(size=8)
    for unknown in ({"do_resize": False}, {"valuerange": "signed"}):
        with pytest.raises(TypeError, match="Accepted"):
            processor(RAMP, **unknown)
        with pytest.raises(TypeError, match="Accepted"):
            AraeImageProcessor(**unknown)
    with pytest.raises(FileNotFoundError):
        processor(tmp_path / "none.png")
    (tmp_path / "notes.png").write_text("no picture")
    for wrong in (
        RAMP / 100.0,
        RAMP.astype(int) - 1,
        np.zeros((5, 8, 8)),
        np.zeros(8),
        tmp_path / "notes.png",
        3,
        np.zeros((0, 8)),
    ):
        with pytest.raises(ValueError):
            processor(wrong)
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(whole, "PNG")
    for wrong in (RAMP / 100.0, Image.open(io.BytesIO(whole.getvalue()[:900]))):  # the latter is read now only
        with pytest.raises(ValueError, match="image 1"):
            processor([RAMP, wrong])
    with pytest.raises(ValueError):
        processor.post_process(torch.full((1, 1, 8, 8), torch.nan))


def test_tensors_of_half_precision_and_pictures_premultiplied_are_read():
    processor = AraeImageProcessor(size=8)
    for kind in (torch.bfloat16, torch.float16):
        values = processor(torch.eye(8, dtype=kind), return_tensors="pt")["pixel_values"]
        assert torch.equal(values[0, 0], torch.eye(8))
    assert (processor(Image.new("La", (8, 8)), return_tensors="pt")["pixel_values"] == 1).all()  # seen before white


def test_a_model_s_processor_has_its_size_channels_and_range():
    config = ImageConfig(image_size=16, num_channels=3, value_range="signed")
    processor = AraeImageProcessor.for_config(config, binarize="threshold")
    values = processor(RAMP, return_tensors="pt")["pixel_values"]
    assert values.shape == (1, 3, 16, 16) and values.unique().tolist() == [-1, 1]


def test_a_model_takes_its_own_processor_alone():
    model = ImageModel(ImageConfig(image_size=16, num_channels=3, value_range="signed"))
    settings = {"size": 16, "num_channels": 3}
    for right in (
        AraeImageProcessor.for_config(model.config),
        AraeImageProcessor.for_config(model.config, binarize="stochastic"),
        AraeImageProcessor(**settings, image_mean=0.5, image_std=0.5),
    ):
        model.check_processor(right)
    for wrong in (
        None,
        AraeImageProcessor(**settings),
        AraeImageProcessor(**settings | {"num_channels": 1}, value_range="signed"),
        AraeImageProcessor(**settings | {"size": 17}, value_range="signed"),
        AraeImageProcessor(**settings, image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.25]),
        str,
    ):
        with pytest.raises(ValueError):
            model.check_processor(wrong)
