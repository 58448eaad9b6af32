"""The losses of GANs' discriminators: least squares, and the gradient penalty on images."""

from __future__ import annotations

import pytest
import torch

from hf_arae.losses.least_squares import distance_to_fake, distance_to_real
from hf_arae.losses.wasserstein import gradient_penalty


def test_least_squares():
    assert distance_to_real(torch.tensor([1.0, 3.0])).item() == 1.0
    assert distance_to_fake(torch.tensor([0.0, 2.0])).item() == 1.0


class Slope:
    """Rates an image by the sum of its pixels times a factor."""

    def input_gradient(self, images: torch.Tensor) -> torch.Tensor:
        self.between = images
        return torch.full_like(images, 0.5)


def test_the_penalty_takes_the_norm_over_all_pixels_of_an_image():
    critic, real, fake = Slope(), torch.ones(2, 1, 4, 4), torch.zeros(2, 1, 4, 4)
    share = torch.tensor([0.25, 1.0]).view(2, 1, 1, 1)
    assert gradient_penalty(critic, real, fake, share).item() == pytest.approx((0.5 * 4 - 1) ** 2)
    assert critic.between[0].unique().tolist() == [0.25] and critic.between[1].unique().tolist() == [1.0]
