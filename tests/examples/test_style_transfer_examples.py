"""The example scripts, run as a user runs them, on a small part of the built-in corpus."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from warm_python import run_python

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
SMALL = ["--max_train_samples", "1000", "--max_eval_samples", "40", "--embedding_size", "16", "--hidden_size", "16"]
SMALL += ["--code_size", "16", "--per_device_train_batch_size", "32", "--disable_tqdm"]


def run(script: str, *arguments: str, typed: str = "") -> subprocess.CompletedProcess:
    return run_python([ROOT / "examples" / script, *arguments], env=ENVIRONMENT, input=typed)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("runs") / "arae"
    command = [sys.executable, "examples/train_style_transfer.py", "--output_dir", str(folder)]
    command += ["--max_steps", "30", "--eval_steps", "15", *SMALL]
    # Not warm: an interpreter that nothing has prepared.
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_training_prints_samples_and_a_table_and_leaves_a_model(trained):
    folder, printed = trained
    assert "step 15:" in printed and "-> positive:" in printed and "[sample]" in printed
    before = printed.partition("step 15:")[0]
    hidden = (folder / "hidden_words.txt").read_text(encoding="utf-8").splitlines()
    assert f"{len(hidden)} of" in before and "hidden from the encoder" in before and "hidden_words.txt" in before
    report = json.loads((folder / "metrics.json").read_text())
    assert report["updates"] == 30 and report["command"].startswith("python ")
    assert {"transfer_accuracy", "source_bleu", "reconstruction_bleu", "probe_accuracy"} <= report.keys()
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {f.name for f in folder.iterdir()}
    assert list((folder / "tensorboard").iterdir())


def test_a_model_that_chooses_among_candidates_has_a_row_for_each_number_of_them(trained, tmp_path):
    from transformers import AutoTokenizer

    from hf_arae import InfillingConfig, InfillingModel

    tokenizer = AutoTokenizer.from_pretrained(trained[0])
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_heads": 2, "classifier_maps": 4}
    config = InfillingConfig.from_tokenizer(tokenizer, num_attributes=2, **sizes)
    editor = tmp_path / "editor"
    InfillingModel(config).save_pretrained(editor)
    tokenizer.save_pretrained(editor)
    models = ["--models", str(trained[0]), str(editor), "--num_candidates", "1", "2"]
    data = ["--max_train_samples", "200", "--max_eval_samples", "40", "--reverse_perplexity_samples", "0"]
    done = run("evaluate_style_transfer.py", *models, *data, "--output_dir", str(tmp_path / "table"))
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "table" / "table.json").read_text())
    names = [str(trained[0]), f"{editor} (1 candidate)", f"{editor} (2 candidates)"]
    assert [row["system"] for row in rows] == ["copy of the input", *names]
    assert "reconstruction_bleu" in rows[1] and "reconstruction_bleu" not in rows[2]
    assert all(f"\n{name}: " in done.stdout for name in names)
    assert done.stdout.count(" sentences/s (") == 3
    assert (tmp_path / "table" / "outputs-editor-2-candidates.jsonl").exists()


def test_a_second_run_in_its_folder_and_a_model_that_is_not_there_are_refused_before_any_work(trained, tmp_path):
    folder, _ = trained
    for script, flags, said in (
        ("train_style_transfer.py", ["--output_dir", str(folder)], "holds checkpoints of an earlier run"),
        ("evaluate_style_transfer.py", ["--models", str(folder), "runs/none"], "there is no folder 'runs/none'"),
        ("evaluate_style_transfer.py", [], "nothing to score"),
        ("evaluate_style_transfer.py", ["--models", str(folder), "--compare_with", "x"], "no row is called 'x'"),
        ("evaluate_style_transfer.py", ["--outputs", "mine.txt"], "NAME=FILE"),
        ("evaluate_style_transfer.py", ["--models", str(folder), "--num_candidates", "0"], "num_candidates"),
        (
            "evaluate_style_transfer.py",
            ["--models", str(folder), "--num_candidates", "4", "--num_beams", "3"],
            "without num_candidates",
        ),
        ("transfer_interactively.py", ["--model", str(folder.parent)], f"Folders with a model in it: {folder}"),
    ):
        output = [] if "--output_dir" in flags or script.startswith("tr") else ["--output_dir", str(tmp_path)]
        done = run(script, *flags, *output)
        assert done.returncode == 2 and not done.stdout and said in done.stderr, done.stderr


def test_training_goes_on_from_the_last_checkpoint(trained):
    folder, _ = trained
    arguments = [
        "--output_dir",
        str(folder),
        "--max_steps",
        "32",
        "--eval_steps",
        "0",
        "--resume_from_checkpoint",
        "last",
        "--resume_with_changes",  # two updates more than the run was to have
    ]
    done = run("train_style_transfer.py", *arguments, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "at step 30 of 32" in done.stderr and "trained 32 updates" in done.stdout


def test_a_stream_is_trained_on_and_gone_on_with(tmp_path):
    opinions = [("bad", "negative"), ("awful", "negative"), ("good", "positive"), ("lovely", "positive")]
    things = ("food", "soup", "staff", "table", "room", "bed", "view")
    rows = [
        f"the {thing} in room {n} was {word} .,{label}"
        for word, label in opinions
        for thing in things
        for n in "123456"
    ]
    (tmp_path / "train.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (tmp_path / "dev.csv").write_text("\n".join(["text,label", *rows[::4]]) + "\n")
    files = ["--train_file", str(tmp_path / "train.csv"), "--validation_file", str(tmp_path / "dev.csv")]
    arguments = [
        "--streaming",
        "--shuffle_buffer",
        "64",
        "--tokenizer_samples",
        "100",
        "--output_dir",
        str(tmp_path / "run"),
    ]
    arguments += ["--resume_from_checkpoint", "last", "--report_to", "none", *files, *SMALL[2:]]
    for steps in ("6", "9"):
        done = run("train_style_transfer.py", "--max_steps", steps, "--resume_with_changes", *arguments)
        assert done.returncode == 0, done.stderr
    assert "at step 6 of 9" in done.stderr and "100 sentences held of a stream" in done.stdout
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["updates"] == 9


def test_sentences_can_be_typed(trained):
    folder, _ = trained
    typed = "The soup was AWFUL!\npositive: the soup was good .\nnowhere: x\n\nnot read"
    done = run("transfer_interactively.py", "--model", str(folder), "--num_samples", "2", typed=typed)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert (
        lines[0].startswith("positive: ")
        and "(style " in lines[0]
        and lines[1].startswith("    ")
        and lines[3].startswith("positive: ")
    )
    assert "not read" not in done.stdout


def test_with_more_than_two_labels_who_types_is_told_to_name_one(monkeypatch, capsys):
    path = ROOT / "examples" / "transfer_interactively.py"
    specification = importlib.util.spec_from_file_location("transfer_interactively", path)
    script = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "transfer_interactively", script)
    specification.loader.exec_module(script)

    def rewrite(line, target=None, **_):
        if target is None:
            raise ValueError("target is needed")
        scores = {"style_score": None, "content_score": 0.5, "fluency_score": 0.25}
        return {"target": target, "text": line, "unknown_words": ["so"], **scores}

    config = SimpleNamespace(id2label=dict(enumerate("12345")))
    rewrite.model = SimpleNamespace(config=config, transfer=lambda input_ids: input_ids)
    monkeypatch.setattr(script, "pipeline", lambda *_, **__: rewrite)
    monkeypatch.setattr(sys, "argv", [str(path), "--model", str(ROOT / "model_cards" / "arae-yelp")])
    monkeypatch.setattr(sys, "stdin", io.StringIO("so so\n5: so so\n"))
    script.main()
    first, second = capsys.readouterr().out.splitlines()
    assert "LABEL: sentence" in first and second == "5: so so  (content 50, fluency 25, not known: so)"


def test_evaluation_writes_the_table(trained, tmp_path):
    folder, _ = trained
    (tmp_path / "theirs.txt").write_text("the soup was good .\n" * 39 + "\n")
    arguments = ["--models", str(folder), "--outputs", f"theirs={tmp_path / 'theirs.txt'}", "--judges"]
    arguments += [str(tmp_path / "judges"), "--output_dir", str(tmp_path), "--max_train_samples", "400"]
    done = run("evaluate_style_transfer.py", *arguments, "--max_eval_samples", "40")
    assert done.returncode == 0, done.stderr
    assert "theirs: 1 of 40 outputs are empty" in done.stdout and "The classifier that judges" in done.stdout
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [row["system"] for row in rows] == ["copy of the input", "theirs", str(folder)]
    assert rows[0]["source_bleu"] == pytest.approx(100) and rows[2]["reverse_perplexity"] > 1
    assert rows[0]["joint_score"] == 0 and rows[1]["held_out_perplexity"] > 1 and "changed_clauses" in rows[1]
    intervals = json.loads((tmp_path / "intervals.json").read_text())
    assert intervals[1]["transfer_accuracy_low"] <= rows[1]["transfer_accuracy"]
    assert 0 < intervals[1]["joint_score_p"] <= 1 and "joint_score_p" not in intervals[2], "the checkpoint's own row"
    assert sorted(path.name.rpartition("-")[0] for path in (tmp_path / "judges").iterdir()) == [
        "classifier",
        "language-model",
        "language-model",
    ]
    assert "| copy of the input" in (tmp_path / "table.md").read_text()
    outputs = tmp_path / f"outputs-{folder.name}.jsonl"
    assert len(outputs.read_text().splitlines()) == 40

    from hf_arae.hub.card_folder import CardArguments, make_card_folder

    card = make_card_folder(
        CardArguments(
            run=str(folder),
            folder=str(tmp_path / "staged"),
            title="A test",
            table=str(tmp_path / "table.json"),
            dataset="built-in reviews",
            training="Made up.",
            publish_samples=True,
        )
    )
    text = (card / "README.md").read_text()
    assert "model-index" in text and "| copy of the input" in text and "(negative)" in text
    assert {file.suffix for file in card.iterdir()} <= {".md", ".json", ".safetensors", ".py"}
    assert not (card / "training_state.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset_name", "@csv"], "give it as train_file"),
        (["--train_file", "@csv", "--text_column", "review"], "text, label"),
        (["--train_file", "@one", "--label_column", "label"], "label"),
        (["--train_file", "nowhere.csv"], "nowhere.csv"),
        (["--lipschitz", "sideways"], "weight_clipping"),
        (["--per_device_train_batch_size", "1"], "per_device_train_batch_size=1"),
        (["--train_file", "@csv", "--streaming"], "streaming needs max_steps"),
        (["--no_such_flag", "1"], "no_such_flag"),
    ],
)
def test_wrong_arguments_end_at_once_with_what_is_accepted(tmp_path, arguments, message):
    (tmp_path / "two.csv").write_text("text,label\n" + "good food,1\nbad food,0\n" * 30)
    (tmp_path / "one.csv").write_text("text,label\n" + "good food,1\n" * 30)
    names = {"@csv": str(tmp_path / "two.csv"), "@one": str(tmp_path / "one.csv")}
    arguments = [names.get(argument, argument) for argument in arguments]
    done = run("train_style_transfer.py", "--output_dir", str(tmp_path / "run"), "--disable_tqdm", *arguments)
    assert done.returncode != 0
    assert message in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "run" / "model.safetensors").exists()
