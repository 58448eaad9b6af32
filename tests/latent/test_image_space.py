"""The interface to latent spaces, on every family of images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from family_tests import image_families, narrow_model
from image_mixins import SIZE, made_up_images

from hf_arae import LatentSpace
from hf_arae.latent.images import LatentImages
from hf_arae.models.images.image_processing import AraeImageProcessor


def space_of(name: str, **options) -> LatentImages:
    model = narrow_model(name, 0).train()
    return LatentSpace(model, AraeImageProcessor.for_config(model.config), **options)


@pytest.fixture(scope="module", params=image_families())
def latent(request):
    return space_of(request.param)


@pytest.fixture(scope="module")
def autoencoder():
    return space_of("arae_image")


@pytest.fixture(scope="module")
def pictures():
    return AraeImageProcessor(size=SIZE).post_process(AraeImageProcessor(size=SIZE).scale(made_up_images(6).pixels))


def same(found, expected) -> bool:
    """Whether two lists of pictures, of lists even, are the same but for rounding."""
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return np.abs(np.asarray(found, int) - np.asarray(expected, int)).max() <= 1


def test_every_family_has_the_interface(latent, pictures):
    model = latent.model
    assert isinstance(latent, LatentImages) and not model.training
    if model.draws_images:
        z = latent.draw(3, "z", seed=5)
        assert latent.native_space == "z" and torch.equal(z, latent.draw(5, "z", seed=5)[:3])
        made = latent.processor.post_process(model.sample(3, seed=5))
        assert same(latent.sample(3, seed=5), made) and same(latent.decode(z, "z"), made)
        lines = latent.interpolate(z[:1], z[1:], 4, "spherical", space="z")
        assert [len(line) for line in lines] == [4, 4] and same([line[-1] for line in lines], made[1:])
        assert same(latent.walk(z, 3, space="z", seed=1)[2][0], made[2])
        assert len(latent.arithmetic(z, z[:1], z[1:], space="z")) == 3
    else:
        for call in (lambda: latent.draw(2), lambda: latent.sample(2)):
            with pytest.raises(ValueError, match=type(model).__name__):
                call()
    if not (model.rebuilds_images and model.decodes_codes):
        return
    values = latent.processor(images=pictures, return_tensors="pt")["pixel_values"]
    codes = latent.encode(pictures)
    torch.testing.assert_close(codes, model.encode(values))
    torch.testing.assert_close(latent.encode(values), codes)
    torch.testing.assert_close(latent.encode(pictures[1]), codes[1:2])
    made = latent.processor.post_process(model.reconstruct(values))
    assert same(latent.decode(codes), made)
    line = latent.interpolate(pictures[0], pictures[1:], steps=3)
    assert len(line) == 5 and same([line[0][0], line[1][-1]], [made[0], made[2]])
    assert same(latent.walk(pictures[0], 4)[0][0], made[0])
    nearest = latent.nearest(pictures[2], pictures, k=2)[0]
    assert nearest[0].row == 2 and nearest[0].image is pictures[2]
    assert nearest[0].similarity == pytest.approx(1, abs=1e-5)
    moved = latent.arithmetic(pictures[:2], minus=pictures[:1], plus=pictures[1:2])
    assert same(moved[0], made[1])


def test_batches_change_nothing(autoencoder, pictures):
    small = space_of("arae_image", batch_size=2)
    torch.testing.assert_close(small.encode(pictures), autoencoder.encode(pictures))
    assert same(small.sample(5), autoencoder.sample(5))
    z = autoencoder.draw(5, "z")
    torch.testing.assert_close(autoencoder.draw(5, "code"), autoencoder.to_codes(z))
    torch.testing.assert_close(small.to_codes(z), autoencoder.to_codes(z))
    assert autoencoder.encode([]).shape == (0, autoencoder.width())


def test_pixels_are_probabilities_or_the_likeliest(autoencoder):
    z = autoencoder.draw(4, "z")
    grey, sure = (np.stack(autoencoder.decode(z, "z", likeliest=sharp)) for sharp in (False, True))
    assert set(np.unique(sure)) <= {0, 255} and np.array_equal(sure > 127, grey > 127)
    assert len(np.unique(grey)) > 2


def test_wrong_input_is_refused(autoencoder, pictures):
    model = autoencoder.model
    with pytest.raises(ValueError, match="processor"):
        LatentSpace(model, AraeImageProcessor(size=SIZE + 1))
    width, z = autoencoder.width(), autoencoder.draw(2, "z")
    for call, said in (
        (lambda: autoencoder.decode(torch.zeros(2, width + 7)), "points"),
        (lambda: autoencoder.decode(z, "pixels"), "space"),
        (lambda: autoencoder.decode(z), "space says which"),
        (lambda: autoencoder.encode(torch.zeros(1, 1, SIZE, SIZE + 1)), "pixel_values"),
        (lambda: autoencoder.encode(torch.full((1, 1, SIZE, SIZE), 7.0)), "pixel_values"),
        (lambda: autoencoder.interpolate(pictures[0], z, space="z"), "an image has a code"),
        (lambda: autoencoder.arithmetic(z, z[:0], z, space="z"), "minus is empty"),
        (lambda: autoencoder.sample(0), "num_samples"),
        (lambda: autoencoder.nearest(pictures[0], pictures, k=7), "k must lie"),
        (lambda: space_of("ae_image").decode(torch.zeros(2, 3), "z"), "no z"),
        (lambda: space_of("arae_image", batch_size=0), "batch_size"),
    ):
        with pytest.raises(ValueError, match=said):
            call()
