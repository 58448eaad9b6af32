"""pretrain_graphs.py: from texts to graphs that load, numbers, a card and pictures; in memory and from a stream."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from transformers import AutoModel, AutoModelForPreTraining, AutoTokenizer

SCRIPT = Path(__file__).parents[2] / "examples" / "pretrain_graphs.py"
TINY = ["--use_cpu", "true", "--disable_tqdm", "true", "--report_to", "none", "--max_steps", "4"]
TINY += ["--per_device_train_batch_size", "8", "--hidden_size", "8", "--num_heads", "2", "--head_size", "4"]
TINY += ["--eval_steps", "2", "--evaluated_texts", "8", "--logging_steps", "2", "--max_eval_samples", "12"]


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*flags: str) -> str:
        monkeypatch.setattr("sys.argv", [str(SCRIPT), *TINY, *flags])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_the_built_in_language(run, tmp_path):
    out = run("--output_dir", str(tmp_path), "--max_train_samples", "64")
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert {"next_words_nll", "edges", "empty_columns", "closers_right", "closers_right_in_mean"} <= report.keys()
    assert report["updates"] == 4 and report["measured_split"] == "test" and "draws" in out
    lines = [json.loads(line) for line in (tmp_path / "training_log.jsonl").read_text().splitlines()]
    assert {"graphs/forward_loss", "graphs/empty_columns", "graphs/edges"} <= lines[0].keys()
    assert any("eval/next_words_nll" in line for line in lines)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    inputs = tokenizer("gad bal em brab ad lab", return_tensors="pt")
    model, whole = AutoModel.from_pretrained(tmp_path), AutoModelForPreTraining.from_pretrained(tmp_path)
    assert torch.equal(model.graphs(**inputs), whole.graphs(**inputs)) and whole(**inputs).loss.isfinite()
    pytest.importorskip("matplotlib")
    assert (tmp_path / "graphs_forward.png").is_file() and (tmp_path / "graphs_backward.png").is_file()


@pytest.mark.parametrize("streaming", ["false", "true"])
def test_documents_of_any_length(run, tmp_path, streaming):
    texts = [" ".join(f"w{(row * 7 + place) % 23}" for place in range(3 + row % 40)) for row in range(60)]
    for name, part in {"train": texts, "dev": texts[::6]}.items():
        Dataset.from_dict({"text": part}).to_parquet(str(tmp_path / f"{name}.parquet"))
    files = ["--train_file", str(tmp_path / "train.parquet"), "--validation_file", str(tmp_path / "dev.parquet")]
    flags = ["--window_length", "12", "--positions", "5", "--streaming", streaming, "--shuffle_buffer", "40"]
    if streaming == "true":
        flags += ["--max_eval_samples", "9"]
    run(*files, *flags, "--output_dir", str(tmp_path / "run"))
    report = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert report["next_words_nll"] < 4 and "closers_right" not in report
    assert AutoModel.from_pretrained(tmp_path / "run").config.context_length == 12


def test_settings_that_cannot_be_are_refused(run, tmp_path):
    for flags in (["--window_length", "2"], ["--evaluated_texts", "0"], ["--num_heads", "3"]):
        with pytest.raises(SystemExit):
            run("--output_dir", str(tmp_path / "none"), *flags)
    assert not (tmp_path / "none" / "model.safetensors").exists()
