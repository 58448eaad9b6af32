"""An exported model that several files of tests share."""

import shutil
from pathlib import Path

import pytest

from hf_arae.onnx import OnnxTextAutoencoder, export_onnx


@pytest.fixture(scope="module")
def folder(transfer_model, tokenizer, tmp_path_factory):
    """An exported model of two labels with its tokenizer. Not to be changed."""
    folder = tmp_path_factory.mktemp("exported")
    export_onnx(transfer_model, folder, tokenizer)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return OnnxTextAutoencoder.from_pretrained(folder, num_threads=1, batch_size=2)


@pytest.fixture
def spoiled(folder, tmp_path):
    """A copy of the folder, to be spoiled."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))
