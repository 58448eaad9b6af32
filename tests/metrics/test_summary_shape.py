from pathlib import Path

import pytest
from datasets import Dataset

from hf_arae.metrics import SummaryShape

GIGAWORD = Path(__file__).parents[3] / "shared" / "data" / "gigaword" / "test.parquet"


def shape(summaries, documents):
    return SummaryShape().compute(predictions=summaries, references=documents)


def test_by_hand():
    scores = shape(["the dog runs", "a cat"], ["the dog ran to a cat", "cat sat on a mat"])
    assert scores == pytest.approx(
        {
            "mean_length": 2.5,
            "compression": 100 * 5 / 11,
            "copy_rate": 80,  # all but "runs"
            "novel_bigrams": 100 * 2 / 3,  # "dog runs" and "a cat", which the second document has not
            "prefix_overlap": 40,  # "the dog"
            "distinct": 100,
            "empty": 0,
        }
    )


def test_a_model_that_copies_the_beginning():
    documents = [f"w{i} x{i} y{i} z{i}" for i in range(10)]
    scores = shape([" ".join(text.split()[:2]) for text in documents], documents)
    assert scores["prefix_overlap"] == scores["copy_rate"] == scores["distinct"] == 100
    assert scores["novel_bigrams"] == 0 and scores["compression"] == 50


def test_a_model_that_writes_one_thing():
    scores = shape(["no"] * 10, [f"w{i}" for i in range(10)])
    assert scores["distinct"] == 10 and scores["copy_rate"] == 0 and scores["compression"] == 100


def test_a_summary_longer_than_its_document():
    assert shape(["a b c"], ["a"])["prefix_overlap"] == pytest.approx(100 / 3)


def test_empty_summaries_and_documents():
    scores = shape(["", "  ", "a"], ["b", "", "a"])
    assert scores["empty"] == pytest.approx(200 / 3) and scores["distinct"] == pytest.approx(200 / 3)
    assert set(shape([""], [""]).values()) == {0.0, 100.0}  # nothing to divide by is no error


@pytest.mark.skipif(not GIGAWORD.exists(), reason="Gigaword is not here")
def test_human_headlines_of_gigaword(tmp_path):
    pairs = Dataset.from_parquet(str(GIGAWORD), cache_dir=str(tmp_path))
    scores = shape(pairs["summary"], pairs["document"])
    assert 8 < scores["mean_length"] < 10 and 20 < scores["compression"] < 35
    assert 40 < scores["copy_rate"] < 60 and scores["prefix_overlap"] < 10 and scores["empty"] == 0
