"""Pushing and pulling: what is refused and how, faults on the way, and the command."""

from __future__ import annotations

import fcntl
import json
import shutil

import pytest
from families import save_family, tiny_models
from huggingface_hub import ModelCard

from hf_arae.hub.__main__ import main
from hf_arae.hub.errors import HubError
from hf_arae.hub.pulling import pull
from hf_arae.hub.pushing import push_folder


@pytest.fixture
def folder(transfer_model, tokenizer, tmp_path):
    return save_family(transfer_model, tokenizer, tmp_path / "tiny")


def command(capsys, *arguments) -> str:
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def refusal(*arguments) -> str:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    said = str(caught.value)
    assert said.startswith("error: ") and "\n" not in said
    return said


def test_the_command_pushes_lists_and_pulls(local_hub, folder, tmp_path, capsys):
    said = command(capsys, "push", folder, "tiny", "--message", "First")
    assert f"{local_hub.url}/alice/tiny/commit/" in said
    assert local_hub.commit("alice/tiny").title == "First"
    listed = command(capsys, "list", "--author", "alice")
    assert "alice/tiny" in listed and "text-generation" in listed
    assert "no models found" in command(capsys, "list", "--author", "nobody")
    assert "each as the Hub has it" in command(capsys, "pull", "alice/tiny", tmp_path / "copy")
    for name, content in local_hub.files("alice/tiny").items():
        assert (tmp_path / "copy" / name).read_bytes() == content


def test_a_repository_that_exists_is_updated_only_if_told_so(local_hub, folder):
    push_folder(folder, "alice/tiny")
    before = local_hub.commit("alice/tiny").sha
    assert "exists already" in refusal("push", folder, "alice/tiny")
    assert local_hub.commit("alice/tiny").sha == before
    for name in ("table.md", "directions.md"):
        (folder / name).write_text("more")
    push_folder(folder, "alice/tiny", update=True)
    assert {local_hub.files("alice/tiny")[name] for name in ("table.md", "directions.md")} == {b"more"}


@pytest.mark.parametrize(
    ("name", "user", "message"),
    [
        ("alice/bad name!", "alice", "no name of a repository"),
        ("alice/a--b", "alice", "no name of a repository"),
        ("a/b/c", "alice", "no name of a repository"),
        ("bob/tiny", "alice", "may not write to bob/tiny"),
        ("bob/tiny", "bob", "may not write to bob/tiny"),
        ("alice/tiny", "stranger", "does not know your token"),
    ],
)
def test_names_and_tokens_that_are_refused(local_hub, folder, monkeypatch, name, user, message):
    token = "hf_nobody_knows_this" if user == "stranger" else local_hub.token(user)
    with pytest.raises(HubError, match=message):
        push_folder(folder, name, token=token)
    assert not [request for request in local_hub.requests if "/commit/" in request.path]


def test_no_network_is_said_at_once(folder, tmp_path):
    said = refusal("push", folder, "alice/tiny")  # the tests run with HF_HUB_OFFLINE=1
    assert "HF_HUB_OFFLINE" in said
    assert "HF_HUB_OFFLINE" in refusal("pull", "alice/tiny", tmp_path / "copy")


def test_a_hub_that_is_down_is_said(local_hub, folder, monkeypatch):
    local_hub.faults.fail(503, times=100)
    with pytest.raises(HubError, match="503"):
        push_folder(folder, "alice/tiny")


def break_config(folder):
    (folder / "config.json").write_text('{"model_type": "ar')


def foreign_config(folder):
    (folder / "config.json").write_text('{"model_type": "bert"}')


def cut_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def lose(name):
    return lambda folder: (folder / name).unlink()


def unfinished(folder):
    (folder / ".modeling_arae.py.unfinished").write_text("")


HELD = []


def still_writing(folder):
    HELD.append((folder / ".lock").open("w"))
    fcntl.flock(HELD[-1], fcntl.LOCK_EX)


def metadata(**changes):
    def change(folder):
        card = ModelCard.load(folder / "README.md")
        for name, value in changes.items():
            setattr(card.data, name, value)
        card.save(folder / "README.md")

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose("model.safetensors"), "has no model.safetensors"),
        (lose("config.json"), "has no config.json"),
        (lambda folder: [lose(path.name)(folder) for path in folder.glob("tokenizer*")], "tokenizer is missing"),
        (shutil.rmtree, "is no folder"),
        (break_config, "damaged or half written"),
        (foreign_config, "'bert'"),
        (cut_weights, "damaged or half written"),
        (unfinished, "is half written"),
        (still_writing, "a training is still writing"),
        (metadata(license="free"), "license is 'free'; accepted: apache-2.0"),
        (metadata(pipeline_tag="style"), "pipeline_tag is 'style'; accepted"),
        (metadata(library_name="transformers"), "library_name is 'transformers'"),
        (metadata(language="English"), "language is 'English'"),
        (metadata(datasets=["my data"]), "datasets has 'my data'"),
    ],
)
def test_folders_that_are_not_ready_are_refused_before_anything_is_sent(local_hub, folder, damage, message):
    damage(folder)
    assert message in refusal("push", folder, "alice/tiny")
    assert not local_hub.requests and not local_hub.repositories


