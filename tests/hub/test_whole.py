"""What is not whole is not pushed, and what cannot be pulled is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from families import save_family, save_model, tiny_models
from local_hub.repository import Blob
from safetensors.torch import load_file, save_file

from hf_arae.hub.checks import check_card, check_model_folder, check_no_places
from hf_arae.hub.errors import HubError
from hf_arae.hub.pulling import pull
from hf_arae.hub.pushing import push_folder

CARDS = Path(__file__).parents[2] / "model_cards"


def change_weights(change):
    def damage(folder):
        weights = load_file(folder / "model.safetensors")
        save_file(change(weights), folder / "model.safetensors", {"format": "pt"})

    return damage


def change_json(name, **changes):
    def damage(folder):
        content = json.loads((folder / name).read_text()) | changes
        (folder / name).write_text(json.dumps({key: value for key, value in content.items() if value is not None}))

    return damage


def write(name, content):
    return lambda folder: (folder / name).write_text(content)


def half(name):
    return lambda folder: (folder / name).write_text(
        (folder / name).read_text()[: len((folder / name).read_text()) // 2]
    )


def fewer_words(folder):
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["vocab"].popitem()
    (folder / "tokenizer.json").write_text(json.dumps(content))


def with_value(weights, value):
    name = sorted(weights)[0]
    weights[name].view(-1)[0] = value
    return weights


TENSOR = "encoder.lstm.weight_hh_l0"
DAMAGES = (
    (change_weights(lambda weights: {TENSOR: weights[TENSOR]}), "lack"),
    (change_weights(lambda weights: {name: value for name, value in weights.items() if name != TENSOR}), TENSOR),
    (change_weights(lambda weights: weights | {"more": torch.zeros(1)}), "more"),
    (change_weights(lambda weights: weights | {TENSOR: torch.zeros(2, 2)}), TENSOR),
    (change_weights(lambda weights: with_value(weights, float("nan"))), "finite"),
    (change_weights(lambda weights: with_value(weights, float("inf"))), "finite"),
    (change_json("config.json", hidden_size=17), "differ in"),
    (change_json("config.json", hidden_size=-1), "hidden_size"),
    (change_json("config.json", bogus=1), "bogus"),
    (write("tokenizer.json", ""), "tokenizer"),
    (half("tokenizer.json"), "tokenizer"),
    (write("tokenizer.json", "{}"), "tokenizer"),
    (fewer_words, "words"),
    (write("generation_config.json", ""), "generation_config.json"),
    (write("generation_config.json", "{}"), "generation_config.json"),
    (half("generation_config.json"), "generation_config.json"),
    (change_json("generation_config.json", suppress_tokens=None), "suppress_tokens"),
    (change_json("generation_config.json", eos_token_id=7), "eos_token_id"),
    (change_json("generation_config.json", max_new_tokens=0), "max_new_tokens"),
    (lambda folder: (folder / "generation_config.json").unlink(), "generation_config.json"),
)


def test_what_is_not_whole_is_not_pushed(local_hub, transfer_model, tokenizer, tmp_path):
    sound = save_family(transfer_model, tokenizer, tmp_path / "sound")
    for number, (damage, named) in enumerate(DAMAGES):
        folder = shutil.copytree(sound, tmp_path / f"damaged-{number}")
        damage(folder)
        with pytest.raises((ValueError, FileNotFoundError), match=named):
            push_folder(folder, "alice/tiny")
    assert not local_hub.repositories and not [r for r in local_hub.requests if r.method != "GET"]
    (sound / ".lock").write_text("process 1 on a machine, killed\n")  # of a training that ended without a word
    push_folder(sound, "alice/tiny")


def test_every_family_is_whole_in_any_precision(tokenizer, tmp_path):
    for name, (_, model) in tiny_models(len(tokenizer)).items():
        folder = tmp_path / name
        save_model(model.half(), tokenizer, folder)
        check_model_folder(folder)


def test_staged_models_are_ready_to_be_pushed():
    folders = sorted(path.parent for path in CARDS.glob("*/config.json"))
    assert len(folders) >= 3
    for folder in folders:
        assert not list(folder.glob("*.py")) and "auto_map" not in json.loads((folder / "config.json").read_text())
        check_model_folder(folder)
        check_card(folder / "README.md")
        check_no_places(folder)


def test_files_that_git_or_the_client_own_are_not_pulled(local_hub, transfer_model, tokenizer, tmp_path):
    push_folder(save_family(transfer_model, tokenizer, tmp_path / "tiny"), "alice/tiny")
    repository = local_hub.repositories["model", "alice/tiny"]
    files = repository.branches["main"].files
    for name in (".git/config", "a/.GIT/hooks/post-checkout", ".cache/huggingface/download/x.metadata"):
        repository.commit("main", files | {name: Blob(b"x")}, "more", "", "alice")
        with pytest.raises(HubError, match="never written"):
            pull("alice/tiny", tmp_path / "copy")
        assert not (tmp_path / "copy").exists()
    kept = {".gitignore": Blob(b"x"), ".github/x.yml": Blob(b"x"), ".cache/mine": Blob(b"x")}
    repository.commit("main", files | kept, "more", "", "alice")
    pull("alice/tiny", tmp_path / "copy")
    assert (tmp_path / "copy" / ".github" / "x.yml").read_bytes() == b"x"


def test_tokens_that_cannot_be_one_are_said(local_hub, transfer_model, tokenizer, tmp_path, monkeypatch):
    folder = save_family(transfer_model, tokenizer, tmp_path / "tiny")
    for token, said in (("hf_schön", "character"), ("hf_a b", "character"), ("", "blank"), (" \n", "blank")):
        for use in (
            lambda token: push_folder(folder, "alice/tiny", token=token),
            lambda token: pull("a/b", "x", token=token),
        ):
            with pytest.raises(HubError, match=said):
                use(token)
    monkeypatch.setenv("HF_TOKEN", "hf_schön")
    with pytest.raises(HubError, match="character"):
        push_folder(folder, "alice/tiny")
    monkeypatch.setenv("HF_TOKEN", " ")
    with pytest.raises(HubError, match="not logged in"):
        push_folder(folder, "alice/tiny")
