"""The comparison of graphs in models of tasks: all rows, pairs of seeds, and a call that goes on."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path

import pytest
import torch
from warm_python import run_python

from hf_arae import GlomoConfig, train_tokenizer
from hf_arae.data.corpora.agreement import build_agreement_judgements
from hf_arae.models.glomo.attached_files import load_attached
from hf_arae.models.glomo.modeling_glomo import GlomoModel
from hf_arae.models.glomo.modeling_glomo_tasks import GlomoForQuestionAnswering, GlomoForSequenceClassification

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "transfer_graphs.py"
ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
TINY = ["--max_steps", "2", "--per_device_train_batch_size", "8", "--task_hidden_size", "6", "--use_cpu"]
AGREEMENT = ["--train_texts", "60", "--held_out_texts", "40"]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory) -> Path:
    """A folder as a pre-training leaves it; the predictor has learned nothing yet."""
    folder = tmp_path_factory.mktemp("predictor")
    texts = build_agreement_judgements({"train": 60})["train"]["text"][:]
    tokenizer = train_tokenizer([*texts, "who came in 1999 ? ann lee came ."], max_length=98)
    sizes = {"hidden_size": 8, "num_graph_layers": 2, "num_heads": 2, "head_size": 4}
    torch.manual_seed(0)
    GlomoModel(GlomoConfig.from_tokenizer(tokenizer, **sizes, key_layers=1, query_layers=1)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def transfer(predictor: Path, out: Path, *flags: str):
    command = [SCRIPT, *TINY, "--predictor", predictor, "--output_dir", out, *flags]
    return run_python(command, env=ENVIRONMENT)


def test_every_row_is_run_once_and_more_seeds_are_added(predictor, tmp_path):
    out = tmp_path / "out"
    flags = [*AGREEMENT, "--labelled", "40", "--places", "embeddings", "states", "--networks", "rnn", "transformer"]
    done = transfer(predictor, out, *flags, "--seeds", "0", "--keep_models")
    assert done.returncode == 0, done.stderr
    lines = (out / "runs.jsonl").read_text().splitlines()
    runs = [json.loads(line) for line in lines]
    kinds = {(run["network"], run["place"], run["graphs"]) for run in runs}
    assert len(runs) == len(kinds) == 2 * (1 + 2 * 4)
    assert all(run["training_rows"] == 40 and 0 <= run["accuracy"] <= 100 for run in runs)
    assert (out / "table.md").read_text().count("| learned") == 4
    # A line that was half written is run again; nothing else is, and more seeds come after.
    (out / "runs.jsonl").write_text("\n".join(lines)[:-20])
    done = transfer(predictor, out, *flags, "--seeds", "0", "1", "--graphs", "none", "learned")
    assert done.returncode == 0, done.stderr
    again = [json.loads(line) for line in (out / "runs.jsonl").read_text().splitlines() if line.endswith("}")]
    assert len(again) == len(runs) + 2 * (1 + 2)
    assert runs[-1] | {"seconds": 0} in [run | {"seconds": 0} for run in again[len(runs) - 1 :]]
    assert "of 2 above" in done.stdout
    # The models are kept whole.
    kept = GlomoForSequenceClassification.from_pretrained(out / "rnn-learned-states-seed0")
    wanted = GlomoModel.from_pretrained(predictor)
    for one, other in zip(kept.glomo.parameters(), wanted.parameters(), strict=True):
        assert torch.equal(one, other)
    attached = load_attached(out / "transformer-learned-embeddings-seed0").attached_graphs
    assert attached.places == ["distilbert.embeddings"] and attached.mixers[0].value.weight.any()


def test_other_tasks_and_a_table_over_all(predictor, tmp_path):
    rows = [{"question": "who came ?", "context": "In 1999 Ann Lee came.", "answers": ["Ann Lee"]}] * 10
    pairs = [{"premise": "ann came", "hypothesis": "lee came", "label": name} for name in ("yes", "no")] * 6
    texts = [{"text": f"{word} came", "label": word} for word in ("ann", "lee")] * 6
    flags = {}
    for task, made in (("questions", rows), ("pairs", pairs), ("texts", texts)):
        file = tmp_path / f"{task}.jsonl"
        file.write_text("\n".join(map(json.dumps, made)) + "\n")
        flags[task] = ["--task", task, "--train_file", file, "--validation_file", file, "--seeds", "0"]
    for task, number in (("questions", "answer_f1"), ("pairs", "accuracy")):
        done = transfer(predictor, tmp_path / task, *flags[task], "--graphs", "none", "learned", "--keep_models")
        assert done.returncode == 0, done.stderr
        runs = [json.loads(line) for line in (tmp_path / task / "runs.jsonl").read_text().splitlines()]
        assert [run["graphs"] for run in runs] == ["none", "learned"] and all(number in run for run in runs)
    GlomoForQuestionAnswering.from_pretrained(tmp_path / "questions" / "rnn-learned-embeddings-seed0")
    others = ["--also", tmp_path / "questions", tmp_path / "pairs"]
    done = transfer(predictor, tmp_path / "texts", *flags["texts"], "--graphs", "none", "learned", *others)
    assert done.returncode == 0, done.stderr
    assert "3 tasks" in done.stdout and "of 3 above" in done.stdout


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--labelled", "61"], "labelled"),
        (["--labelled", "1"], "larger"),
        (["--max_length", "101"], "reads 100"),
        (["--graphs", "any"], "graphs"),
        (["--seeds", "none"], "seeds"),
        (["--predictor", "nowhere"], "nowhere"),
        (["--task", "questions", "--networks", "transformer"], "rnn"),
        (["--task", "questions"], "built in"),
    ],
)
def test_wrong_flags_are_refused_before_anything_is_trained(flags, told, predictor, tmp_path, monkeypatch, capsys):
    data = [] if "--task" in flags else AGREEMENT
    places = ["--predictor", str(predictor), "--output_dir", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", [str(SCRIPT), *TINY, *places, *data, *flags])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert ended.value.code == 2 and told in capsys.readouterr().err
    assert not (tmp_path / "out" / "runs.jsonl").exists()
