"""The local Hub answers the real client as the Hub does: repositories, revisions, access, cards, lists."""

import json
from pathlib import Path

import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    ModelCard,
    ModelCardData,
    create_repo,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

WEIGHTS = bytes(range(256)) * 40


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "upload"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "arae"}')
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "sub" / "a note é.txt").write_text("é", encoding="utf-8")
    (folder / "optimizer.bin").write_bytes(b"moments")
    return folder


@pytest.fixture
def api(local_hub):
    return HfApi()


@pytest.fixture
def model(api, folder):
    """alice/x with the folder in it, but for the optimizer."""
    api.create_repo("alice/x")
    api.upload_folder(repo_id="alice/x", folder_path=folder, ignore_patterns="optimizer*")
    return "alice/x"


def refusal(call, *args, **keywords):
    """The status with which the server refuses."""
    with pytest.raises(HfHubHTTPError) as caught:
        call(*args, **keywords)
    return caught.value.response.status_code


@pytest.mark.parametrize("repo_type", ["model", "dataset", "space"])
def test_a_folder_comes_back_whole(local_hub, api, folder, repo_type):
    sdk = "static" if repo_type == "space" else None
    url = create_repo("x", repo_type=repo_type, space_sdk=sdk, private=True)
    assert (url.repo_id, url.repo_type, url.endpoint) == ("alice/x", repo_type, local_hub.url)
    commit = api.upload_folder(repo_id="alice/x", repo_type=repo_type, folder_path=folder)
    snapshot = Path(snapshot_download("alice/x", repo_type=repo_type))
    assert snapshot.name == commit.oid and (folder.parent / "hf_home") in snapshot.parents
    for file in folder.rglob("*.*"):
        assert (snapshot / file.relative_to(folder)).read_bytes() == file.read_bytes()
    assert local_hub.files("alice/x", repo_type)["sub/a note é.txt"] == "é".encode()
    info = api.repo_info("alice/x", repo_type=repo_type, files_metadata=True)
    assert info.private and info.sha == commit.oid and info.author == "alice"
    assert next(s.size for s in info.siblings if s.rfilename == "model.safetensors") == len(WEIGHTS)
    if repo_type == "space":
        assert info.sdk == "static" and b"sdk: static" in local_hub.files("alice/x", "space")["README.md"]


def test_only_large_or_binary_files_go_to_lfs_and_only_once(local_hub, api, folder, model):
    entries = {entry.path: entry for entry in api.list_repo_tree(model, recursive=True)}
    lfs = {path for path, entry in entries.items() if getattr(entry, "lfs", None)}
    assert lfs == {"model.safetensors"} and entries["model.safetensors"].lfs.size == len(WEIGHTS)
    assert {entry.path for entry in api.list_repo_tree(model, "sub")} == {"sub/a note é.txt"}
    assert "sub" in {entry.path for entry in api.list_repo_tree(model)}
    api.upload_file(repo_id=model, path_or_fileobj=b"\0\1", path_in_repo="table.dat")
    api.upload_file(repo_id=model, path_or_fileobj=WEIGHTS, path_in_repo="again.safetensors")
    found = api.get_paths_info(model, ["table.dat", "again.safetensors", "no"])
    assert [(file.path, file.lfs.size) for file in found] == [("table.dat", 2), ("again.safetensors", len(WEIGHTS))]
    assert [r.sent for r in local_hub.requests if r.method == "PUT"] == [len(WEIGHTS), 2]
    before = api.model_info(model).sha
    assert api.upload_file(repo_id=model, path_or_fileobj=WEIGHTS, path_in_repo="model.safetensors").oid == before
    assert not any("optimizer.bin" in request.files for request in local_hub.requests)


def test_uploads_in_parts(local_hub, api):
    local_hub.part_size = 4000
    api.create_repo("alice/x")
    api.upload_file(repo_id="alice/x", path_or_fileobj=WEIGHTS, path_in_repo="w.bin")
    assert [r.sent for r in local_hub.requests if r.method == "PUT"] == [4000, 4000, 2240]
    assert local_hub.files("alice/x")["w.bin"] == WEIGHTS


