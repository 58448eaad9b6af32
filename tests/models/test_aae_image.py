"""AAE of images: the two sides of its game."""

from __future__ import annotations

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from image_mixins import SIZE, ImageFamilyTests
from torch.nn import functional as F

from hf_arae import AaeImageConfig, AaeImageModel, AaeImageObjective, AaeImageObjectiveArguments

SIZES = {"image_size": SIZE, "encoder_sizes": [12, 8], "decoder_sizes": [8, 12], "code_size": 5}


class TestAaeImage(ImageFamilyTests):
    def build_model(self):
        return AaeImageModel(AaeImageConfig(**SIZES, discriminator_sizes=[7]))

    def build_objective(self, model):
        return AaeImageObjective(model, AaeImageObjectiveArguments(discriminator_steps=2))


@torch.no_grad()
def test_the_losses_are_the_likelihood_and_the_cross_entropies_of_the_discriminator():
    tests = TestAaeImage()
    model, images = tests.build_model().eval(), tests.images(5)
    batch, objective = {"pixel_values": images}, AaeImageObjective(model)
    objective.begin_iteration(0, 3)
    codes = model.encode(images)
    logits, drawn = model.discriminator(codes).squeeze(1), model.discriminator(objective.randn(codes)).squeeze(1)
    objective.begin_iteration(0, 3)
    expected = F.binary_cross_entropy_with_logits(torch.cat([drawn, logits]), torch.tensor([1.0] * 5 + [0.0] * 5))
    torch.testing.assert_close(objective.discriminate(batch)["loss"], 2 * expected)
    terms = objective.reconstruct(batch)
    torch.testing.assert_close(terms["reconstruction"], model.negative_log_likelihood(codes, images).mean())
    torch.testing.assert_close(terms["adversarial_loss"], F.binary_cross_entropy_with_logits(logits, torch.ones(5)))
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + 10 * terms["adversarial_loss"])


def test_wrong_sizes_are_refused_by_name():
    with pytest.raises(StrictDataclassClassValidationError, match="discriminator_sizes"):
        AaeImageConfig(**SIZES, discriminator_sizes=[0])
