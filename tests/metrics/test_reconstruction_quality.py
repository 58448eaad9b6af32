"""How near copies of images come to them, on numbers that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hf_arae.metrics import ReconstructionQuality

IMAGES = np.random.default_rng(0).random((4, 3, 12, 14)).astype(np.float32)


def quality(copies, images=IMAGES) -> dict[str, float]:
    return ReconstructionQuality().compute(predictions=copies, references=images)


def test_psnr_is_that_of_the_mean_squared_error_of_all_pixels():
    grey = np.full((2, 1, 11, 11), 0.5)
    far = grey + np.array([0.1, 0.3])[:, None, None, None]
    assert quality(far, grey)["psnr"] == pytest.approx(-10 * np.log10((0.01 + 0.09) / 2), rel=1e-5)
    assert quality(torch.tensor(grey + 0.1), torch.tensor(grey))["psnr"] == pytest.approx(20, rel=1e-5)


def test_the_images_themselves_are_as_like_as_can_be():
    assert quality(IMAGES) == {"psnr": float("inf"), "ssim": pytest.approx(1)}


def test_noise_is_less_like_than_a_little_of_it():
    noise = np.random.default_rng(1).normal(size=IMAGES.shape)
    near, far = (quality((IMAGES + size * noise).clip(0, 1)) for size in (0.05, 0.3))
    assert 1 > near["ssim"] > far["ssim"] and near["psnr"] > far["psnr"] + 10


def test_similarity_is_a_mean_over_images_whatever_their_number():
    copies = IMAGES[::-1].copy()
    alone = [quality(copies[row : row + 1], IMAGES[row : row + 1])["ssim"] for row in range(4)]
    assert quality(copies)["ssim"] == pytest.approx(np.mean(alone), rel=1e-4)


@pytest.mark.parametrize("copies", [IMAGES * 255, IMAGES[:, :, 1:], IMAGES[0], IMAGES * np.nan, [["a"]] * 4])
def test_what_are_no_copies_is_refused(copies):
    with pytest.raises((ValueError, TypeError)):
        quality(copies)


def test_images_smaller_than_a_window_are_refused():
    with pytest.raises(ValueError, match="11"):
        quality(IMAGES[:, :, :8, :8], IMAGES[:, :, :8, :8])
