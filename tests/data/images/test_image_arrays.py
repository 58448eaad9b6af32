"""Images in memory and their batches."""

import itertools

import numpy as np
import pytest
import torch

from hf_arae.data.corpora.glyphs import GLYPHS, build_glyphs
from hf_arae.data.images.augmentation import ImageAugmentation
from hf_arae.data.images.image_arrays import ImageArrays, draw_labels
from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.models.images.image_processing import AraeImageProcessor


@pytest.fixture(scope="module")
def images() -> LabelledImages:
    return build_glyphs(16, sizes={"train": 240})["train"]


def first(source, count: int) -> list[dict[str, torch.Tensor]]:
    return list(itertools.islice(iter(source), count))


def test_glyphs_are_the_same_for_a_seed_and_their_first_ones_for_every_number(images):
    assert images.pixels.shape == (240, 16, 16, 1) and set(images.labels) <= set(range(len(GLYPHS)))
    more = build_glyphs(16, num_channels=3, sizes={"train": 700})["train"]
    assert np.array_equal(more.pixels[:240], images.pixels.repeat(3, 3)) and np.array_equal(
        more.labels[:240], images.labels
    )
    assert set(more.labels) == set(range(len(GLYPHS)))
    assert build_glyphs(28, sizes={"test": 64})["test"].digest() == "96aa07063e4f0951"
    other = build_glyphs(16, seed=1, sizes={"train": 240})["train"]
    assert not np.array_equal(other.pixels, images.pixels)
    with pytest.raises(ValueError):
        build_glyphs(8)


def test_a_mask_takes_the_images_where_it_is_true(images):
    own = images.labels == images.labels[0]
    assert np.array_equal(images.take(own).pixels, images.take(np.flatnonzero(own)).pixels)
    assert np.array_equal(images.take(own.tolist()).labels, images.labels[own])
    processor = AraeImageProcessor(size=16)
    assert np.array_equal(ImageArrays(images, processor, own, 4).labelled_rows, np.flatnonzero(own))
    for wrong in (own[1:], np.array([0.5]), np.zeros((2, 2), int)):
        with pytest.raises(ValueError, match="rows"):
            images.take(wrong)
        with pytest.raises(ValueError, match="rows"):
            ImageArrays(images, processor, wrong, 4)


def test_a_processor_of_other_images_is_refused(images):
    for wrong in ({"size": 28}, {"size": 16, "num_channels": 3}):
        with pytest.raises(ValueError, match="pixels"):
            ImageArrays(images, AraeImageProcessor(**wrong))


def test_images_refuse_other_shapes_and_labels_without_a_name():
    pixels = np.zeros((2, 4, 4, 1), np.uint8)
    assert len(LabelledImages(pixels, np.array([0, -100]), ["zero"]).take([1, 0, 1])) == 3
    for wrong in (
        {"pixels": pixels[..., 0]},
        {"pixels": pixels.astype(float)},
        {"pixels": pixels, "labels": np.array([0, 1]), "label_names": ["zero"]},
        {"pixels": pixels, "labels": np.array([0]), "label_names": ["zero"]},
    ):
        with pytest.raises(ValueError):
            LabelledImages(**wrong)


def test_a_pass_has_every_image_once_and_two_processes_have_what_one_has(images):
    data = ImageArrays(images, AraeImageProcessor(size=16))
    batches = first(data.batches(20, 0, 0, 1), 24)
    seen = torch.cat([batch["pixel_values"] for batch in batches[:12]])
    wanted = AraeImageProcessor(size=16).scale(images.pixels)
    assert seen.dtype == torch.float32 and torch.equal(seen.sum((1, 2, 3)).sort()[0], wanted.sum((1, 2, 3)).sort()[0])
    assert not torch.equal(batches[0]["pixel_values"], batches[12]["pixel_values"])
    parts = [first(data.batches(10, 0, rank, 2), 24) for rank in range(2)]
    for whole, *two in zip(batches, *parts, strict=True):
        both = torch.stack([part["pixel_values"] for part in two], 1).flatten(0, 1)
        assert torch.equal(both, whole["pixel_values"])