def test_an_interrupted_upload_is_repeated_without_what_has_arrived(local_hub, folder):
    local_hub.faults.cut_upload(after=100)
    local_hub.faults.fail(500, route="/commit/", times=50)
    with pytest.raises(HubError, match="500"):
        push_folder(folder, "alice/tiny")
    assert set(local_hub.files("alice/tiny")) <= {".gitattributes"}  # half a push is not seen
    local_hub.faults.clear()
    sent = len([request for request in local_hub.requests if request.method == "PUT"])
    push_folder(folder, "alice/tiny")
    assert local_hub.files("alice/tiny")["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert len([request for request in local_hub.requests if request.method == "PUT"]) == sent


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_corrupted_download_is_noticed(local_hub, folder, tmp_path, name):
    push_folder(folder, "alice/tiny")
    local_hub.faults.flip_byte(name, 30)
    with pytest.raises(HubError, match=f"{name} of alice/tiny arrived damaged"):
        pull("alice/tiny", tmp_path / "copy")
    assert not (tmp_path / "copy" / name).exists()
    local_hub.faults.clear()
    pull("alice/tiny", tmp_path / "copy")
    assert (tmp_path / "copy" / name).read_bytes() == local_hub.files("alice/tiny")[name]


def test_an_interrupted_download_goes_on(local_hub, folder, tmp_path):
    push_folder(folder, "alice/tiny")
    local_hub.faults.cut_download(after=1000, path="model.safetensors")
    pull("alice/tiny", tmp_path / "copy")
    assert (tmp_path / "copy" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_what_cannot_be_pulled_is_said(local_hub, folder, tmp_path):
    push_folder(folder, "alice/tiny")
    assert "no repository alice/other" in refusal("pull", "alice/other", tmp_path / "copy")
    assert "has no revision 'v9'" in refusal("pull", "alice/tiny", tmp_path / "copy", "--revision", "v9")


def test_a_space_goes_up_without_caches(local_hub, tmp_path):
    space = tmp_path / "space"
    (space / "__pycache__").mkdir(parents=True)
    (space / "__pycache__" / "app.pyc").write_bytes(b"x")
    (space / "app.py").write_text("print(1)")
    with pytest.raises(FileNotFoundError, match="says how it is run"):
        push_folder(space, "alice/space", repo_type="space")
    (space / "README.md").write_text("---\ntitle: Try it\nsdk: gradio\n---\n")
    push_folder(space, "alice/space", repo_type="space")
    assert set(local_hub.files("alice/space", "space")) - {".gitattributes"} == {"README.md", "app.py"}


def test_cards_of_every_family_are_taken_by_the_hub(local_hub, tokenizer, tmp_path):
    for name, (_, model) in tiny_models(len(tokenizer)).items():
        folder = save_family(model, tokenizer, tmp_path / name)
        report = {"command": "python x.py", "updates": 3, "minutes": 1.5, "seed": 0, "source_bleu": 12.345}
        report |= {"settings": {"dataset_name": "alice/reviews", "max_steps": 3}}
        (folder / "metrics.json").write_text(json.dumps(report))
        main(["card", str(folder), "--repository", f"alice/{name}"])
        card = ModelCard.load(folder / "README.md")
        card.validate()
        assert card.data.eval_results[0].metric_value == 12.35 and card.data.datasets == ["alice/reviews"]
        assert f"alice/{name}" in card.content and "`max_steps`" in card.content and "{{" not in card.content
        push_folder(folder, f"alice/{name}")


def test_corpora_and_metrics_are_pushed_by_the_command(local_hub, capsys):
    assert "Now: --dataset_name alice/reviews" in command(capsys, "push-corpus", "reviews", "reviews", "--private")
    assert local_hub.repositories["dataset", "alice/reviews"].private
    assert 'Now: evaluate.load("alice/bleu")' in command(capsys, "push-metric", "bleu", "alice/bleu")
    for words in (("push-corpus", "reviews", "alice/reviews"), ("push-metric", "bleu", "alice/bleu")):
        assert "exists already" in refusal(*words)
        command(capsys, *words, "--update")
