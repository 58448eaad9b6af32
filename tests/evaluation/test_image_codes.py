"""What is measured of an image autoencoder's codes."""

import numpy as np
import pytest
import torch
from family_tests import family_tests
from image_mixins import made_up_images

from hf_arae.evaluation.image_codes import (
    ImageCodeEvaluator,
    cosines_of_likes,
    flip_losses,
    flip_pixels,
    midpoint_sureness,
    offset_arithmetic,
)
from hf_arae.evaluation.image_judge import train_judge
from hf_arae.metrics.numbers import known_numbers
from hf_arae.models.images.image_processing import AraeImageProcessor


@pytest.fixture(scope="module")
def images():
    return made_up_images(300)


@pytest.fixture(scope="module")
def judge(images):
    return train_judge(images, images, rounds=[60])


def made(name: str):
    torch.manual_seed(0)
    return family_tests(name).build_model().eval()


def test_so_many_pixels_are_turned_over_and_the_same_ones_first():
    values = torch.rand(4, 1, 10, 10)
    for name, low, high in (("unit", 0, 1), ("signed", -1, 1)):
        given = low + (high - low) * values
        changed = {share: flip_pixels(given, share, name) for share in (0.0, 0.1, 0.5, 1.0)}
        torch.testing.assert_close(changed[1.0], low + high - given)
        assert torch.equal(changed[0.0], given)
        counts = [(changed[share] != given).flatten(1).sum(1).tolist() for share in (0.1, 0.5)]
        assert counts == [[10] * 4, [50] * 4]
        assert not ((changed[0.1] != given) & (changed[0.5] == given)).any()
    with pytest.raises(ValueError, match="share"):
        flip_pixels(values, 1.2, "unit")


@torch.no_grad()
def test_flips_cost_what_the_decoder_says_of_the_clean_image(images):
    model = made("ae_image")
    values = AraeImageProcessor.for_config(model.config, binarize="threshold").scale(images.pixels[:300])
    losses = flip_losses(model, values, (0, 20))
    expected = model.negative_log_likelihood(model.encode(values), values).mean().item()
    assert losses[0] == pytest.approx(expected, rel=1e-4)
    noised = flip_pixels(values, 0.2, "unit")
    expected = model.negative_log_likelihood(model.encode(noised), values).mean().item()
    assert losses[20] == pytest.approx(expected, rel=1e-4) != losses[0]


def test_images_that_share_pixels_have_like_codes():
    groups = torch.arange(400) % 4
    values = torch.nn.functional.one_hot(groups, 4).float()
    found = cosines_of_likes(values, values.view(400, 1, 2, 2))
    assert found["like_cosine"] == pytest.approx(1, abs=0.02) and found["unlike_cosine"] < 0.4
    assert cosines_of_likes(values[:5], values[:5])["like_cosine"] < 1  # fewer than there are neighbours


class Bars:
    """A model whose points are images: the pixels of a bar."""

    def __init__(self, images):
        self.config = made("ae_image").config
        self.device, self.dtype = torch.device("cpu"), torch.float32

    def decode(self, codes):
        return codes.view(-1, 1, 6, 6).clamp(0, 1)

    images_from_z = decode


@pytest.mark.parametrize("space", ["code", "z"])
def test_an_offset_moves_bars_where_the_judge_sees_them(images, judge, space):
    processor, model = AraeImageProcessor(size=6, binarize="threshold"), Bars(images)
    points = torch.from_numpy(images.pixels.reshape(300, -1).astype(np.float32)) / 255
    found = offset_arithmetic(model, judge, processor, points, space, "left", "right")
    assert found["moved_to_label"] > 60 and 5 < found["moved_pixels"] < 80
    assert midpoint_sureness(model, judge, processor, points.repeat_interleave(2, 0), space) > 60
    nothing = offset_arithmetic(model, judge, processor, points[images.labels == 1], space, "left", "right")
    assert nothing["moved_to_label"] != nothing["moved_to_label"] or nothing["moved_to_label"] >= 0
    with pytest.raises(ValueError, match=r"up.*left"):
        offset_arithmetic(model, judge, processor, points, space, "up", "right")


@pytest.mark.parametrize("name", ["ae_image", "arae_image"])
def test_the_evaluator_says_what_it_measures(images, judge, name):
    model = made(name)
    processor = AraeImageProcessor.for_config(model.config, binarize="stochastic")
    evaluator = ImageCodeEvaluator(processor, judge, images, images, ("left", "right"), num_samples=50)
    state = torch.get_rng_state()
    found = evaluator(model).metrics
    assert torch.equal(torch.get_rng_state(), state)
    assert set(found) == set(evaluator.metric_names(model)) and set(found) <= known_numbers().keys()
    assert ("drawn_norm" in found) == (name == "arae_image")
    again = evaluator(model).metrics
    assert np.array_equal([*found.values()], [*again.values()], equal_nan=True)
    unjudged = ImageCodeEvaluator(processor, None, images)
    assert set(unjudged(model).metrics) == set(unjudged.metric_names(model)) < set(found)
    with pytest.raises(ValueError, match=r"up.*left"):
        ImageCodeEvaluator(processor, judge, images, classes=("up", "left"))
