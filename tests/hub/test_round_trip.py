"""Every family to the Hub and back, with the package and by the code that it carries."""

from __future__ import annotations

import json

import pytest
import torch
from families import LOAD, LOOK, SENTENCE, assert_same_look, save_family, tiny_models
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from transformers import AutoModel, pipeline

import hf_arae
from hf_arae.hub.pushing import push_folder


@pytest.fixture
def pushed(local_hub, tokenizer, tmp_path):
    """All families in alice's repositories: by name, the Auto class and the model."""
    models = tiny_models(len(tokenizer))
    for name, (_, model) in models.items():
        push_folder(save_family(model, tokenizer, tmp_path / name), f"alice/{name}")
    return models


@pytest.mark.parametrize("with_package", [True, False])
def test_every_family_comes_back_the_same(local_hub, pushed, tokenizer, with_package):
    options = "{}" if with_package else "{'trust_remote_code': True}"
    code = LOOK + ("import hf_arae\n" if with_package else "") + LOAD.replace("OPTIONS", options)
    arguments = [f"alice/{name}={auto}" for name, (auto, _) in pushed.items()]
    done = local_hub.run(["-c", code, *arguments], blocked=[] if with_package else ["hf_arae"])
    found = json.loads(done.stdout.rpartition("FOUND ")[2])
    for name, (_, model) in pushed.items():
        assert_same_look(found[f"alice/{name}"], model, tokenizer, name)


def test_only_what_is_meant_for_others_goes_up(local_hub, transfer_model, tokenizer, tmp_path):
    folder = save_family(transfer_model, tokenizer, tmp_path / "tiny")
    (folder / "checkpoint-5").mkdir()
    for name in ("checkpoint-5/training_state.safetensors", "codes.pt", "training_state.safetensors", "notes.txt"):
        (folder / name).write_bytes(b"x")
    (folder / "training_log.jsonl").write_text("{}\n")
    push_folder(folder, "alice/tiny")
    there = set(local_hub.files("alice/tiny")) - {".gitattributes"}
    assert {"model.safetensors", "config.json", "generation_config.json", "tokenizer.json", "README.md"} < there
    assert {"modeling_arae.py", "text_style_transfer.py", "training_log.jsonl"} < there
    assert not [name for name in there if name.startswith(("checkpoint", "codes", "training_state", "notes"))]


def test_a_pipeline_from_an_empty_cache_in_five_lines(local_hub, transfer_folder, transfer_model, tokenizer, tmp_path):
    push_folder(save_family(transfer_model, tokenizer, tmp_path / "tiny"), "alice/arae-yelp")
    code = f"""
import hf_arae
from transformers import pipeline

transfer = pipeline("text-style-transfer", model="alice/arae-yelp")
print("SAYS", transfer("{SENTENCE}", target="negative"))
"""
    said = local_hub.run(code).stdout.partition("SAYS ")[2].strip()
    here = pipeline("text-style-transfer", model=str(transfer_folder))(SENTENCE, target="negative")
    assert said == str(here)
    options = 'revision="main", trust_remote_code=True'  # as its card has it
    by_code = f'transfer = pipeline(model="alice/arae-yelp", {options})'
    code = code.replace("import hf_arae\n", "").replace(code.splitlines()[4], by_code)
    done = local_hub.run(code, blocked=["hf_arae"])
    assert done.stdout.partition("SAYS ")[2].strip() == said
    assert "A new version" not in done.stderr  # of each of twenty files, when no revision is named


def test_an_older_revision_stays_what_it_was(local_hub, transfer_model, tokenizer, tmp_path):
    folder = save_family(transfer_model, tokenizer, tmp_path / "tiny")
    first = push_folder(folder, "alice/tiny").oid
    HfApi().create_tag("alice/tiny", tag="v1")
    other = hf_arae.AraeModel(transfer_model.config)
    other.save_pretrained(folder)
    push_folder(folder, "alice/tiny", update=True)
    push_folder(folder, "alice/tiny", revision="trial", update=True)
    weight = "encoder.lstm.weight_hh_l0"
    for revision, model in ((first, transfer_model), ("v1", transfer_model), ("trial", other), (None, other)):
        loaded = AutoModel.from_pretrained("alice/tiny", revision=revision)
        assert torch.equal(loaded.get_parameter(weight), model.get_parameter(weight)), revision


def test_a_private_model_needs_a_token(local_hub, transfer_model, tokenizer, tmp_path):
    push_folder(save_family(transfer_model, tokenizer, tmp_path / "tiny"), "alice/secret", private=True)
    assert AutoModel.from_pretrained("alice/secret").config.num_attributes == 2
    with pytest.raises((OSError, RepositoryNotFoundError), match="alice/secret"):
        AutoModel.from_pretrained("alice/secret", token=local_hub.token("bob"), cache_dir=tmp_path / "empty")


def test_model_push_to_hub_uploads_the_code_too(local_hub, transfer_model, tokenizer):
    transfer_model.push_to_hub("alice/by-hand")
    tokenizer.push_to_hub("alice/by-hand")
    there = local_hub.files("alice/by-hand")
    assert {"model.safetensors", "config.json", "modeling_arae.py", "text_style_transfer.py"} < set(there)
    code = f"""
from transformers import pipeline
print(pipeline(model="alice/by-hand", trust_remote_code=True)("{SENTENCE}"))
"""
    assert "text" in local_hub.run(code, blocked=["hf_arae"]).stdout


def test_damaged_weights_are_noticed_and_fetched_again(local_hub, transfer_model, tokenizer, tmp_path):
    folder = save_family(transfer_model, tokenizer, tmp_path / "tiny")
    push_folder(folder, "alice/tiny")
    last = (folder / "model.safetensors").stat().st_size - 1  # safetensors itself notices nothing there
    local_hub.faults.flip_byte("model.safetensors", last)
    with pytest.raises(OSError, match="damaged"):
        AutoModel.from_pretrained("alice/tiny")
    local_hub.faults.clear()
    loaded = AutoModel.from_pretrained("alice/tiny").state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in transfer_model.state_dict().items())