def test_labelled_rows_come_in_an_order_of_their_own_and_as_often_as_one_another(images):
    rows = draw_labels(images.labels, 24, seed=0)
    data = ImageArrays(images, AraeImageProcessor(size=16), rows, 8)
    batches = first(data.batches(10, 0, 0, 1), 6)
    assert all(len(batch["pixel_values"]) == 10 and len(batch["labels"]) == 8 for batch in batches)
    assert torch.equal(torch.cat([batch["labels"] for batch in batches[:3]]).bincount(), torch.full((12,), 2))
    assert torch.equal(torch.cat([batch["labels"] for batch in batches]).bincount(), torch.full((12,), 4))
    again = data.batches(10, 0, 0, 1)
    again.set_position(4, None)
    for name, value in next(iter(again)).items():
        assert torch.equal(value, batches[4][name])
    parts = [first(data.batches(5, 0, rank, 2), 3) for rank in range(2)]  # as many labelled rows on each
    both = torch.cat([part["labels"] for of_one in parts for part in of_one])
    assert torch.equal(both.bincount(), torch.full((12,), 4))
    alone = first(ImageArrays(images, AraeImageProcessor(size=16)).batches(10, 0, 0, 1), 3)
    assert all(torch.equal(one["pixel_values"], two["pixel_values"]) for one, two in zip(alone, batches, strict=False))


def test_stochastic_pixels_are_drawn_anew_at_each_visit_and_the_same_after_a_resume(images):
    data = ImageArrays(images.take([0] * 20), AraeImageProcessor(size=16, binarize="stochastic"))
    source = data.batches(20, 3, 0, 1)
    batches = first(source, 400)
    pixels = torch.stack([batch["pixel_values"] for batch in batches])
    assert pixels.unique().tolist() == [0, 1] and not torch.equal(pixels[0], pixels[1])
    grey = AraeImageProcessor(size=16).scale(images.pixels[:1])
    assert (pixels.mean((0, 1)) - grey).abs().max() < 0.04
    source.set_position(7, None)
    assert torch.equal(next(iter(source))["pixel_values"], pixels[7])


def test_drawn_labels_are_the_same_number_of_each_class(images):
    labels = np.where(np.arange(240) % 3 == 0, -100, images.labels)
    rows = draw_labels(labels, 24, seed=5)
    assert np.array_equal(np.bincount(labels[rows]), np.full(12, 2)) and np.array_equal(
        rows, draw_labels(labels, 24, 5)
    )
    assert not np.array_equal(rows, draw_labels(labels, 24, 6))
    assert set(np.bincount(labels[draw_labels(labels, 26, 0)])) == {2, 3}
    for count in (11, 1_000, 2.0):
        with pytest.raises(ValueError):
            draw_labels(labels, count, 0)
    with pytest.raises(ValueError):
        draw_labels(np.full(5, -100), 1, 0)


def test_labelled_rows_must_be_there_and_have_labels(images):
    processor = AraeImageProcessor(size=16)
    unlabelled = LabelledImages(images.pixels, np.full(240, -100), images.label_names)
    for data, rows, size in (
        (images, [240], 1),
        (unlabelled, [0], 1),
        (images, [0], 0),
        (images, None, 2),
        (images, [], 1),
    ):
        with pytest.raises(ValueError):
            ImageArrays(data, processor, rows, size)
    with pytest.raises(ValueError):
        next(iter(ImageArrays(images, AraeImageProcessor(size=28)).batches(4, 0, 0, 1)))
    with pytest.raises(ValueError):
        ImageArrays(images, processor).batches(241, 0, 0, 1)


def test_a_class_is_left_out_and_keeps_its_number(images):
    name = images.label_names[2]
    others = images.without_class(name)
    assert set(others.labels.tolist()) == set(images.labels.tolist()) - {2}
    assert others.label_names == images.label_names
    assert np.array_equal(others.pixels, images.pixels[images.labels != 2])
    with pytest.raises(ValueError, match=images.label_names[3]):
        images.without_class("no class")
    for wrong in (LabelledImages(images.pixels), images.take(np.flatnonzero(images.labels == 2))):
        with pytest.raises(ValueError, match=name):
            wrong.without_class(name)


