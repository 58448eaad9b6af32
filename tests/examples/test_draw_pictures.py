"""The script that draws the pictures of the texts, on few sentences, and the pictures themselves."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from datasets import DatasetDict

pytest.importorskip("matplotlib", reason="needs hf_arae[plots]")
from PIL import Image

from hf_arae.data.corpora.reviews import build_reviews

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = {"training.png", "codes-reviews.png", "codes-captions.png", "transfers.png"}


@pytest.fixture
def script(monkeypatch):
    spec = importlib.util.spec_from_file_location("draw_pictures", EXAMPLES / "draw_pictures.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "draw_pictures", module)  # where dataclasses look
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path):
    """A training that is over."""
    lines = [
        {"step": step, "autoencoder/loss": 8 / step, "critic/wasserstein_distance": 1 / step}
        for step in range(5, 20, 5)
    ]
    names = ("transfer_accuracy", "source_bleu", "reconstruction_bleu")
    lines.append({"step": 20} | {f"eval/{name}": 50.0 for name in names})
    (tmp_path / "training_log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "metrics.json").write_text("{}")
    return tmp_path


def test_all_pictures_are_drawn(script, run, tmp_path, monkeypatch, capsys):
    few = DatasetDict({"test": build_reviews()["test"].select(range(120))})
    monkeypatch.setattr(script, "build_reviews", lambda: few)
    monkeypatch.setattr(script, "CLOTHES", ("",))
    monkeypatch.setattr(script, "map_codes", lambda codes, seed: codes[:, :2].numpy())  # seconds less
    monkeypatch.setattr("sys.argv", ["draw_pictures.py", "--output_dir", str(tmp_path / "new"), "--run", str(run)])
    script.main()
    assert {picture.name for picture in (tmp_path / "new").iterdir()} == NAMES
    for name in NAMES:
        with Image.open(tmp_path / "new" / name) as image:
            assert image.size[0] == 1440 and len(image.convert("RGB").getcolors()) > 20
    assert "has the same label for" in capsys.readouterr().out


def test_a_training_that_is_not_there_is_run(script, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(script.subprocess, "run", lambda command, check: asked.append(command))
    monkeypatch.setattr(
        "sys.argv", ["draw_pictures.py", "--output_dir", str(tmp_path), "--run", str(tmp_path / "none")]
    )
    with pytest.raises(FileNotFoundError, match="training_log"):  # nothing was trained here
        script.main()
    assert Path(asked[0][1]).is_file() and asked[0][2:4] == ["--output_dir", str(tmp_path / "none")]


def test_changed_words_are_marked(script):
    a, b = ["the", "food", "was", "bad", "."], ["the", "food", "is", "really", "great", "."]
    assert script.changed(a, b) == [False, False, True, True, False]
    assert script.changed(b, a) == [False, False, True, True, True, False]


def test_a_picture_that_is_too_large_is_refused(script, run, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "MAX_BYTES", 100)
    with pytest.raises(SystemExit, match="more than 100"):
        script.save(script.draw_training(run / "training_log.jsonl"), tmp_path / "large.png")


def test_the_pictures_are_there_and_small(script):
    pictures = {picture.name: picture for picture in (EXAMPLES / "pictures").iterdir()}
    assert set(pictures) == NAMES
    assert all(picture.stat().st_size <= script.MAX_BYTES for picture in pictures.values())
