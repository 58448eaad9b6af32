"""The examples on unlabelled sentences and on pairs: tiny runs, and wrong arguments."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from warm_python import run_python

ROOT = Path(__file__).parents[2]
SMALL = ["--max_train_samples", "400", "--max_eval_samples", "40", "--embedding_size", "8", "--hidden_size", "12"]
QUIET = ["--disable_tqdm", "--report_to", "none"]


def run(script: str, *arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return run_python([ROOT / "examples" / script, *arguments], env=environment)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> dict[str, tuple[Path, str]]:
    """Runs of a plain autoencoder and of a language model."""
    folder, found = tmp_path_factory.mktemp("runs"), {}
    steps = ["--max_steps", "6", "--eval_steps", "3", "--per_device_train_batch_size", "32"]
    for family, more in (("ae", ["--code_size", "10", "--num_fitted", "100"]), ("rnn_lm", [])):
        which = ["--preset", f"{family}-sentences", "--output_dir", str(folder / family)]
        done = run("train_text_generation.py", *which, *steps, *SMALL, *QUIET, *more)
        assert done.returncode == 0, done.stderr
        found[family] = (folder / family, done.stdout)
    return found


def test_training_prints_reconstructions_samples_and_numbers(trained):
    folder, printed = trained["ae"]
    assert "step 3:" in printed and "  ->  " in printed and "[sample]" in printed
    report = json.loads((folder / "metrics.json").read_text())
    assert report["preset"] == "ae-sentences" and report["updates"] == 6 and report["draws_codes"] is False
    assert {"reconstruction_nll", "code_norm", "neighbour_cosine", "sample_self_bleu"} <= report.keys()
    lines = [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "eval/code_variance" in line] == [3, 6]
    folder, printed = trained["rnn_lm"]
    assert "[sample]" in printed and "  ->  " not in printed
    assert "code_norm" not in json.loads((folder / "metrics.json").read_text())


def test_a_stream_is_trained_on(tmp_path):
    (tmp_path / "train.txt").write_text("".join(f"a man {n} sits on a bench {n % 7} .\n" for n in range(300)))
    (tmp_path / "dev.txt").write_text("".join(f"a man {n} sits on a bench {n % 7} .\n" for n in range(40)))
    files = ["--train_file", str(tmp_path / "train.txt"), "--validation_file", str(tmp_path / "dev.txt")]
    arguments = ["--streaming", "--shuffle_buffer", "64", "--max_steps", "12", "--per_device_train_batch_size", "32"]
    arguments += ["--code_size", "10", "--neighbour_sentences", "100", *SMALL[2:], *QUIET]
    done = run("train_text_generation.py", *arguments, *files, "--output_dir", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert "300 sentences held of a stream" in done.stdout and "[sample]" in done.stdout
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["updates"] == 12


def test_a_second_stage_moves_the_generator_alone(trained, tmp_path):
    from safetensors.torch import load_file

    base, tmp_path = tmp_path / "first", tmp_path / "second"
    few = ["--per_device_train_batch_size", "32", "--neighbour_sentences", "0", "--eval_steps", "0", *QUIET]
    done = run("train_text_generation.py", "--max_steps", "6", *few, *SMALL, "--output_dir", str(base))
    assert done.returncode == 0, done.stderr
    arguments = ["--family", "arae", "--base_model", str(base), "--freeze_autoencoder", "--max_steps", "3"]
    arguments += [*few, *SMALL[:4]]
    done = run("train_text_generation.py", *arguments, "--output_dir", str(tmp_path))
    assert done.returncode == 0, done.stderr
    before, after = load_file(base / "model.safetensors"), load_file(tmp_path / "model.safetensors")
    moved = {name.split(".")[0] for name in before if not before[name].equal(after[name])}
    assert moved == {"critic", "generator"}
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert report["base"]["updates"] == 6 and report["updates"] == 3
    folder = ["--output_dir", str(tmp_path / "other")]
    for wrong, message in (
        (["--family", "vae", "--base_model", str(base)], "is of the family arae, not vae"),
        ([*arguments[:4], "--code_size", "7"], "was built with code_size 100 (not 7)"),
    ):
        done = run("train_text_generation.py", *wrong, *folder)
        assert done.returncode and message in done.stderr


def test_the_analysis_writes_its_report(trained, tmp_path):
    pytest.importorskip("matplotlib")
    numbers = ["--num_texts", "30", "--num_fitted", "100", "--neighbour_sentences", "200", "--num_diverse", "50"]
    numbers += ["--reverse_perplexity_samples", "60", *SMALL[:4]]
    models = [str(trained[family][0]) for family in ("ae", "rnn_lm")]
    done = run("analyze_latent_space.py", "--models", *models, "--output_dir", str(tmp_path), *numbers)
    assert done.returncode == 0, done.stderr
    tables = json.loads((tmp_path / "report.json").read_text())
    assert [row["k"] for row in tables["Swapped words"]] == list("01234")
    assert tables["Swapped words"][0].keys() == {"k", models[0]}
    assert [row["sentences of"] for row in tables["New sentences"]] == [
        "real sentences",
        f"{models[0]} (Gaussian)",
        models[1],
    ]
    assert all(row["reverse_perplexity"] > 1 for row in tables["New sentences"])
    report = (tmp_path / "report.md").read_text()
    assert "## Swapped words" in report and "## Posteriors" not in report and report in done.stdout
    assert {"curves.png", "codes.png"} <= {file.name for file in tmp_path.iterdir()}

    rows = json.loads((tmp_path / "table.json").read_text())
    assert [row["system"] for row in rows] == models[:1] and {"nll_4_swaps", "reverse_perplexity"} <= rows[0].keys()
    ways = [json.loads(line)["way"] for line in (tmp_path / "outputs-ae.jsonl").read_text().splitlines()]
    assert [len(way) for way in ways] == [7] * 10 and all(text in report for way in ways for text in way)

    from hf_arae.hub.card_folder import CardArguments, make_card_folder
    from hf_arae.utils.escapes import plain

    given = {"run": models[0], "folder": str(tmp_path / "staged"), "table": str(tmp_path / "table.json")}
    given |= {"title": "A test", "dataset": "scenes", "training": "-", "publish_samples": True}
    card = (make_card_folder(CardArguments(**given)) / "README.md").read_text()
    assert "<br>".join(map(plain, ways[9])) in card and "feature-extraction" in card and "style" not in card


def test_words_are_drawn_at_the_temperatures_that_are_given(trained, tmp_path):
    models = [str(trained[family][0]) for family in ("ae", "rnn_lm")]
    numbers = ["--num_texts", "10", "--num_fitted", "50", "--neighbour_sentences", "200", "--num_diverse", "20"]
    numbers += ["--reverse_perplexity_samples", "0", "--num_pairs", "0", "--temperatures", "0", "0.5", *SMALL[:4]]
    done = run("analyze_latent_space.py", "--models", *models, "--output_dir", str(tmp_path), *numbers)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "report.json").read_text())["New sentences"]
    assert [row.get("temperature") for row in rows] == [None, "greedy", "0.5", "1.0"]
    refused = run(
        "analyze_latent_space.py", "--models", *models, "--temperatures", "-1", "--output_dir", str(tmp_path)
    )
    assert refused.returncode and "from 0 on" in refused.stderr


def test_entailment_writes_a_table_and_repeats_nothing(tmp_path):
    arguments = ["--output_dir", str(tmp_path), "--label_fraction", "0.5", "--max_steps", "3", "--eval_steps", "3"]
    arguments += ["--autoencoding_steps", "2", "--code_size", "10", *SMALL, *QUIET]
    done = run("train_entailment.py", "--method", "supervised", "arae", "--seeds", "0", *arguments)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [(row["method"], row["labelled_pairs"]) for row in rows] == [("supervised", 200), ("arae", 200)]
    assert all(0 <= row["accuracy"] <= 100 for row in rows) and "50 % (200 pairs)" in done.stdout
    assert (tmp_path / "arae-sentences-seed0" / "model.safetensors").is_file()
    more = run("train_entailment.py", "--method", "arae", "--seeds", "0", "1", *arguments)
    assert more.returncode == 0, more.stderr
    assert "arae-0.5-seed0 is there: not repeated" in more.stdout
    assert "±" in (tmp_path / "table.md").read_text()
    changed = run("train_entailment.py", *arguments, "--reader_learning_rate", "1")
    assert changed.returncode != 0 and "reader_learning_rate: was 0.001, now 1.0" in changed.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("train_text_generation.py", ["--family", "gan"], "must be one of arae"),
        ("analyze_latent_space.py", ["--models", "a", "--gaussian_models", "b"], "gaussian_models has b"),
        ("train_entailment.py", ["--method", "both"], "supervised, ae, arae"),
        ("train_entailment.py", ["--label_fraction", "0.0003"], "give a larger fraction"),
    ],
)
def test_wrong_arguments_end_at_once_with_what_is_accepted(tmp_path, script, arguments, message):
    done = run(script, "--output_dir", str(tmp_path / "out"), *arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert not list(tmp_path.glob("out/*.safetensors"))
