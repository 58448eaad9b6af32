"""What a push would send, in a folder: it loads where hf_arae cannot be imported."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import transformers
from families import LOAD, LOOK, assert_same_look, save_family, tiny_models
from transformers import AutoConfig
from warm_python import run_python

from hf_arae.hub.__main__ import main
from hf_arae.hub.family import model_class_of
from hf_arae.storage.processors import load_processor

CARDS = Path(__file__).parents[2] / "model_cards"
BLOCK = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hf_arae":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


SAVE_AGAIN = """
import transformers

names = sys.argv[1:]
for name, auto in zip(names[: len(names) // 2], names[len(names) // 2 :]):
    model = getattr(transformers, auto).from_pretrained(name, trust_remote_code=True)
    model.save_pretrained(f"again/{name}")
"""


def test_every_family_and_every_card_loads_elsewhere(tokenizer, tmp_path):
    staged, expected = {}, {}
    for name, (auto, model) in tiny_models(len(tokenizer)).items():
        main(["stage", str(save_family(model, tokenizer, tmp_path / "runs" / name)), str(tmp_path / name)])
        staged[str(tmp_path / name)], expected[str(tmp_path / name)] = auto, (model, tokenizer)
    for card in sorted(path.parent for path in CARDS.glob("*/config.json")):
        main(["stage", card.name, str(tmp_path / card.name)])
        config = AutoConfig.from_pretrained(card)
        auto = model_class_of(config).auto_classes[0]
        model = getattr(transformers, auto).from_pretrained(card).eval()
        staged[str(tmp_path / card.name)] = auto
        expected[str(tmp_path / card.name)] = (model, load_processor(card))
    assert len(staged) >= 3 + len(tiny_models(len(tokenizer)))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    code = BLOCK + LOOK + LOAD.replace("OPTIONS", "{'trust_remote_code': True}")
    arguments = [f"{folder}={auto}" for folder, auto in staged.items()]
    done = run_python(["-c", code, *arguments], cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.rpartition("FOUND ")[2])
    for folder, (model, its_tokenizer) in expected.items():
        assert_same_look(found[folder], model, its_tokenizer, folder)


def test_staging_again_leaves_no_older_code(transfer_model, tokenizer, tmp_path):
    run, folder = save_family(transfer_model, tokenizer, tmp_path / "tiny"), tmp_path / "staged"
    main(["stage", str(run), str(folder)])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "modeling_arae.py").write_text("import os\n")
    (folder / "text_pipeline.py").unlink()
    (folder / "hf_arae_old.py").write_text("# Exported from hf_arae/old.py of hf_arae 0.0.\n")
    (folder / "mine.py").write_text("import os\n")
    main(["stage", str(run), str(folder)])
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "mine.py"} == before
    assert (folder / "mine.py").is_file()
    assert not list(run.glob("*.py"))


def test_a_model_saved_again_elsewhere_keeps_all_code_that_its_config_names(tokenizer, tmp_path):
    staged = {}
    for name, (auto, model) in tiny_models(len(tokenizer)).items():
        main(["stage", str(save_family(model, tokenizer, tmp_path / "runs" / name)), str(tmp_path / name)])
        staged[name] = auto
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = run_python(["-c", BLOCK + SAVE_AGAIN, *staged, *staged.values()], cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    for name in staged:
        config = json.loads((tmp_path / "again" / name / "config.json").read_text())
        assert len(config["auto_map"]) > 1
        classes = [
            *config["auto_map"].values(),
            *(task["impl"] for task in config.get("custom_pipelines", {}).values()),
        ]
        for cls in classes:
            file = cls.rpartition("--")[2].partition(".")[0]
            assert (tmp_path / "again" / name / f"{file}.py").is_file(), (name, cls)


def test_no_model_is_staged_over_another(transfer_model, tokenizer, tmp_path):
    """It would load with the other's settings of generation, say."""
    run, folder = save_family(transfer_model, tokenizer, tmp_path / "tiny"), tmp_path / "staged"
    main(["stage", str(run), str(folder)])
    (run / "generation_config.json").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SystemExit, match="generation_config"):
        main(["stage", str(run), str(folder)])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_cannot_be_staged_is_said(transfer_folder, tmp_path, capsys):
    for name, folder, said in (
        ("no-such-model", tmp_path / "x", "arae-yelp"),
        (transfer_folder, tmp_path / "x", "README.md"),  # it has no card
        (transfer_folder, transfer_folder, "own folder"),
    ):
        with pytest.raises(SystemExit, match=said):
            main(["stage", str(name), str(folder)])
    assert not (tmp_path / "x").exists()
