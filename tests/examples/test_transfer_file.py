"""examples/transfer_file.py on a tiny model."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import pipeline
from warm_python import run_python

ROOT = Path(__file__).parents[2]
LONG = " ".join(["great"] * 11)
TEXTS = ["The food was AWFUL!", "", "Xyzzy plugh", "Great food.", LONG, "12345", " ", "i'm never coming back."]


# The script, in a process that is killed when it has stored one chunk and has begun to store another.
KILLED = """
import os, runpy, signal
from hf_arae.storage.spool import Spool
append = Spool.append

def stop(spool, results):
    if spool.rows:
        with spool.path.open("a") as file:
            file.write("half a li")
        os.kill(os.getpid(), signal.SIGKILL)
    append(spool, results)

Spool.append = stop
runpy.run_path({script!r}, run_name="__main__")
"""


def run(*arguments: str | Path, **environment: str):
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | environment
    return run_python([ROOT / "examples" / "transfer_file.py", *arguments], env=environment)


@pytest.fixture
def transfer(transfer_folder, tmp_path):
    def call(source: Path, name: str, *more: str):
        target = tmp_path / "out" / name
        done = run("--model", transfer_folder, "--input_file", source, "--output_file", target, *more)
        return done, target

    return call


def csv_rows(path: Path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def columns(row: dict) -> dict:
    return {name.removeprefix("text_"): value for name, value in row.items()}


def test_rows_get_what_the_pipeline_gives(transfer, transfer_folder, tmp_path):
    rows = [{"id": number, "text": text, "more": [number]} for number, text in enumerate(TEXTS)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    more = ("--on_error", "skip", "--target", "positive", "--batch_size", "3", "--min_score", "0.2")
    done, target = transfer(tmp_path / "in.jsonl", "out.jsonl", *more)
    assert done.returncode == 0, done.stderr
    rewrite = pipeline("text-style-transfer", model=str(transfer_folder))
    wanted = rewrite(TEXTS, on_error="skip", target="positive", batch_size=8, keep_source_if_unsure=0.2)
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["id"] for row in found] == list(range(len(TEXTS))) and found[3]["more"] == [3]
    for text, row, result in zip(TEXTS, map(columns, found), wanted, strict=True):
        if not text.strip():
            assert row["transferred"] is None and row["note"] == "no text"
            continue
        assert row["transferred"] == result["text"] and row["changed"] == result["changed"]
        assert row["unknown_words"] == result["unknown_words"] and row["source"] == result["source"]
        assert row["fluency_score"] == (result["fluency_score"] and pytest.approx(result["fluency_score"], abs=1e-3))
    assert found[4]["text_note"].startswith("the sentence has 11 words") and "--truncation" in found[4]["text_note"]
    assert found[5]["text_transferred"] == "12345"
    changed = [row["text_changed"] for row in found]
    told = f"{changed.count(True)} rewritten, {changed.count(False)} kept as they are, 1 skipped, 2 without a text"
    unknown = sum(len(row["text_unknown_words"] or ()) for row in found)
    assert told in done.stdout and f"{unknown} unknown words" in done.stdout and "8/8" in done.stderr
    assert [path.name for path in target.parent.iterdir()] == ["out.jsonl"]


def test_other_kinds_of_files(transfer, tmp_path):
    skip = ("--on_error", "skip", "--target", "positive")
    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["review", "stars"], *([text, 3] for text in TEXTS)])
    pq.write_table(pa.table({"review": TEXTS, "stars": [3] * len(TEXTS)}), tmp_path / "in.parquet")
    (tmp_path / "in.txt").write_text("\n".join(TEXTS))
    outputs = []
    for kind in ("csv", "parquet"):
        done, target = transfer(tmp_path / f"in.{kind}", f"out.{kind}", "--text_column", "review", *skip)
        assert done.returncode == 0, done.stderr
        rows = pq.read_table(target).to_pylist() if kind == "parquet" else csv_rows(target)
        assert [row["review"] for row in rows] == TEXTS and {int(row["stars"]) for row in rows} == {3}
        outputs.append([row["review_transferred"] or "" for row in rows])
    done, target = transfer(tmp_path / "in.txt", "out.txt", *skip)
    assert done.returncode == 0, done.stderr
    assert outputs[0] == outputs[1] == target.read_text().split("\n")[:-1]  # empty lines stay in their place


def test_a_killed_run_goes_on_and_ends_alike(transfer, transfer_folder, tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_text("".join(f"{text} food .\n" for text in TEXTS if text != LONG) * 8)
    more = ("--batch_size", "1", "--target", "negative")
    done, target = transfer(tmp_path / "in.txt", "out.csv", *more)
    assert done.returncode == 0, done.stderr
    whole = target.read_bytes()
    target.unlink()
    # The same, but the process is killed when it has stored a chunk and begins to store another.
    killer = tmp_path / "killer.py"
    killer.write_text(KILLED.format(script=str(ROOT / "examples" / "transfer_file.py")))
    arguments = ["--model", transfer_folder, "--input_file", tmp_path / "in.txt", "--output_file", target, *more]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    killed = run_python([killer, *arguments], env=environment)
    assert killed.returncode == -signal.SIGKILL and not target.exists()
    done, _ = transfer(tmp_path / "in.txt", "out.csv", "--batch_size", "1", "--target", "positive")
    assert done.returncode != 0 and "target was" in done.stderr
    done, _ = transfer(tmp_path / "in.txt", "out.csv", *more)
    assert done.returncode == 0 and "Going on after 16 rows" in done.stdout
    assert target.read_bytes() == whole
    assert [path.name for path in target.parent.iterdir()] == ["out.csv"]


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        (f"great\n{LONG}\n", (), "in.txt, line 2: the sentence has 11 words"),
        ("great\n\nxyzzy\n", (), "in.txt, line 3: the sentence does not say which label it has"),
        ("great\n", ("--num_candidates", "4"), "num_candidates is for models that choose"),
        ("great\n", ("--min_score", "2"), "must lie in [0, 1]"),
        ("great\n", ("--target", "postive"), "target must be one of 'negative'"),
        ("great\n", ("--on_error", "ignore"), "on_error must be one of"),
        ("great\n", ("--batch_size", "0"), "batch_size must be at least 1"),
    ],
)
def test_what_cannot_be_is_an_error_of_a_line(transfer, tmp_path, content, more, message):
    (tmp_path / "in.txt").write_text(content)
    done, target = transfer(tmp_path / "in.txt", "out.jsonl", *more)
    assert done.returncode != 0 and message in done.stderr.strip().splitlines()[-1]
    assert not target.parent.exists() or not list(target.parent.iterdir())
