"""The example scripts that use a summarizer, run as a user runs them, with a tiny untrained one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from headline_selectors import untrained_selector
from warm_python import run_python

from hf_arae.data.corpora.news import build_news, build_titles
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration

ROOT = Path(__file__).parents[2]
TEXT = "Velmora Corp. said it would buy 12 mines. It said so.\n\n \t\nPolice said nothing.\nXyzzy plugh\n"


def run(script: str, *arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return run_python([ROOT / "examples" / script, *arguments], env=environment)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """A model that writes, and one that selects words."""
    tokenizer = train_tokenizer(build_news()["train"]["document"], max_length=40, style="news")
    sizes = {"embedding_size": 8, "hidden_size": 8, "reader_size": 8, "conv_size": 8, "max_source_length": 40}
    torch.manual_seed(0)
    writer = UrsaeForConditionalGeneration(UrsaeConfig(vocab_size=len(tokenizer), **sizes))
    folders = {}
    for name, model in (("writer", writer), ("selector", untrained_selector(len(tokenizer), max_source_length=40))):
        folders[name] = tmp_path_factory.mktemp("models") / name
        model.save_pretrained(folders[name])
        tokenizer.save_pretrained(folders[name])
    return folders


# summarize_file.py


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    (tmp_path / "news.txt").write_text(TEXT)
    return tmp_path / "news.txt", tmp_path / "out" / "summaries.jsonl"


def summarize(files, model, *arguments) -> subprocess.CompletedProcess:
    source, target = map(str, files)
    return run("summarize_file.py", "--model", str(model), "--input_file", source, "--output_file", target, *arguments)


def test_a_file_is_summarised_line_by_line(models, files):
    done = summarize(files, models["selector"], "--target_length", "2", "--batch_size", "2")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in files[1].read_text().splitlines()]
    assert [row["line"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row.get("source_words") for row in rows] == [9, None, None, 4, 2]
    assert rows[1] == {"line": 2, "summary_text": None, "note": "blank line"}
    assert rows[0]["summary_words"] == rows[3]["summary_words"] == 2 and rows[4]["summary_text"] == "xyzzy plugh"
    assert "3 summaries of 5 lines" in done.stdout and "5/5" in done.stderr
    assert [file.name for file in files[1].parent.iterdir()] == ["summaries.jsonl"]


def test_a_file_without_a_text_gives_notes(models, files):
    files[0].write_text("\n\n")
    done = summarize(files, models["writer"], "--compression", "0.5")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["note"] for line in files[1].read_text().splitlines()] == ["blank line"] * 2


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (TEXT.encode() + b"said " * 41, (), "news.txt, line 6: the text has 41 words, more than the limit of 40"),
        (TEXT.encode() + b"\n<SRD>\n", (), "news.txt, line 7: the text holds no word: '<SRD>'"),
        (b"said\nsa\xe9d\n", (), "news.txt, line 2: not valid UTF-8"),
        (b"said", ("--target_length", "0"), "target_length must be at least 1, got 0"),
        (b"said", ("--batch_size", "0"), "batch_size must be at least 1, got 0"),
    ],
)
def test_a_wrong_line_or_argument_leaves_the_old_output(models, files, content, arguments, message):
    files[0].write_bytes(content)
    files[1].parent.mkdir()
    files[1].write_text("old\n")
    done = summarize(files, models["writer"], *arguments)
    assert done.returncode != 0
    assert message in done.stderr.strip().splitlines()[-1]
    assert [file.read_text() for file in files[1].parent.iterdir()] == ["old\n"]


def test_files_that_cannot_be_used_are_named(models, files):
    assert "No file 'nowhere.txt'" in summarize(("nowhere.txt", files[1]), models["writer"]).stderr
    assert "is a folder or the input_file itself" in summarize((files[0], files[0]), models["writer"]).stderr
    assert files[0].read_text() == TEXT


# evaluate_summarization.py


def test_evaluation_writes_the_table(models, tmp_path):
    out, judge, titles = tmp_path / "table", tmp_path / "judge", tmp_path / "titles.txt"
    titles.write_text("\n".join(build_titles()[:1000]))
    arguments = ["--models", *map(str, models.values()), "--output_dir", str(out), "--language_model", str(judge)]
    arguments += ["--titles_file", str(titles)]
    arguments += ["--max_eval_samples", "30", "--selected_lengths", "0", "5", "--written_lengths", "5"]
    done = run("evaluate_summarization.py", *arguments)
    assert done.returncode == 0, done.stderr
    rows = {row["system"]: row for row in json.loads((out / "table.json").read_text())}
    assert list(rows)[:5] == [
        "first 8 words",
        "first 10 words",
        "first 10 content words",
        "11 words that titles prefer",
        "the references themselves",
    ]
    uses = [("writer", "write, 5 words"), ("selector", "select"), ("selector", "select, 5 words")]
    systems = [f"{models[model]} ({use})" for model, use in uses]
    assert list(rows)[5:] == systems
    assert 7 <= rows[systems.pop(1)]["mean_length"] <= 12
    for name in systems:
        row = rows[name]
        assert row["mean_length"] == 5 and row["copy_rate"] == 100 and row["sentences_per_second"] > 0
        assert 0 <= row["rougeL"] <= row["rouge1"] <= 100 and row["perplexity"] > 1
    assert rows["first 8 words"]["mean_length"] == 8
    assert rows["first 8 words"]["rougeL"] < rows["11 words that titles prefer"]["rougeL"]
    assert rows["the references themselves"]["perplexity"] < rows["first 8 words"]["perplexity"]
    assert (out / "table.md").read_text() in done.stdout
    assert done.stdout.count("    -> ") == 7 * 10
    for file in out.glob("outputs-*.jsonl"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert len(lines) == 30 and lines[0].keys() == {"document", "reference", "summary"}
    assert len(list(out.glob("outputs-*.jsonl"))) == 7

    again = run("evaluate_summarization.py", "--output_dir", str(out), "--language_model", str(judge), *arguments[-7:])
    assert again.returncode == 0, again.stderr
    loaded = {row["system"]: row for row in json.loads((out / "table.json").read_text())}
    assert loaded["first 8 words"]["perplexity"] == pytest.approx(rows["first 8 words"]["perplexity"])


def test_what_is_missing_in_the_data_is_said(tmp_path):
    news = build_news()
    for name, columns in (("train", ["document"]), ("test", ["document", "summary"])):
        news[name].select(range(40)).select_columns(columns).to_csv(tmp_path / f"{name}.csv")
    data = ["--train_file", str(tmp_path / "train.csv"), "--output_dir", str(tmp_path / "out")]
    done = run("evaluate_summarization.py", *data)
    assert done.returncode != 0
    assert "The validation split has no summaries to score against: no column 'summary'" in done.stderr
    done = run("evaluate_summarization.py", *data, "--test_file", str(tmp_path / "train.csv"))
    assert "The test split has no summaries to score against" in done.stderr
    assert not (tmp_path / "out").exists()
    done = run("evaluate_summarization.py", *data, "--test_file", str(tmp_path / "test.csv"))
    assert done.returncode == 0, done.stderr
    assert "No titles_name or titles_file: no perplexity" in done.stdout
    systems = [row["system"] for row in json.loads((tmp_path / "out" / "table.json").read_text())]
    assert systems == ["first 8 words", "first 10 words", "first 10 content words", "the references themselves"]
