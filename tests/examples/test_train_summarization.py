"""The example that trains a summarizer, run as a user runs it, with sizes and steps cut down."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from transformers import AutoModelForSeq2SeqLM, pipeline
from warm_python import run_python

import hf_arae  # noqa: F401 (registers the Auto classes and the pipeline)
from hf_arae.storage.run_files import LOG_FILE

ROOT = Path(__file__).parents[2]
TINY = ["--embedding_size", "8", "--hidden_size", "8", "--reader_size", "8", "--conv_size", "8", "--encoder_layers"]
TINY += [
    "1",
    "--decoder_layers",
    "1",
    "--max_train_samples",
    "200",
    "--max_eval_samples",
    "20",
    "--writer_epochs",
    "1",
]
TINY += ["--per_device_train_batch_size", "4", "--samples", "2", "--reader_start", "3", "--reconstructor_steps", "3"]
TINY += ["--logging_steps", "2", "--eval_steps", "4", "--save_steps", "4", "--disable_tqdm", "--report_to", "none"]
TINY += ["--writer_epochs", "1"]


def train(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    script = ROOT / "examples" / "train_summarization.py"
    return run_python([script, *TINY, "--output_dir", folder, *arguments], env=environment)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    folder = tmp_path_factory.mktemp("trained")
    return folder, train(folder, "--max_steps", "8")


def log_steps(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / LOG_FILE).read_text().splitlines()]


def test_a_training_leaves_a_model_and_its_numbers(trained):
    folder, done = trained
    assert done.returncode == 0, done.stderr
    assert 'pipeline("text-summarization"' in done.stdout and "writer: " in done.stdout
    rows = (folder / "table.md").read_text().splitlines()
    assert [row.split(" | ")[0].strip("| ") for row in rows[2:5]] == [
        "first 75 bytes",
        "first 8 words",
        "first 9 words",
    ]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["updates"] == 8 and metrics["mean_length"] == 9 and metrics["copy_rate"] == 100
    outputs = [json.loads(line) for line in (folder / "outputs.jsonl").read_text().splitlines()]
    assert len(outputs) == 20
    for output in outputs:
        rest = iter(output["document"].split())
        assert all(word in rest for word in output["output"].split())
    samples = (folder / "samples.md").read_text()
    assert all(f"| {step} | " in samples for step in (0, 4, 8))
    assert AutoModelForSeq2SeqLM.from_pretrained(folder).config.hidden_size == 8
    summarize = pipeline("text-summarization", model=str(folder), detokenize=False, first_sentence=False)
    documents = [output["document"] for output in outputs]
    written = [result["summary_text"] for result in summarize(documents, batch_size=20, truncation=True)]
    assert written == [output["output"] for output in outputs]  # as it was measured, without being told how
    assert summarize(documents[0], target_length=5, truncation=True)["summary_words"] == 5


def test_a_training_goes_on_where_it_ended(trained):
    folder, _ = trained
    done = train(folder, "--max_steps", "12", "--resume_from_checkpoint", "last", "--resume_with_changes")
    assert done.returncode == 0, done.stderr
    steps = log_steps(folder)
    assert steps == sorted(steps) and steps[-1] == 12
    assert json.loads((folder / "metrics.json").read_text())["updates"] == 12
    assert log_steps(folder / "writer") == sorted(log_steps(folder / "writer"))


def test_a_writer_can_go_without_pretraining(tmp_path):
    done = train(tmp_path, "--max_steps", "4", "--writer_epochs", "0")
    assert done.returncode == 0, done.stderr
    assert "writer: " not in done.stdout and not (tmp_path / "writer").exists()


def test_a_writer_can_learn_from_titles(tmp_path):
    done = train(tmp_path, "--max_steps", "4", "--writer_text", "titles")
    assert done.returncode == 0, done.stderr
    assert "on 3000 titles" in done.stdout


def test_titles_must_be_there(tmp_path):
    (tmp_path / "news.txt").write_text("one two three four five six seven eight nine ten eleven .\n" * 30)
    file = str(tmp_path / "news.txt")
    done = train(tmp_path, "--train_file", file, "--validation_file", file, "--writer_text", "titles")
    assert done.returncode != 0 and "writer_text=titles needs titles" in done.stderr
