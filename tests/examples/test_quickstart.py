"""The quick-start notebook, from top to bottom as a reader runs it, and what it publishes."""

import os
from pathlib import Path

import pytest
from huggingface_hub import HfApi

nbformat = pytest.importorskip("nbformat", reason="needs hf_arae[notebook]")
nbclient = pytest.importorskip("nbclient", reason="needs hf_arae[notebook]")
pytest.importorskip("ipykernel", reason="needs hf_arae[notebook]")

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"
TABLES = {"transfer", "transfer-sampled", "summarize", "summarize-length", "latent", "sample", "arithmetic"}


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_runs_and_publishes(notebook, local_hub, tmp_path, monkeypatch):
    monkeypatch.setenv("PUSH_TO", "alice/arae-reviews")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    addresses = set()

    def note_address(cell, cell_index):
        addresses.add(client.km.ip)

    client = nbclient.NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=1200,
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
        on_cell_start=note_address,
    )
    client.execute()  # raises what a cell raises
    assert addresses == {"127.0.0.1"}

    shown = {cell["id"]: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    for name in TABLES:
        (result,) = [output.data for output in shown[name] if output.output_type == "execute_result"]
        assert "<table>" in result["text/html"], name
        assert len(result["text/plain"].splitlines()) > 2, name
    (scores,) = [output.data["text/plain"] for output in shown["measure"] if "data" in output]
    assert "'transfer_accuracy'" in scores and "'bleu'" in scores
    printed = "".join(output.text for output in shown["publish"] if output.get("name") == "stdout")
    first = shown["transfer"][-1].data["text/plain"].splitlines()[1]
    assert "positive" in first and first.split("  ")[1] in printed  # what was pulled writes what was pushed
    assert HfApi().model_info("alice/arae-reviews").private
    assert {"model.safetensors", "tokenizer.json", "modeling_arae.py"} <= set(local_hub.files("alice/arae-reviews"))


@pytest.mark.parametrize("missing", ["HF_TOKEN", "PUSH_TO"])
def test_nothing_is_published_unasked(notebook, monkeypatch, capsys, missing):
    monkeypatch.setenv("HF_TOKEN", "hf_none")
    monkeypatch.setenv("PUSH_TO", "alice/arae-reviews")
    monkeypatch.delenv(missing)
    (source,) = [cell.source for cell in notebook.cells if cell["id"] == "publish"]
    exec(source, {"os": os})  # has no model to push
    assert "Nothing is published" in capsys.readouterr().out


def test_it_is_committed_without_outputs(notebook):
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
