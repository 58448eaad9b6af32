"""VAE of images: the bound and its parts."""

from __future__ import annotations

import pytest
import torch
from image_mixins import SIZE, ImageFamilyTests
from torch.distributions import Normal, kl_divergence

from hf_arae import VaeImageConfig, VaeImageModel, VaeImageObjective, VaeImageObjectiveArguments

SIZES = {"image_size": SIZE, "encoder_sizes": [12, 8], "decoder_sizes": [8, 12], "code_size": 5}


class TestVaeImage(ImageFamilyTests):
    def build_model(self):
        return VaeImageModel(VaeImageConfig(**SIZES))

    def build_objective(self, model):
        return VaeImageObjective(model, VaeImageObjectiveArguments(free_bits=0.1))


@torch.no_grad()
def test_the_bound_is_reconstruction_and_kl():
    tests = TestVaeImage()
    model, images = tests.build_model().eval(), tests.images(5).round()
    mean, log_variance = model.posterior(images)
    assert torch.equal(model.encode(images), mean)
    reconstruction, divergence = model.elbo(images, samples=3, seed=1)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    torch.testing.assert_close(divergence, kl_divergence(posterior, Normal(0.0, 1.0)).sum(1))
    source = torch.Generator().manual_seed(1)
    codes = [mean + posterior.scale * torch.randn(mean.shape, generator=source) for _ in range(3)]
    expected = sum(model.negative_log_likelihood(code, images) for code in codes) / 3
    torch.testing.assert_close(reconstruction, expected)
    objective = VaeImageObjective(model)
    terms = objective.bound({"pixel_values": images})
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + terms["kl"])
    torch.testing.assert_close(terms["kl"], divergence.mean())
    with pytest.raises(ValueError, match="samples"):
        model.elbo(images, samples=0)


@torch.no_grad()
def test_new_images_are_decoded_draws_of_the_prior():
    model = TestVaeImage().build_model().eval()
    z = model.sample_z(4, torch.Generator().manual_seed(2))
    assert z.shape == (4, 5)
    torch.testing.assert_close(model.sample(4, seed=2), model.decode(z))
