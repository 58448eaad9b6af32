"""A damaged summarizer's error ends with what is wrong with it, whichever kind of summarizer it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from transformers import pipeline

import hf_arae  # noqa: F401 (registers the task)

CARDS = Path(__file__).parents[2] / "model_cards"


@pytest.mark.parametrize("name", ["ursae-news", "headline-selector-news"])
@pytest.mark.parametrize("file", ["tokenizer.json", "model.safetensors"])
def test_the_last_line_says_what_is_damaged(name, file, tmp_path):
    folder = shutil.copytree(CARDS / name, tmp_path / "copy")
    (folder / file).write_bytes(b"")
    with pytest.raises(ValueError) as error:
        pipeline("text-summarization", model=str(folder))
    last = str(error.value).strip().splitlines()[-1]
    assert "damaged" in last and str(folder) in last
