"""What is said of texts before a training."""

from __future__ import annotations

import pytest
from datasets import Dataset
from transformers.utils import logging

from hf_arae.data.loading import DataArguments
from hf_arae.data.stream_batches import StreamedSentences
from hf_arae.data.streaming import load_text_stream
from hf_arae.data.text.encoding import read_dataset
from hf_arae.data.text.hidden_words import report_hidden_words, warn_of_texts
from hf_arae.data.text.tokenization import train_tokenizer

TEXTS = ["the soup was awful .", "the soup was superb .", "i would come back ."]


@pytest.fixture
def said(caplog):
    logging.enable_propagation()
    yield lambda: caplog.text
    logging.disable_propagation()


def test_texts_that_are_cut_are_counted(said):
    tokenizer = train_tokenizer(TEXTS, max_length=5)
    warn_of_texts(TEXTS, tokenizer, "train")
    assert not said()
    read_dataset(
        Dataset.from_dict({"text": [*TEXTS, "the soup was awful . " * 3]}), tokenizer, "train", drop_longer=False
    )
    assert "1 of 4 train texts" in said() and "more than 5 words" in said()
    warn_of_texts(["the soup was awful . i would come"], tokenizer, "paired", pairs=True)
    assert "paired texts have more than 3 words" in said()  # two of them are framed by four tokens


def test_texts_of_unknown_words_are_named(said):
    tokenizer = train_tokenizer(TEXTS)
    warn_of_texts(TEXTS, tokenizer, "validation")
    assert not said()
    warn_of_texts(["alles war ganz furchtbar .", "the soup"], tokenizer, "validation")
    assert "57 % of the words of the validation texts" in said()


@pytest.mark.parametrize(
    ("texts", "spaced"),
    [
        (["\u8fd9\u5bb6\u9910\u5385\u7684\u98df\u7269\u975e\u5e38\u597d\u5403"], False),
        (["\u8fd9 \u5bb6 \u9910\u5385 \u7684 \u98df\u7269 \u975e\u5e38 \u597d\u5403"], True),
        (["\u0e2d\u0e32\u0e2b\u0e32\u0e23\u0e2d\u0e23\u0e48\u0e2d\u0e22\u0e21\u0e32\u0e01"], False),
        (["thesoupwasawfulandcold"], False),
        (["die Donaudampfschifffahrt war heute leider ziemlich unangenehm ."], True),
        (["so \U0001f600 \U0001f600 !"], True),
    ],
)
def test_texts_without_spaces_are_named(said, texts, spaced):
    warn_of_texts(texts, train_tokenizer(texts), "train")
    assert ("separated by spaces" not in said()) == spaced


def test_texts_without_a_word_that_is_seen_are_left_out(said):
    tokenizer = train_tokenizer(TEXTS)
    read = read_dataset(Dataset.from_dict({"text": ["\u200b", *TEXTS]}), tokenizer, "train")
    assert len(read) == 3 and "1 of 4 train sentences" in said()
    with pytest.raises(ValueError, match="train split"):
        read_dataset(Dataset.from_dict({"text": ["\u200b", "\ufeff"]}), tokenizer, "train")


def test_hidden_words_are_counted_and_listed(transfer_model, tokenizer, tmp_path):
    path, config = tmp_path / "run" / "hidden.txt", transfer_model.config
    assert report_hidden_words(transfer_model, tokenizer, path, anew=True) == "" and not path.exists()
    config.mask_attribute_words, threshold = True, config.salience_threshold
    try:
        config.salience_threshold = 0.5
        line = report_hidden_words(transfer_model, tokenizer, path, anew=True)
        listed = [row.split("\t") for row in path.read_text(encoding="utf-8").splitlines()]
        expected = (transfer_model.attribute_log_odds.amax(1) > 0.5).sum()
        assert len(listed) == expected > 2
        assert line.startswith(f"{expected} of {len(tokenizer) - 5} words") and str(path) in line
        odds = [float(number) for _, number in listed]
        assert odds == sorted(odds, reverse=True) and all(word in line for word, _ in listed[:10])
        config.salience_threshold = 100.0
        assert report_hidden_words(transfer_model, tokenizer, path, anew=False).startswith("0 of")
        assert len(path.read_text(encoding="utf-8").splitlines()) == expected  # of the run that goes on
    finally:
        config.mask_attribute_words, config.salience_threshold = False, threshold


def test_a_stream_leaves_out_texts_without_a_word_that_is_seen(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("\u200b\n" + "\n".join(TEXTS) + "\n\ufeff\u00ad\n", encoding="utf-8")
    arguments = DataArguments(train_file=str(path), validation_file=str(path))
    stream, _ = load_text_stream(arguments, 10, label_required=False)
    batches = StreamedSentences(stream, train_tokenizer(TEXTS)).batches(3, 0, 0, 1)
    assert [len(row) for row in next(iter(batches))["input_ids"]] == [7, 7, 7]
    assert min(next(iter(batches))["attention_mask"].sum(1)) > 2
