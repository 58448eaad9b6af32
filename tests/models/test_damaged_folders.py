"""A checkpoint folder with a missing, damaged or foreign file is refused, and what is wrong is named."""

from __future__ import annotations

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoModel, pipeline

import hf_arae  # noqa: F401 (registers the Auto classes)


@pytest.fixture
def folder(transfer_folder, tmp_path):
    return shutil.copytree(transfer_folder, tmp_path / "copy")


def test_weights_that_are_missing(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"model\.safetensors"):
        AutoModel.from_pretrained(folder)


def test_weights_that_are_cut_short(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(OSError, match="copy: the file of the weights is damaged"):
        AutoModel.from_pretrained(folder)


def test_weights_of_a_model_of_another_size(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["critic.layers.0.weight"] = tensors["critic.layers.0.weight"].repeat(2, 1)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RuntimeError, match=r"critic.layers.0.weight|mismatch"):
        AutoModel.from_pretrained(folder)


def test_a_misspelled_key_in_the_config(folder):
    config = json.loads((folder / "config.json").read_text())
    config["hiden_size"] = config.pop("hidden_size")
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="Did you mean hidden_size"):
        AutoModel.from_pretrained(folder)


def test_a_config_that_is_missing_or_of_another_family(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "rnn_lm"}))
    with pytest.raises(ValueError):
        pipeline("text-style-transfer", model=str(folder))
    (folder / "config.json").unlink()
    with pytest.raises((OSError, ValueError), match=r"config\.json"):
        pipeline("text-style-transfer", model=str(folder))


def test_a_tokenizer_that_is_missing(folder):
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (folder / file).unlink()
    with pytest.raises((OSError, ValueError), match="tokenizer"):
        pipeline("text-style-transfer", model=str(folder))
