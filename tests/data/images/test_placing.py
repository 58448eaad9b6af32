"""Images on a larger ground: in its middle, moved, and partly beyond it."""

from __future__ import annotations

import numpy as np
import pytest

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.data.images.placing import placed


@pytest.fixture
def images() -> LabelledImages:
    pixels = np.random.default_rng(0).integers(1, 256, (3, 4, 4, 1), np.uint8)
    return LabelledImages(pixels, np.array([0, 1, 0]), ["a", "b"])


def test_images_stand_in_the_middle_and_keep_their_labels(images):
    found = placed(images, 8)
    assert found.pixels.shape == (3, 8, 8, 1) and found.labels.tolist() == [0, 1, 0]
    assert np.array_equal(found.pixels[:, 2:6, 2:6], images.pixels)
    assert found.pixels.astype(int).sum() == images.pixels.astype(int).sum()
    assert np.array_equal(placed(images, 4).pixels, images.pixels)


def test_they_move_to_the_right_and_down_and_are_cut_off_at_the_edge(images):
    moved = placed(images, 8, across=2, down=-1).pixels
    assert np.array_equal(moved[:, 1:5, 4:8], images.pixels)
    cut = placed(images, 4, across=3).pixels
    assert np.array_equal(cut[:, :, 3], images.pixels[:, :, 0]) and not cut[:, :, :3].any()
    assert not placed(images, 4, across=-9, down=20).pixels.any()


def test_what_does_not_fit_is_refused(images):
    for wrong in ({"size": 3}, {"size": 8, "across": 0.5}):
        with pytest.raises(ValueError):
            placed(images, **wrong)


@pytest.mark.parametrize("axis", ["across", "down"])
@pytest.mark.parametrize("pixels", [6, 7, 9, 40, -6, -7, -9, -40])
def test_images_that_are_moved_off_the_ground_leave_it_black(axis, pixels):
    images = LabelledImages(np.full((2, 4, 4, 1), 9, np.uint8))
    assert not placed(images, 8, **{axis: pixels}).pixels.any()