def test_gitignore_of_the_repository(local_hub, api, folder, model):
    api.upload_file(repo_id=model, path_or_fileobj=b"optimizer.*\n/sub/\n", path_in_repo=".gitignore")
    api.upload_folder(repo_id=model, folder_path=folder, path_in_repo="run")
    uploaded = {path for path in local_hub.files(model) if path.startswith("run/")}
    assert uploaded == {"run/config.json", "run/model.safetensors", "run/sub/a note é.txt"}


def test_revisions_are_immutable_snapshots(api, model):
    first = api.model_info(model).sha
    api.create_tag(model, tag="v1/a", tag_message="The first.")
    api.create_branch(model, branch="dev")
    second = api.upload_file(repo_id=model, path_or_fileobj=b"{}", path_in_repo="config.json", revision="dev").oid
    for revision, expected in [("v1/a", "arae"), ("main", "arae"), (first, "arae"), ("dev", None), (second, None)]:
        config = json.loads(Path(hf_hub_download(model, "config.json", revision=revision)).read_text())
        assert config.get("model_type") == expected, revision
    refs = api.list_repo_refs(model)
    assert {branch.name: branch.target_commit for branch in refs.branches} == {"main": first, "dev": second}
    assert [(tag.ref, tag.target_commit) for tag in refs.tags] == [("refs/tags/v1/a", first)]
    assert [c.commit_id for c in api.list_repo_commits(model, revision="dev")][:2] == [second, first]
    (config,) = api.get_paths_info(model, "config.json", revision="dev", expand=True)
    assert config.last_commit.oid == second
    assert refusal(api.create_tag, model, tag="v1/a") == 409
    assert refusal(api.create_branch, model, branch="dev") == 409
    api.create_tag(model, tag="v1/a", exist_ok=True)
    api.delete_tag(model, tag="v1/a")
    api.delete_branch(model, branch="dev")
    for revision in ("v1/a", "dev", "0" * 40):
        with pytest.raises(RevisionNotFoundError):
            hf_hub_download(model, "config.json", revision=revision)
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download(model, "nothing.json")


def test_commits_delete_copy_and_mind_their_parent(local_hub, api, model):
    first = api.model_info(model).sha
    operations = [
        CommitOperationDelete("sub/"),
        CommitOperationDelete("config.json"),
        CommitOperationCopy("model.safetensors", "old/model.safetensors"),
        CommitOperationAdd("new.txt", b"new"),
    ]
    api.create_commit(model, operations, commit_message="Tidy", commit_description="All of it.", parent_commit=first)
    paths = {".gitattributes", "model.safetensors", "old/model.safetensors", "new.txt"}
    assert set(local_hub.files(model)) == paths
    assert local_hub.files(model)["old/model.safetensors"] == WEIGHTS
    newest = api.list_repo_commits(model)[0]
    assert (newest.title, newest.message) == ("Tidy", "All of it.")
    addition = [CommitOperationAdd("late.txt", b"late")]
    assert refusal(api.create_commit, model, addition, commit_message="Late", parent_commit=first) == 412
    with pytest.raises(RemoteEntryNotFoundError, match="doesn't exist"):
        api.delete_file("nothing.txt", model)
    assert set(local_hub.files(model)) == paths


def test_pull_requests(local_hub, api, model):
    local_hub.add_user("carol", "hf_carol")
    commit = HfApi(token="hf_carol").upload_file(
        repo_id=model, path_or_fileobj=b"{}", path_in_repo="config.json", create_pr=True
    )
    assert commit.pr_url == f"{local_hub.url}/{model}/discussions/1" and commit.pr_revision == "refs/pr/1"
    assert local_hub.files(model, revision="refs/pr/1")["config.json"] == b"{}"
    assert local_hub.files(model)["config.json"] != b"{}"
    assert Path(hf_hub_download(model, "config.json", revision="refs/pr/1")).read_text() == "{}"


