"""Images from datasets, folders and files, of all sizes and kinds."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from datasets import Image as ImageFeature
from PIL import Image

from hf_arae.data.images import loading
from hf_arae.data.images.loading import ImageDataArguments, load_images, measured_split

MNIST = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "mnist"

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Beside the cache."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def encoded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def grey(value: int, size: tuple[int, int] = (8, 8)) -> Image.Image:
    return Image.new("L", size, value)


def cells(pictures: list) -> list[dict | None]:
    """Cells of an image column: of pictures, of bytes as they are, and of nothing."""
    return [
        one if one is None else {"bytes": one if isinstance(one, bytes) else encoded(one), "path": None}
        for one in pictures
    ]


def write(folder: Path, split: str, pictures: list, labels: list | None = None, kind=None, column="image") -> None:
    """A split as a parquet file in a folder of the Hub's layout."""
    folder.mkdir(exist_ok=True)
    features, columns = {column: ImageFeature()}, {column: cells(pictures)}
    if labels is not None:
        features["label"], columns["label"] = kind or Value("int64"), labels
    Dataset.from_dict(columns, Features(features)).to_parquet(folder / f"{split}.parquet")


def load(folder: Path, channels: int = 1, **arguments):
    return load_images(ImageDataArguments(dataset_name=str(folder), **arguments), 8, channels)


def values(images) -> list[int]:
    """The grey of each image that is one grey."""
    assert (images.pixels == images.pixels[:, :1, :1]).all()
    return images.pixels[:, 0, 0, 0].tolist()


def test_without_a_source_there_are_glyphs():
    found = load_images(ImageDataArguments(max_train_samples=50, max_eval_samples=20), 16, 3)
    assert {split: images.pixels.shape for split, images in found.items()} == {
        "train": (50, 16, 16, 3),
        "validation": (20, 16, 16, 3),
        "test": (20, 16, 16, 3),
    }


def test_a_folder_with_splits_and_class_labels(folder):
    kind = ClassLabel(names=["dark", "light", "none"])
    write(folder, "train", [grey(10), grey(200), grey(20)], [0, 1, 0], kind)
    write(folder, "validation", [grey(30)], [1], kind)
    write(folder, "test", [grey(40), grey(50)], [1, -1], kind)
    for workers in (0, 1):
        found = load(folder, num_workers=workers)
        assert [values(images) for images in found.values()] == [[10, 200, 20], [30], [40, 50]]
        assert [images.labels.tolist() for images in found.values()] == [[0, 1, 0], [1], [1, -100]]
        assert found["train"].label_names == ["dark", "light"]
        assert measured_split(found) == "test" and measured_split({"validation": found["validation"]}) == "validation"
    assert load(folder, label_column="none")["train"].labels is None


@pytest.mark.parametrize(
    ("kind", "labels", "names"),
    [
        (Value("string"), ["b", "a", "b", "a"], ["a", "b"]),
        (Value("bool"), [True, False, True, False], ["False", "True"]),
        (Value("float64"), [10.0, 9.0, 10.0, 9.0], ["9", "10"]),
        (Value("string"), ["b", None, "b", "a"], ["a", "b"]),
    ],
)
def test_labels_of_other_kinds_are_named_by_themselves(folder, kind, labels, names, caplog):
    for split in ("train", "validation"):
        write(folder, split, [grey(value) for value in range(4)], labels, kind)
    with caplog.at_level(logging.WARNING):
        found = load(folder)["train"]
    assert found.label_names == names
    named = [None if label == -100 else names[label] for label in found.labels]
    assert named == [None if label is None else str(label).removesuffix(".0") for label in labels]
    assert ("no label" in caplog.text) == (None in labels)


