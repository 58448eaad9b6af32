"""The plain autoencoder of images: its loss, its noise, and what it lacks."""

from __future__ import annotations

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from image_mixins import SIZE, ImageFamilyTests
from torch.nn import functional as F

from hf_arae import AeImageConfig, AeImageModel, AeImageObjective, AeImageObjectiveArguments

SIZES = {"image_size": SIZE, "encoder_sizes": [12, 8], "decoder_sizes": [8, 12], "code_size": 5}


class TestAeImage(ImageFamilyTests):
    def build_model(self):
        return AeImageModel(AeImageConfig(**SIZES))

    def build_objective(self, model):
        return AeImageObjective(model)


class TestColourAeImage(ImageFamilyTests):
    def build_model(self):
        settings = {"num_channels": 3, "value_range": "signed", "pixel_loss": "squared_error"}
        return AeImageModel(AeImageConfig(**SIZES, **settings, normalize_code=False, layer_batch_norm=False))

    def build_objective(self, model):
        return AeImageObjective(model, AeImageObjectiveArguments(max_grad_norm=1.0, noise_decay=0.5))


@torch.no_grad()
def test_the_loss_is_summed_over_pixels_and_averaged_over_images():
    tests = TestAeImage()
    model, images = tests.build_model().eval(), tests.images(5).round()
    codes = model.encode(images)
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(5))
    expected = F.binary_cross_entropy(model.decode(codes), images, reduction="sum")
    torch.testing.assert_close(model.negative_log_likelihood(codes, images).sum(), expected)
    torch.testing.assert_close(model(images).loss, expected / 5)
    objective = AeImageObjective(model, AeImageObjectiveArguments(noise_std=0.0))
    torch.testing.assert_close(objective.reconstruct({"pixel_values": images})["loss"], expected / 5)


@torch.no_grad()
def test_both_ranges_of_values_mean_the_same_images():
    torch.manual_seed(0)
    unit = AeImageModel(AeImageConfig(**SIZES)).eval()
    signed = AeImageModel(AeImageConfig(**SIZES, value_range="signed")).eval()
    signed.load_state_dict(unit.state_dict())
    images = TestAeImage().images(5)
    torch.testing.assert_close(signed.encode(2 * images - 1), unit.encode(images))
    torch.testing.assert_close(signed.reconstruct(2 * images - 1), 2 * unit.reconstruct(images) - 1)
    torch.testing.assert_close(signed(2 * images - 1).loss, unit(images).loss)


def test_codes_of_another_width_are_refused():
    with pytest.raises(ValueError, match="codes must be"):
        TestAeImage().build_model().eval().decode(torch.zeros(2, 4))


@pytest.mark.parametrize(
    "wrong",
    [{"code_size": 0}, {"encoder_sizes": [0]}, {"decoder_sizes": 3}, {"pixel_loss": "l1"}, {"num_channels": 2}],
    ids=str,
)
def test_wrong_sizes_are_refused_by_name(wrong):
    with pytest.raises(StrictDataclassClassValidationError, match=next(iter(wrong))):
        AeImageConfig(**SIZES | wrong)
