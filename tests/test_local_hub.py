"""The local Hub answers the real client as the Hub does."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi, create_repo, hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "upload"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "arae"}')
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 40)
    (folder / "sub" / "notes.txt").write_text("é")
    return folder


def test_upload_and_snapshot(local_hub, folder):
    api = HfApi()
    assert api.whoami()["name"] == "alice"
    url = create_repo("alice/x")
    assert url.repo_id == "alice/x" and url.endpoint == local_hub.url
    info = api.upload_folder(repo_id="alice/x", folder_path=folder)
    local = snapshot_download("alice/x")
    assert (folder / "model.safetensors").read_bytes() == Path(local, "model.safetensors").read_bytes()
    assert local.endswith(info.oid)
    assert "hf_home" in local
    assert [r for r in local_hub.requests if r.method == "PUT" and not r.had_token]


def test_errors(local_hub, folder):
    api = HfApi()
    api.create_repo("alice/x", private=True)
    with pytest.raises(HfHubHTTPError) as e:
        api.create_repo("alice/x")
    assert e.value.response.status_code == 409
    api.create_repo("alice/x", exist_ok=True)
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("alice/x", token=local_hub.token("bob"))
    with pytest.raises(RepositoryNotFoundError):
        hf_hub_download("alice/x", "config.json", token=False)
    with pytest.raises(HfHubHTTPError, match="401"):
        HfApi(token="nonsense").model_info("alice/x")


def test_run(local_hub):
    out = local_hub.run("import huggingface_hub as h; print(h.whoami()['name'], h.constants.HF_HOME)")
    assert out.stdout.startswith("alice ")
    assert local_hub.run("import hf_arae").returncode == 0
    assert "No module named 'hf_arae'" in local_hub.run("import hf_arae", blocked=["hf_arae"], check=False).stderr