def test_labelled_rows_alone_are_the_same_as_beside_others(images):
    rows, processor = draw_labels(images.labels, 24, seed=0), AraeImageProcessor(size=16)
    both, alone = (ImageArrays(images, processor, rows, 8, unlabelled=wanted) for wanted in (True, False))
    for one, other in zip(first(both.batches(10, 0, 0, 1), 5), first(alone.batches(10, 0, 0, 1), 5), strict=True):
        assert set(other) == {"labelled_pixel_values", "labels"}
        assert all(torch.equal(one[name], other[name]) for name in other)
    assert both.digest() != alone.digest()
    with pytest.raises(ValueError, match="unlabelled"):
        ImageArrays(images, processor, unlabelled=False)


def test_statistics_are_those_of_the_pixels_of_each_channel(images):
    colour = LabelledImages(
        np.stack([images.pixels[..., 0], 255 - images.pixels[..., 0], images.pixels[..., 0] * 0], 3)
    )
    mean, deviation = colour.statistics()
    np.testing.assert_allclose(mean, (colour.pixels / 255).mean((0, 1, 2)))
    np.testing.assert_allclose(deviation, [*(colour.pixels / 255).std((0, 1, 2))[:2], 1.0])


def test_shifted_images_are_windows_of_the_image_and_every_shift_comes(images):
    image = images.pixels[:1]
    augment = ImageAugmentation(shift_x=2, shift_y=1)
    padded = np.pad(image[0], ((1, 1), (2, 2), (0, 0)))
    windows = [padded[y : y + 16, x : x + 16] for y in range(3) for x in range(5)]
    seen = augment(image.repeat(400, 0), (0,), range(400))
    found = [next(place for place, window in enumerate(windows) if np.array_equal(window, one)) for one in seen]
    assert np.bincount(found, minlength=15).min() > 10
    edge = ImageAugmentation(shift_x=2, shift_fill="edge")(image + 50, (0,), [3])
    assert edge.min() >= 50
    mirrored = ImageAugmentation(mirror=True)(image.repeat(100, 0), (0,), range(100))
    turned = sum(np.array_equal(one, image[0, :, ::-1]) for one in mirrored)
    assert 30 < turned < 70 and turned + sum(np.array_equal(one, image[0]) for one in mirrored) == 100


def test_augmented_batches_go_on_as_they_were_and_two_processes_have_what_one_has(images):
    rows, augmentation = draw_labels(images.labels, 24, seed=0), ImageAugmentation(2, 2, mirror=True)
    data = ImageArrays(images, AraeImageProcessor(size=16), rows, 8, augmentation)
    source = data.batches(20, 0, 0, 1)
    batches = first(source, 24)
    source.set_position(7, None)
    for name, value in next(iter(source)).items():
        assert torch.equal(value, batches[7][name])
    half = ImageArrays(images, AraeImageProcessor(size=16), rows, 4, augmentation)
    parts = [first(half.batches(10, 0, rank, 2), 24) for rank in range(2)]
    for whole, *two in zip(batches, *parts, strict=True):
        for name, value in whole.items():
            assert torch.equal(torch.stack([part[name] for part in two], 1).flatten(0, 1), value)
    # Each visit has a draw of its own, and other settings are other data.
    first_pass, second_pass = (torch.cat([batch["pixel_values"] for batch in batches[i : i + 12]]) for i in (0, 12))
    assert not torch.equal(first_pass.sum((1, 2, 3)).sort()[0], second_pass.sum((1, 2, 3)).sort()[0])
    plain = ImageArrays(images, AraeImageProcessor(size=16), rows, 8)
    assert plain.digest() == ImageArrays(images, AraeImageProcessor(size=16), rows, 8, ImageAugmentation()).digest()
    assert data.digest() != plain.digest()


@pytest.mark.parametrize(
    "wrong", [{"shift_x": -1}, {"shift_y": 16}, {"shift_fill": "white"}, {"shift_x": 0.5}], ids=str
)
def test_a_wrong_augmentation_is_refused_by_name(images, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ImageArrays(images, AraeImageProcessor(size=16), augmentation=ImageAugmentation(**wrong))
