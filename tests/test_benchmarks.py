"""The benchmarks' scripts still run on what they measure; that they measure it well is another matter."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

from hf_arae import AraeConfig, AraeModel, InfillingConfig, InfillingModel
from hf_arae.data.text.tokenization import train_tokenizer

BENCHMARKS = Path(__file__).parent / "benchmarks"


def script(name: str):
    spec = spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(path.stem for path in BENCHMARKS.glob("*.py")))
def test_what_a_benchmark_imports_is_there(name, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert callable(script(name).main)


def test_ladders_are_trained_side_by_side(tmp_path, monkeypatch):
    benchmark, output = script("few_labels_seeds"), tmp_path / "found.json"
    monkeypatch.setattr(benchmark, "LAYERS", "20-16")
    monkeypatch.setattr(benchmark, "GENERATOR", "12")
    settings = "--seeds 2 1 --labels 24 48 --denoising_costs 500 200 --max_steps 4 --device cpu --quiet --output"
    monkeypatch.setattr(sys, "argv", ["few_labels_seeds.py", *settings.split(), str(output)])
    benchmark.main()
    found = json.loads(output.read_text())
    assert [(row["labels"], row["name"], row["seeds"]) for row in found["rows"]] == [
        (24, "ladder", 2),
        (24, "EBGAN-LN", 2),
        (48, "ladder", 1),
        (48, "EBGAN-LN", 1),
    ]
    assert all(0 <= run["error"] <= 100 for run in found["runs"])
    assert len({run["error"] for run in found["runs"]}) > 2  # the replicas are different models


@pytest.mark.parametrize("choosing", [True, False])
def test_transfers_are_timed_for_each_batch_number_of_candidates_and_precision(tmp_path, monkeypatch, choosing):
    tokenizer = train_tokenizer(["the food was good .", "the staff was bad ."])
    if choosing:
        sizes = {"hidden_size": 8, "intermediate_size": 8, "num_heads": 2, "classifier_maps": 4}
        model = InfillingModel(InfillingConfig.from_tokenizer(tokenizer, num_attributes=2, **sizes))
    else:
        sizes = {"embedding_size": 8, "hidden_size": 8, "code_size": 4}
        model = AraeModel(AraeConfig.from_tokenizer(tokenizer, num_attributes=2, **sizes))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    benchmark, output = script("transfer_speed"), tmp_path / "speed.json"
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)  # of this process, which goes on
    settings = "--batch_sizes 1 3 --candidates 1 4 --sentences 2 --rounds 1 --output"
    monkeypatch.setattr(sys, "argv", ["transfer_speed.py", "--model", str(tmp_path), *settings.split(), str(output)])
    benchmark.main()
    rows = json.loads(output.read_text())["sentences_per_second"]
    numbers = (1, 4) if choosing else (1,)
    assert [(row["batch"], row["candidates"]) for row in rows] == [(size, one) for size in (1, 3) for one in numbers]
    assert all(row[precision] > 0 for row in rows for precision in ("float32", "bfloat16"))


def test_outputs_are_read_without_their_names_and_counted_with_them(tmp_path, monkeypatch):
    reading = script("blind_reading")
    for name in ("one", "two"):
        rows = [{"source": f"s {row}", "target": "positive", "output": f"{name} {row}"} for row in range(30)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = [f"{name}={tmp_path / name}.jsonl" for name in ("one", "two")]
    settings = ["draw", "--outputs", *files, "--sentences", "20", "--folder", str(tmp_path / "sheet")]
    monkeypatch.setattr(sys, "argv", ["blind_reading.py", *settings])
    reading.main()
    sheet = [json.loads(line) for line in (tmp_path / "sheet" / "sheet.jsonl").read_text().splitlines()]
    assert len(sheet) == 40 and len({row["source"] for row in sheet}) == 20
    assert set(sheet[0]) == {"id", "source", "wanted", "output"}
    verdicts, good = tmp_path / "sheet" / "verdicts.jsonl", []
    for row in sheet:
        good.append({"id": row["id"], "wanted": True, "kept": True, "correct": row["output"].startswith("one")})
    verdicts.write_text("".join(json.dumps(row) + "\n" for row in good))
    first, second = reading.count(tmp_path / "sheet")
    assert (first["system"], second["system"]) == ("one", "two") and second["usable"].startswith("0 (0 to ")
    verdicts.write_text(json.dumps(good[0]) + "\n")
    with pytest.raises(ValueError, match="40"):
        reading.count(tmp_path / "sheet")


def test_steps_of_what_where_autoencoders_are_timed_beside_the_convnet(tmp_path, monkeypatch, capsys):
    benchmark, output = script("swwae_step"), tmp_path / "steps.json"
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)  # of this process, which goes on
    monkeypatch.setattr(benchmark, "LAYERS", "(4)3c-2p-(6)3c-2p-fc")
    settings = "--rounds 1 --images 8 --width_multiplier 1 --threads 1 2 --output"
    monkeypatch.setattr(sys, "argv", ["swwae_step.py", *settings.split(), str(output)])
    benchmark.main()
    rows = json.loads(output.read_text())["rows"]
    assert len(rows) == 2 * 2 * 2 * len(benchmark.NETWORKS)
    assert all(row["images_per_second"] > 0 for row in rows)
    assert all(row["ratio_to_convnet"] == 1 for row in rows if row["network"] == "convnet")
    assert len(capsys.readouterr().out.splitlines()) == 2 + len(rows)
