"""Texts as the tokenizer reads them."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset
from transformers.utils import logging

from hf_arae.data.text.encoding import read_dataset
from hf_arae.data.text.tokenization import train_tokenizer

TEXTS = ["The food was GREAT!", "it's a very , very long sentence .", "awful."]


@pytest.fixture
def tokenizer():
    return train_tokenizer(TEXTS, max_length=5)


def test_texts_are_as_models_write_them_and_long_ones_left_out(tokenizer, caplog):
    dataset = Dataset.from_dict({"text": TEXTS, "label": [0, 1, 1]}).cast_column("label", ClassLabel(names=["a", "b"]))
    logging.enable_propagation()
    try:
        read = read_dataset(dataset, tokenizer, "train")
    finally:
        logging.disable_propagation()
    assert read["text"][:] == ["the food was great !", "awful ."] and read["label"][:] == [0, 1]
    assert read.features["label"].names == ["a", "b"]
    assert "Left out 1 of 3 train sentences" in caplog.text
    assert read_dataset(read, tokenizer, "train")["text"][:] == read["text"][:]
    for text, ids in zip(read["text"], tokenizer(read["text"][:])["input_ids"], strict=True):
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_long_sentences_may_stay(tokenizer):
    read = read_dataset(Dataset.from_dict({"text": TEXTS}), tokenizer, "train", drop_longer=False)
    assert len(read) == 3 and read["text"][1] == "it 's a very , very long sentence ."


def test_nothing_left_is_an_error(tokenizer):
    with pytest.raises(ValueError, match="Every sentence of the test split has more than 5 words"):
        read_dataset(Dataset.from_dict({"text": TEXTS[1:2]}), tokenizer, "test")
