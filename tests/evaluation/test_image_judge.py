"""The judge of images: what it learns, that it is the same again, and what it refuses."""

import numpy as np
import pytest
import torch

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation import image_judge
from hf_arae.evaluation.image_judge import ImageJudge, judge_for, train_judge
from hf_arae.evaluation.image_pixels import to_unit
from hf_arae.models.images.image_processing import AraeImageProcessor


def bars(count, size=28, channels=1, seed=0, labelled=True):
    """Images of two classes: a bright bar that stands or lies, on noise."""
    source = np.random.default_rng(seed)
    pixels = source.integers(0, 100, (count, size, size, channels), dtype=np.uint8)
    labels = source.integers(0, 2, count)
    for one, label in zip(pixels, labels, strict=True):
        place = source.integers(size - size // 7)
        part = slice(place, place + size // 7)
        one[part if label else slice(None), slice(None) if label else part] = 255
    return LabelledImages(pixels, labels if labelled else None, ["standing", "lying"] if labelled else [])


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3), (96, 1)])
def test_it_learns_classes_of_images_of_any_size(size, channels):
    held_out = bars(60, size, channels, seed=1)
    judge = train_judge(bars(400, size, channels), held_out, rounds=[40])
    assert judge.accuracy > 90
    read = judge.read(held_out.pixels)
    assert read.features.shape == (60, 64)
    assert read.features.dtype == torch.float32
    torch.testing.assert_close(read.probabilities.sum(1), torch.ones(60, dtype=torch.float64))
    assert 100 * (read.probabilities.argmax(1).numpy() == held_out.labels).mean() == judge.accuracy
    torch.testing.assert_close(judge.features(to_unit(held_out.pixels)), read.features)


def test_it_is_trained_once_and_the_same_again(tmp_path):
    images, held_out = bars(200), bars(40, seed=1)
    before = torch.random.get_rng_state()
    with torch.no_grad():  # as in an evaluation
        first = train_judge(images, held_out, tmp_path / "judges", rounds=[5])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not first.training
    again = train_judge(images, held_out, rounds=[5])
    (path,) = (tmp_path / "judges").iterdir()
    stamp = path.stat().st_mtime_ns
    loaded = train_judge(images, held_out, tmp_path / "judges", rounds=[5])
    assert path.stat().st_mtime_ns == stamp
    assert first.accuracy == again.accuracy == loaded.accuracy
    assert loaded.label_names == ["standing", "lying"]
    for other in (again, loaded):
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))
    train_judge(bars(200, seed=2), held_out, tmp_path / "judges", rounds=[5])  # other images, another judge
    assert len(list((tmp_path / "judges").iterdir())) == 2


def test_rows_without_a_label_are_left_out():
    images = bars(200)
    labels = images.labels.copy()
    labels[:50] = -100
    some = LabelledImages(images.pixels, labels, images.label_names)
    whole, part = train_judge(some, rounds=[5]), train_judge(images.take(np.arange(50, 200)), rounds=[5])
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), part.parameters(), strict=True))
    assert np.isnan(whole.accuracy)


def test_a_judge_that_learnt_nothing_is_warned_of_whenever_it_is_taken(tmp_path, caplog):
    images, held_out = bars(100), bars(60, seed=1)
    labels = np.random.default_rng(0).integers(0, 2, 100)
    for _ in ("trained", "loaded"):
        caplog.clear()
        judge = train_judge(LabelledImages(images.pixels, labels, images.label_names), held_out, tmp_path, rounds=[10])
        assert judge.accuracy < 75
        assert f"{judge.accuracy:.1f} %" in caplog.text
        assert "mean nothing" in caplog.text
    caplog.clear()
    train_judge(images, held_out, rounds=[40])
    assert not caplog.text


def test_harder_images_have_more_rounds_until_nothing_is_gained(monkeypatch):
    made, found = [], iter([20.0, 20.0, 80.0, 80.5, 99.0])
    monkeypatch.setattr(image_judge, "_accuracy", lambda *_: next(found))
    monkeypatch.setattr(image_judge, "_run_round", lambda *about: made.append(about[5:]))
    train_judge(bars(100), rounds=[1, 2, 3, 4, 5])
    assert made == [(2, 50, 0), (2, 50, 2), (3, 50, 2), (4, 50, 2)]  # two updates are a pass over 100 images
    found, made[:] = iter([98.0]), []
    train_judge(bars(100), rounds=[1, 2])
    assert len(made) == 1


def test_images_are_moved_with_their_edges_drawn_out():
    images = bars(50, 12).pixels
    moved = image_judge._moved(images, 2)
    assert moved.shape == images.shape
    assert not np.array_equal(moved, images)
    for before, after in zip(images, moved, strict=True):
        assert any(
            np.array_equal(np.roll(before, (down, right), (0, 1))[2:-2, 2:-2], after[2:-2, 2:-2])
            for down in range(-2, 3)
            for right in range(-2, 3)
        )


def test_data_without_labels_have_no_judge(caplog):
    data = {"train": bars(20, labelled=False), "validation": bars(20, labelled=False)}
    with pytest.raises(ValueError, match="labels"):
        train_judge(data["train"])
    one = bars(20)
    with pytest.raises(ValueError, match="two"):
        train_judge(LabelledImages(one.pixels, np.zeros(20, np.int64), one.label_names))
    assert judge_for(data, AraeImageProcessor()) is None
    assert "Frechet" in caplog.text


def test_a_test_split_without_labels_leaves_the_accuracy_to_the_validation_split(tmp_path):
    data = {"train": bars(200), "validation": bars(40, seed=1), "test": bars(40, seed=2, labelled=False)}
    with_test, without = (
        judge_for({name: data[name] for name in names}, AraeImageProcessor(), tmp_path)
        for names in (("train", "validation", "test"), ("train", "validation"))
    )
    assert with_test.accuracy == without.accuracy > 90


def test_a_judge_of_binary_images_is_trained_on_binary_images(tmp_path):
    data = {"train": bars(100), "validation": bars(20, seed=1)}
    grey = judge_for(data, AraeImageProcessor(), tmp_path)
    binary = judge_for(data, AraeImageProcessor(binarize="threshold"), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert not torch.equal(grey.to_logits.weight, binary.to_logits.weight)


def test_other_images_and_damaged_files_are_refused(tmp_path):
    judge = ImageJudge(28, 1, ["a", "b"])
    for images in (
        torch.zeros(2, 3, 28, 28),
        torch.zeros(2, 1, 32, 32),
        torch.zeros(0, 1, 28, 28),
        torch.zeros(28, 28),
    ):
        with pytest.raises(ValueError):
            judge.read(images)
    with pytest.raises(ValueError, match="finite"):
        judge.read(torch.full((2, 1, 28, 28), float("nan")))
    with pytest.raises(FileNotFoundError):
        ImageJudge.load(tmp_path / "none.safetensors")
    (tmp_path / "half.safetensors").write_bytes(b"1234")
    with pytest.raises(ValueError, match=r"half\.safetensors"):
        ImageJudge.load(tmp_path / "half.safetensors")