PICTURES = {
    "grey": (grey(100), [100]),
    "colour": (Image.new("RGB", (8, 8), (255, 0, 0)), [76]),
    "seen through, before white": (Image.new("RGBA", (8, 8), (0, 0, 0, 51)), [204]),
    "grey, seen through": (Image.new("LA", (8, 8), (0, 0)), [255]),
    "sixteen bits": (Image.fromarray(np.full((8, 8), 128 * 257, np.uint16)), [128]),
    "palette": (Image.new("RGB", (8, 8), (0, 0, 255)).quantize(4), [29]),
    "CMYK": (encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "TIFF"), [255]),
    "black and white": (Image.new("1", (8, 8), 1), [255]),
    "one pixel": (grey(60, (1, 1)), [60]),
    "large": (grey(61, (300, 20)), [61]),
    "fractions": (encoded(Image.fromarray(np.full((8, 8), 0.5, np.float32)), "TIFF"), [128]),
    "moving": (
        encoded(
            Image.new("P", (8, 8), 7),
            "GIF",
            save_all=True,
            append_images=[Image.new("P", (8, 8), 9)],
            palette=bytes(range(256)) * 3,
        ),
        None,
    ),
}


def test_pictures_of_mixed_sizes_and_kinds(folder):
    pictures, wanted = zip(*PICTURES.values(), strict=True)
    for split in ("train", "validation"):
        write(folder, split, list(pictures))
    found = load(folder)["train"]
    for name, value, one in zip(PICTURES, values(found), wanted, strict=True):
        assert one is None or abs(value - one[0]) <= 1, name
    assert values(found)[-1] == np.asarray(Image.open(io.BytesIO(pictures[-1])).convert("L"))[0, 0]
    assert load(folder, channels=3)["train"].pixels[1, 0, 0].tolist() == [255, 0, 0]


def test_a_picture_is_turned_as_its_camera_says_and_its_middle_is_taken(folder, caplog):
    wide = np.zeros((8, 16), np.uint8)
    wide[:4, 4:12] = 255  # the upper half of the middle
    camera = Image.Exif()
    camera[0x0112] = 6  # to be turned by a quarter, clockwise
    write(folder, "train", [Image.fromarray(wide), encoded(Image.fromarray(wide), exif=camera)])
    write(folder, "validation", [grey(1)])
    with caplog.at_level(logging.WARNING):
        plain, turned = load(folder)["train"].pixels[..., 0]
    assert (plain[:4] == 255).all() and (plain[4:] == 0).all()
    assert np.array_equal(turned, np.rot90(plain, -1))
    assert "2 images" in caplog.text


def test_a_camera_s_damaged_note_does_not_cost_the_picture(folder):
    damaged = encoded(grey(7), exif=b"Exif\0\0nothing of the kind")
    write(folder, "train", [damaged])
    write(folder, "validation", [grey(1)])
    assert values(load(folder)["train"]) == [7]


@pytest.mark.parametrize("broken", [encoded(Image.effect_noise((64, 64), 90))[:900], b"no picture", b"", None])
def test_what_cannot_be_read_is_named_or_left_out(folder, broken, caplog):
    for split in ("train", "validation"):
        write(folder, split, [grey(1), broken, grey(3)], [0, 1, 1])
    with pytest.raises(ValueError, match="row 1"):
        load(folder)
    found = load(folder, drop_incomplete=True)["train"]
    assert values(found) == [1, 3] and found.labels.tolist() == [0, 1] and "Dropped 1" in caplog.text


def test_an_image_folder_and_lists_of_files(folder):
    for name, value in (("dark", 10), ("light", 200)):
        (folder / "train" / name).mkdir(parents=True)
        for number in range(3):
            grey(value + number).save(folder / "train" / name / f"{number}.png")
    files = str(folder / "train" / "*" / "*.png")
    for arguments in ({"dataset_name": str(folder)}, {"train_file": files}):
        found = load_images(ImageDataArguments(**arguments), 8, 1)
        assert len(found["train"]) == 5 and len(found["validation"]) == 1
        assert found["train"].label_names == ["dark", "light"]
        assert [value >= 200 for value in values(found["train"])] == found["train"].labels.astype(bool).tolist()
    alone = load_images(ImageDataArguments(train_file=f"{folder}/train/dark/*.png, {folder}/train/dark/0.png"), 8, 1)
    assert alone["train"].labels is None and sorted(values(alone["train"]))[0] == 10
    (folder / "train" / "dark" / "notes.txt").write_text("of a walk")
    assert len(load_images(ImageDataArguments(dataset_name=str(folder)), 8, 1)["train"]) == 5
    with pytest.raises(ValueError, match=r"notes\.txt"):
        load_images(ImageDataArguments(train_file=str(folder / "train" / "*" / "*")), 8, 1)
    with pytest.raises(FileNotFoundError):
        load_images(ImageDataArguments(train_file=str(folder / "*.jpg")), 8, 1)


