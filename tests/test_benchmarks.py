"""The benchmarks' scripts still run on what they measure; that they measure it well is another matter."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

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