def test_repositories_are_made_once_hidden_and_deleted(api, local_hub, model):
    assert refusal(create_repo, model) == 409
    assert create_repo(model, exist_ok=True).repo_id == model
    api.update_repo_settings(model, private=True)
    assert api.model_info(model).private
    assert not api.repo_exists(model, token=local_hub.token("bob"))
    api.delete_repo(model)
    assert not api.repo_exists(model)
    api.delete_repo(model, missing_ok=True)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(model)


def test_what_each_token_may_do(local_hub, api, folder, model):
    bob, nobody, wrong = HfApi(token=local_hub.token("bob")), HfApi(token=False), HfApi(token="hf_wrong")
    assert (api.whoami()["name"], bob.whoami()["auth"]["accessToken"]["role"]) == ("alice", "read")
    assert bob.hf_hub_download(model, "config.json", cache_dir=folder / "cache")
    assert nobody.model_info(model).sha == api.model_info(model).sha
    for call in (wrong.whoami, lambda: wrong.model_info(model), lambda: wrong.create_repo("x")):
        assert refusal(call) == 401
    assert refusal(bob.create_repo, "bob/x") == 403
    assert refusal(bob.create_repo, "alice/x") == 403
    assert refusal(api.create_repo, "bob/x") == 403
    assert refusal(bob.upload_folder, repo_id=model, folder_path=folder) == 403
    assert refusal(bob.delete_repo, model) == 403
    assert refusal(nobody.upload_folder, repo_id=model, folder_path=folder) == 401
    assert refusal(wrong.hf_hub_download, model, "config.json", force_download=False) == 401
    assert local_hub.requests[-1].had_token and local_hub.requests[-1].user is None
    local_hub.add_user("alice", "hf_alice_reads", role="read")
    api.update_repo_settings(model, private=True)
    assert HfApi(token="hf_alice_reads").model_info(model).private
    for stranger, status in ((bob, 404), (nobody, 401)):
        with pytest.raises(RepositoryNotFoundError):
            stranger.snapshot_download(model, cache_dir=folder / "cache 2")
        assert refusal(stranger.model_info, model) == status == refusal(stranger.model_info, "alice/missing")
        assert [found.id for found in stranger.list_models(author="alice")] == []


def test_lists_and_their_filters(local_hub, api, model):
    api.create_repo("alice/hidden", private=True)
    api.create_repo("alice/data", repo_type="dataset")
    api.create_repo("alice/demo", repo_type="space", space_sdk="gradio")
    card = ModelCard("---\nlicense: mit\npipeline_tag: text-generation\ntags: [arae]\nlanguage: en\n---\n# X")
    card.push_to_hub(model)
    assert {found.id for found in api.list_models(author="alice")} == {model, "alice/hidden"}
    assert [found.id for found in HfApi(token=False).list_models()] == [model]
    for query in ({"filter": "arae"}, {"filter": ["license:mit", "en"]}, {"pipeline_tag": "text-generation"}):
        assert [found.id for found in api.list_models(**query)] == [model], query
    assert [found.id for found in api.list_models(filter="vae")] == []
    assert [found.id for found in api.list_models(search="HID", limit=5)] == ["alice/hidden"]
    assert [found.id for found in api.list_datasets(author="alice")] == ["alice/data"]
    assert [(found.id, found.sdk) for found in api.list_spaces(author="alice")] == [("alice/demo", "gradio")]
    info = api.model_info(model)
    assert (info.pipeline_tag, info.library_name, info.card_data.license) == ("text-generation", "transformers", "mit")
    assert {"arae", "safetensors", "license:mit"} <= set(info.tags)
    assert info.created_at <= info.last_modified


