"""Pictures are drawn where matplotlib is, and refused where they would mislead."""

from __future__ import annotations

import json

import pytest
import torch

from hf_arae.evaluation import latent_pictures
from hf_arae.evaluation.latent_pictures import draw_code_curves, draw_code_maps


@pytest.fixture
def log_file(tmp_path):
    lines = [{"step": 5, "autoencoder/loss": 1.0}]
    for step in (10, 20):
        names = ("code_norm", "drawn_norm", "code_variance", "drawn_variance", "neighbour_cosine", "random_cosine")
        lines.append({"step": step} | {f"eval/{name}": 1 / step for name in names})
    path = tmp_path / "training_log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_curves_are_drawn_from_logs(tmp_path, log_file):
    pytest.importorskip("matplotlib")
    assert draw_code_curves({"ae": log_file, "arae": log_file}, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_each_line_says_what_it_is_of(tmp_path, log_file, monkeypatch):
    figure = pytest.importorskip("matplotlib.figure").Figure
    panels = []
    monkeypatch.setattr(figure, "savefig", lambda self, *_, **__: panels.extend(self.axes))
    draw_code_curves({"arae": log_file}, tmp_path / "curves.png")
    lines = [[(line.get_label(), line.get_linestyle()) for line in panel.lines] for panel in panels]
    assert lines[0] == lines[1] == [("arae", "-"), ("arae, drawn", "--")]
    assert lines[2] == [("arae", "-"), ("arae, random pairs", ":")]


def test_a_model_in_a_far_folder_leaves_room_for_the_curves(tmp_path, log_file, recwarn):
    pytest.importorskip("matplotlib")
    assert draw_code_curves({f"{'/far' * 30}/arae": log_file}, tmp_path / "curves.png")
    assert not [warning for warning in recwarn if "layout" in str(warning.message)]


def test_without_numbers_there_is_no_picture(tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "log").write_text('{"step": 1, "language_model/loss": 2.0}\n')
    assert not draw_code_curves({"lm": tmp_path / "log"}, tmp_path / "curves.png")
    assert not draw_code_curves({}, tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


def test_maps_show_each_model(tmp_path):
    pytest.importorskip("matplotlib")
    codes = {name: torch.randn(20, 4, generator=torch.Generator().manual_seed(0)) for name in ("ae", "arae")}
    for labels in (["a", "b"], ["$5", "$x^$"]):  # no formulas
        assert draw_code_maps(codes, labels * 10, tmp_path / "codes.png")
    assert (tmp_path / "codes.png").stat().st_size > 1000
    with pytest.raises(ValueError, match="at most 10 labels"):
        draw_code_maps(codes, [str(row) for row in range(20)], tmp_path / "codes.png")
    with pytest.raises(ValueError, match="at least 4 codes"):
        draw_code_maps({"ae": torch.zeros(3, 4)}, None, tmp_path / "codes.png")


def test_without_matplotlib_nothing_is_drawn(tmp_path, log_file, monkeypatch):
    monkeypatch.setattr(latent_pictures, "find_spec", lambda name: None)
    assert not draw_code_curves({"ae": log_file}, tmp_path / "curves.png")
    assert not draw_code_maps({"ae": torch.zeros(20, 4)}, None, tmp_path / "codes.png")
    assert not list(tmp_path.glob("*.png"))
