"""The example that trains a headline selector, run as a user runs it, on the built-in news."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from transformers import pipeline
from warm_python import run_python

import hf_arae  # noqa: F401 (registers the pipeline)
from hf_arae.data.corpora.news import build_news
from hf_arae.data.text.tokenization import train_tokenizer

ROOT = Path(__file__).parents[2]


def run(out: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [ROOT / "examples" / "train_headline_search.py", "--output_dir", out, "--use_cpu"]
    command += ["--disable_tqdm", "--report_to", "none", *arguments]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return run_python(command, env=environment)


def test_a_selector_learns_from_titles_of_other_documents(tmp_path):
    tokenizer = train_tokenizer(build_news()["train"]["document"], max_length=50, style="news")
    tokenizer.save_pretrained(tmp_path / "words")
    small = ["--num_members", "1", "--hidden_size", "16", "--num_train_epochs", "1"]
    given = ["--tokenizer", str(tmp_path / "words"), "--headlines_from_validation", "0.4"]
    done = run(tmp_path / "run", *small, *given)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run" / "metrics.json").read_text())
    lead, own = report["test"]["first 10 words"], report["test"]["its own length"]
    assert own["rougeL"] > lead["rougeL"] + 5 and own["mean_length"] <= 11
    assert "3120 unpaired titles, 180 pairs for tuning" in done.stdout
    summarize = pipeline("text-summarization", model=str(tmp_path / "run"))
    assert len(summarize.tokenizer) == len(tokenizer)
    news = "The justice minister of Lustria, Carlo Eversley, stepped down over the weekend, diplomats confirmed."
    assert summarize(news, target_length=5)["summary_words"] == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--headlines_from_validation", "1.0"], "headlines_from_validation must lie in [0, 1), got 1.0"),
        (["--minimum_similarity", "0.99", "--max_train_samples", "200"], "lower minimum_similarity"),
        (["--train_file", "@articles"], "summary"),
    ],
)
def test_wrong_input_is_named(tmp_path, arguments, message):
    (tmp_path / "articles.jsonl").write_text('{"document": "the harbour was closed on monday ."}\n' * 40)
    files = [str(tmp_path / "articles.jsonl") if argument == "@articles" else argument for argument in arguments]
    done = run(tmp_path / "out", *files)
    assert done.returncode != 0 and message in done.stderr.splitlines()[-1]