def test_a_validation_split_is_held_out_of_the_training_rows(folder, caplog):
    write(
        folder,
        "train",
        [grey(value) for value in range(100)],
        [value % 9 if value < 99 else 9 for value in range(100)],
    )
    found = load(folder)
    assert len(found["validation"]) <= 5 < 94 < len(found["train"])
    assert sorted(values(found["train"]) + values(found["validation"])) == list(range(100))
    assert 9 in found["train"].labels and values(load(folder)["train"]) == values(found["train"])
    assert measured_split(found) == "split off"
    small = load(folder, max_train_samples=20, max_eval_samples=2)
    assert len(small["train"]) == 20 and len(small["validation"]) == 2
    assert set(values(small["train"])) < set(values(found["train"]))
    again = folder.parent / "again"
    write(again, "train", [grey(value % 3) for value in range(100)])
    load(again)
    assert "among the training" in caplog.text


def test_columns_are_guessed_only_when_they_are_clear(folder, caplog):
    write(folder / "one", "train", [grey(1), grey(2)], column="picture")
    with caplog.at_level(logging.WARNING):
        assert len(load(folder / "one")["train"]) == 1
    assert "'picture'" in caplog.text
    both = {"left": cells([grey(1), grey(2)]), "right": cells([grey(3), grey(4)]), "name": ["a", "b"]}
    (folder / "two").mkdir()
    features = Features({"left": ImageFeature(), "right": ImageFeature(), "name": Value("string")})
    Dataset.from_dict(both, features).to_parquet(folder / "two" / "train.parquet")
    with pytest.raises(ValueError, match="left, right"):
        load(folder / "two")
    assert len(load(folder / "two", image_column="right")["train"]) == 1
    for wrong in ({"image_column": "middle"}, {"image_column": "left", "label_column": "left"}):
        with pytest.raises(ValueError):
            load(folder / "two", **wrong)
    with pytest.raises(ValueError, match="row 0"):
        load(folder / "two", image_column="name")  # names of files that are not there


def test_splits_of_several_files_are_read_whole(folder):
    for part in range(2):
        write(folder, f"train-0000{part}-of-00002", [grey(10 * part + number) for number in range(4)], [0, 1, 0, 1])
    write(folder, "test", [grey(9)], [0])
    found = load(folder)
    assert sorted(values(found["train"]) + values(found["validation"])) == [0, 1, 2, 3, 10, 11, 12, 13]


def test_wrong_data_are_refused(folder, monkeypatch):
    write(folder / "one", "train", [grey(1)])
    write(folder / "other", "train", [grey(1), grey(2)], ["a", "b"], Value("string"))
    write(folder / "other", "validation", [grey(1)], ["c"], Value("string"))
    (folder / "text").mkdir()
    (folder / "text" / "train.csv").write_text("text,label\na,b\n")
    for name in ("one", "other", "text"):
        with pytest.raises(ValueError):
            load(folder / name)
    for wrong in ({"num_workers": -1}, {"max_train_samples": 0}, {"train_file": "x.png"}):
        with pytest.raises(ValueError):
            load(folder / "other", **wrong)
    for size, channels in ((0, 1), (-1, 1), (2.5, 1), (28, 2), (28, 4)):
        with pytest.raises(ValueError, match="image_size" if channels == 1 else "num_channels"):
            load_images(ImageDataArguments(dataset_name=str(folder / "one")), size, channels)
    monkeypatch.setattr(loading, "_free_memory", lambda: 100)
    write(folder / "other", "validation", [grey(1)], ["a"], Value("string"))
    with pytest.raises(ValueError, match="max_train_samples"):
        load(folder / "other")


@pytest.mark.skipif(not MNIST.is_dir(), reason="the digits are not here")
def test_the_digits():
    found = load_images(
        ImageDataArguments(dataset_name=str(MNIST), max_train_samples=500, max_eval_samples=100), 28, 1
    )
    assert [len(images) for images in found.values()] == [500, 100, 100]
    assert found["test"].label_names == [str(digit) for digit in range(10)]
