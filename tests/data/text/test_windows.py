"""Texts of any length are cut into windows, in memory and from a stream."""

from __future__ import annotations

from itertools import islice

import pytest
from datasets import Dataset

from hf_arae.data.loading import DataArguments
from hf_arae.data.streaming import load_text_stream
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.data.text.windows import StreamedWindows, window_arrays, window_ids

WORDS = [f"w{number}" for number in range(40)]
TEXTS = [" ".join(WORDS[:count]) for count in (3, 17, 6, 1, 39, 4, 5)]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, max_length=4)  # and <bos> and <eos>: windows of 6


def test_windows_follow_one_another_and_the_last_one_is_kept(tokenizer):
    found = window_ids(TEXTS, tokenizer)
    for text, windows in zip(TEXTS, found, strict=True):
        words = [word for window in windows for word in tokenizer.convert_ids_to_tokens(window)]
        if len(text.split()) % 6 == 5:  # <eos> would be alone in a window
            assert words == ["<bos>", *text.split()]
        else:
            assert words == ["<bos>", *text.split(), "<eos>"]
        assert all(len(window) == 6 for window in windows[:-1]) and 2 <= len(windows[-1]) <= 6
    assert window_ids(["", " \u200b "], tokenizer) == [[], []] and window_ids([], tokenizer) == []


def test_rows_in_memory_are_all_windows(tokenizer, caplog):
    arrays = window_arrays([*TEXTS, " "], tokenizer)
    windows = [window for one in window_ids(TEXTS, tokenizer) for window in one]
    assert len(arrays) == len(windows)
    for row, window in enumerate(windows):
        assert arrays.__getitems__([row])["input_ids"][0].tolist() == window
    with pytest.raises(ValueError, match="No text of the held-out split"):
        window_arrays([" ", ""], tokenizer, "held-out")


@pytest.fixture(scope="module")
def streamed(tmp_path_factory, tokenizer):
    folder = tmp_path_factory.mktemp("texts")
    path = str(folder / "texts.parquet")
    Dataset.from_dict({"text": TEXTS}).to_parquet(path)
    arguments = DataArguments(train_file=path, validation_file=path)
    stream, _ = load_text_stream(arguments, 10, label_required=False)
    return StreamedWindows(stream, tokenizer, shuffle_buffer=4)


def rows_of(batch):
    return [tuple(ids[mask.bool()].tolist()) for ids, mask in zip(*batch.values(), strict=True)]


def test_a_pass_of_a_stream_is_the_windows_in_memory(streamed, tokenizer):
    windows = sorted(tuple(window) for one in window_ids(TEXTS, tokenizer) for window in one)
    batches = streamed.batches(1, 0, 0, 1)
    found = [row for batch in islice(batches, len(windows)) for row in rows_of(batch)]
    assert sorted(found) == windows


def test_a_stream_of_windows_goes_on_in_the_middle_of_a_text(streamed):
    straight = streamed.batches(2, 3, 0, 1)
    wanted = [rows_of(batch) for batch in islice(straight, 12)]
    assert len({row for batch in wanted for row in batch}) > 6
    for stop in range(1, 11):
        first = streamed.batches(2, 3, 0, 1)
        assert [rows_of(batch) for batch in islice(first, stop)] == wanted[:stop]
        second = streamed.batches(2, 3, 0, 1)
        second.set_position(stop, first.position())
        assert [rows_of(batch) for batch in islice(second, 12 - stop)] == wanted[stop:], stop


def test_processes_share_the_windows_of_a_stream(streamed):
    alone = [rows_of(batch) for batch in islice(streamed.batches(2, 3, 0, 1), 4)]
    shared = [islice(streamed.batches(1, 3, rank, 2), 4) for rank in (0, 1)]
    for whole, *parts in zip(alone, *shared, strict=True):
        assert sorted(row for part in parts for row in rows_of(part)) == sorted(whole)
    assert streamed.batches(1, 0, 0, 1).fingerprint()["data.windows"] is True
