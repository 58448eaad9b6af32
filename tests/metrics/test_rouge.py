from pathlib import Path

import pytest
from datasets import Dataset

from hf_arae.metrics import Rouge

GIGAWORD = Path(__file__).parents[3] / "shared" / "data" / "gigaword" / "test.parquet"


def test_by_hand():
    # Unigrams: 3 of 4 and of 3. Bigrams: "the cat" of 3 and of 2. Longest common subsequence: "the cat sat".
    scores = Rouge().compute(predictions=["the cat he sat"], references=["the cat sat"])
    assert scores == pytest.approx({"rouge1": 100 * 6 / 7, "rouge2": 100 * 2 / 5, "rougeL": 100 * 6 / 7})


def test_order_matters_for_rouge_l_alone():
    scores = Rouge().compute(predictions=["b a"], references=["a b"])
    assert scores == pytest.approx({"rouge1": 100, "rouge2": 0, "rougeL": 50})


def test_mean_over_sentences():
    assert Rouge().compute(predictions=["a b", ""], references=["a b", "c"])["rouge1"] == pytest.approx(50)


def test_stemmer():
    inputs = {"predictions": ["closing schools"], "references": ["closed school"]}
    assert Rouge().compute(**inputs)["rougeL"] == pytest.approx(100)
    assert Rouge().compute(**inputs, use_stemmer=False)["rougeL"] == 0


def test_best_reference_counts():
    scores = Rouge().compute(predictions=["a b", "c"], references=[["x", "a b"], ["c"]])
    assert scores["rouge1"] == pytest.approx(100)


@pytest.mark.skipif(not GIGAWORD.exists(), reason="Gigaword is not here")
def test_published_value_of_lead_8_on_gigaword(tmp_path):
    pairs = Dataset.from_parquet(str(GIGAWORD), cache_dir=str(tmp_path))
    assert len(pairs) == 1951
    lead = [" ".join(document.split()[:8]) for document in pairs["document"]]
    scores = Rouge().compute(predictions=lead, references=pairs["summary"])
    assert scores == pytest.approx({"rouge1": 21.30, "rouge2": 7.35, "rougeL": 19.95}, abs=0.01)