MODEL_INDEX = (
    "model-index:\n- name: X\n  results:\n  - task: {type: text-generation}\n    dataset: {name: D, type: d}\n"
)


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ("license: my-own", '"license" must be one of'),
        ("language: English", "lowercase"),
        ("language: [en, english]", r'"language\[1\]" with value "english"'),
        ("tags: arae", '"tags" must be an array'),
        ("pipeline_tag: [a]", '"pipeline_tag" must be a string'),
        ("model-index: {name: X}", '"model-index" must be an array'),
        (MODEL_INDEX, r'"model-index\[0\].results\[0\].metrics" is required'),
        (MODEL_INDEX + "    metrics: [{type: bleu}]", r'metrics\[0\].value" is required'),
        ("a: [", "could not be parsed"),
    ],
)
def test_cards_that_the_hub_refuses(local_hub, api, model, metadata, error):
    with pytest.raises(ValueError, match=error):
        api.upload_file(
            repo_id=model, path_or_fileobj=f"---\n{metadata}\n---\n# X\n".encode(), path_in_repo="README.md"
        )
    assert "README.md" not in local_hub.files(model)


def test_a_card_that_does_not_validate_is_not_pushed(local_hub, model):
    with pytest.raises(ValueError, match=r'^"license" must be one of'):
        ModelCard("---\nlicense: my-own\n---\n# X").push_to_hub(model)
    assert "README.md" not in local_hub.files(model)


def test_cards_that_the_hub_takes(api, model):
    data = ModelCardData(license="apache-2.0", language=["en", "code"], model_name="X", tags=["arae"])
    card = ModelCard.from_template(data, model_id="x")
    card.validate()
    card.push_to_hub(model)
    assert ModelCard.load(model).data.license == "apache-2.0"
    with pytest.warns(UserWarning, match='pipeline tag "style-transfer" is not in the official list'):
        api.upload_file(
            repo_id=model, path_or_fileobj=b"---\npipeline_tag: style-transfer\n---\n", path_in_repo="README.md"
        )
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        api.upload_file(repo_id=model, path_or_fileobj=b"# X", path_in_repo="README.md")


def test_cards_of_spaces_and_datasets(api):
    api.create_repo("alice/demo", repo_type="space", space_sdk="gradio")
    api.create_repo("alice/data", repo_type="dataset")

    def put(repo, repo_type, text):
        return api.upload_file(
            repo_id=repo, repo_type=repo_type, path_or_fileobj=text.encode(), path_in_repo="README.md"
        )

    for line, error in (("sdk: flask", "sdk"), ("sdk: docker\ncolorFrom: mauve", "colorFrom"), ("title: X", "sdk")):
        with pytest.raises(ValueError, match=f'"{error}" must be one of'):
            put("alice/demo", "space", f"---\n{line}\n---\n")
    put("alice/demo", "space", "---\nsdk: gradio\ntitle: X\nemoji: 🦜\ncolorFrom: red\n---\n")
    with pytest.raises(ValueError, match="config_name"):
        put("alice/data", "dataset", "---\nconfigs:\n- data_files: a.jsonl\n---\n")
    with pytest.warns(UserWarning, match="task_categories"):
        put("alice/data", "dataset", "---\ntask_categories: [style-transfer]\n---\n")


def test_what_it_does_not_serve_it_says(local_hub, api):
    api.create_repo("alice/demo", repo_type="space", space_sdk="gradio")
    with pytest.raises(HfHubHTTPError, match="does not serve POST /api/spaces/alice/demo/secrets"):
        api.add_space_secret("alice/demo", "KEY", "value")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("gpt2")


def test_a_commit_is_checked_by_the_server_too(local_hub, api, model, monkeypatch):
    monkeypatch.setattr(HfApi, "_validate_yaml", lambda *_, **__: None)
    with pytest.raises(BadRequestError, match="Invalid metadata"):
        api.upload_file(repo_id=model, path_or_fileobj=b"---\nlicense: no\n---\n", path_in_repo="README.md")
    assert "README.md" not in local_hub.files(model)
