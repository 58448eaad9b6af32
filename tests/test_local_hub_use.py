"""The local Hub under the libraries that sit on the client, with faults, and how a process is made to use it."""

import hashlib
import importlib
import os
import sys
import time
from pathlib import Path

import datasets
import evaluate
import huggingface_hub
import pytest
from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from local_hub import LocalHub
from local_hub.child import sitecustomize
from local_hub.environment import take_over
from transformers import AutoConfig, AutoModel, AutoTokenizer

SMALL, LARGE = b"small" * 1000, bytes(range(256)) * 8000  # 2 MB: more than the buffers between two sockets


@pytest.fixture
def api(local_hub):
    return HfApi()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "upload").mkdir()
    (tmp_path / "upload" / "large.bin").write_bytes(LARGE)
    (tmp_path / "upload" / "small.bin").write_bytes(SMALL)
    return tmp_path / "upload"


def puts(hub):
    return [(request.status, request.sent) for request in hub.requests if request.method == "PUT"]


def test_an_upload_that_breaks_off_once_is_repeated(local_hub, api, folder, monkeypatch):
    api.create_repo("alice/x")
    local_hub.faults.cut_upload(after=100_000, sha256=hashlib.sha256(LARGE).hexdigest())
    waits = []
    monkeypatch.setattr(sitecustomize, "_sleep", waits.append)
    api.upload_folder(repo_id="alice/x", folder_path=folder)
    assert waits and max(waits) <= sitecustomize.SHORT_WAIT
    assert sorted(puts(local_hub), key=str) == [(200, len(LARGE)), (200, len(SMALL)), (None, 100_000)]
    assert local_hub.files("alice/x")["large.bin"] == LARGE


def test_after_a_failed_upload_only_what_is_missing_is_sent(local_hub, api, folder):
    api.create_repo("alice/x")
    local_hub.faults.cut_upload(after=100_000, sha256=hashlib.sha256(LARGE).hexdigest(), times=6)
    with pytest.raises(RuntimeError, match=r"large\.bin"):
        api.upload_folder(repo_id="alice/x", folder_path=folder)
    assert puts(local_hub).count((None, 100_000)) == 6 and (200, len(SMALL)) in puts(local_hub)
    assert set(local_hub.files("alice/x")) == {".gitattributes"}
    local_hub.requests.clear()
    api.upload_folder(repo_id="alice/x", folder_path=folder)
    assert puts(local_hub) == [(200, len(LARGE))]
    assert local_hub.files("alice/x")["small.bin"] == SMALL


def test_a_download_that_breaks_off_goes_on_where_it_stopped(local_hub, api, folder, monkeypatch):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)  # less than a chunk is not kept
    api.create_repo("alice/x")
    api.upload_folder(repo_id="alice/x", folder_path=folder)
    local_hub.faults.cut_download(after=1_000_000, path="large.bin")
    assert Path(hf_hub_download("alice/x", "large.bin")).read_bytes() == LARGE
    assert [r.status for r in local_hub.requests if r.method == "GET" and "large.bin" in r.files] == [200, 206]


def test_a_download_that_fails_leaves_nothing_broken(local_hub, api, folder):
    api.create_repo("alice/x")
    api.upload_folder(repo_id="alice/x", folder_path=folder)
    local_hub.faults.cut_download(after=0, path="large.bin", times=6)
    with pytest.raises(Exception, match=r"disconnected|incomplete|closed"):
        snapshot_download("alice/x", max_workers=1)
    local_hub.requests.clear()
    assert (Path(snapshot_download("alice/x")) / "large.bin").read_bytes() == LARGE
    assert [r.files for r in local_hub.requests if r.method == "GET" and "/resolve/" in r.path] == [("large.bin",)]


def test_a_server_in_trouble(local_hub, api):
    local_hub.faults.fail(500, route="/api/models", method="GET", times=2)
    assert list(api.list_models(author="alice")) == []  # the client asks a third time
    assert [request.status for request in local_hub.requests] == [500, 500, 200]
    api.create_repo("alice/x")
    local_hub.faults.fail(503, route="/commit/")
    with pytest.raises(HfHubHTTPError, match="503"):
        api.upload_file(repo_id="alice/x", path_or_fileobj=b"x", path_in_repo="x.txt")
    assert "x.txt" not in local_hub.files("alice/x")
    local_hub.faults.fail(times=1000)
    with pytest.raises(LocalEntryNotFoundError):
        hf_hub_download("alice/x", "x.txt")
    local_hub.faults.clear()
    assert api.model_info("alice/x").id == "alice/x"


def test_a_flipped_byte(local_hub, api):
    api.create_repo("alice/x")
    api.upload_file(repo_id="alice/x", path_or_fileobj=SMALL, path_in_repo="w.bin")
    local_hub.faults.flip_byte("w.bin", 7)
    assert Path(hf_hub_download("alice/x", "w.bin")).read_bytes() == SMALL[:7] + b"\x9e" + SMALL[8:]
    assert [mismatch["path"] for mismatch in api.verify_repo_checksums("alice/x").mismatches] == ["w.bin"]


def test_ranges(local_hub, api):
    api.create_repo("alice/x", private=True)
    api.upload_file(repo_id="alice/x", path_or_fileobj=b"0123456789", path_in_repo="digits.txt")
    headers = {"Authorization": f"Bearer {local_hub.token('alice')}"}
    for span, status, body in [("2-4", 206, b"234"), ("7-", 206, b"789"), ("-3", 206, b"789"), ("10-", 416, None)]:
        response = huggingface_hub.get_session().get(
            f"{local_hub.url}/alice/x/resolve/main/digits.txt", headers=headers | {"Range": f"bytes={span}"}
        )
        assert response.status_code == status
        assert body is None or response.content == body
    with huggingface_hub.HfFileSystem().open("alice/x/digits.txt", block_size=4) as file:
        file.seek(5)
        assert file.read(2) == b"56"


def test_a_dataset_comes_back(local_hub, api):
    splits = {"train": ["good .", "bad !", "é"], "test": ["so so"]}
    data = datasets.DatasetDict({k: datasets.Dataset.from_dict({"text": texts}) for k, texts in splits.items()})
    data.push_to_hub("alice/reviews", private=True)
    assert {k: split["text"] for k, split in datasets.load_dataset("alice/reviews").items()} == splits
    streamed = datasets.load_dataset("alice/reviews", split="train", streaming=True)
    assert [row["text"] for row in streamed] == splits["train"]
    assert "data/train-00000-of-00001.parquet" in local_hub.files("alice/reviews", "dataset")
    api.create_repo("alice/plain", repo_type="dataset")
    api.upload_file(
        repo_id="alice/plain", repo_type="dataset", path_in_repo="train.jsonl", path_or_fileobj=b'{"text": "hello"}\n'
    )
    assert datasets.load_dataset("alice/plain", split="train")["text"][:] == ["hello"]
    code = "import datasets; print(datasets.load_dataset('alice/reviews', split='test')[0])"
    assert local_hub.run(code).stdout == "{'text': 'so so'}\n"


def test_a_metric_in_a_space(local_hub, api):
    code = """
import datasets
import evaluate


class Count(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("string")})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions):
        return {"count": len(predictions)}
"""
    api.create_repo("alice/count", repo_type="space", space_sdk="gradio")
    api.upload_file(repo_id="alice/count", repo_type="space", path_or_fileobj=code.encode(), path_in_repo="count.py")
    assert evaluate.load("alice/count").compute(predictions=["a", "b"]) == {"count": 2}


REMOTE = """
import importlib.util, sys
from transformers import AutoModel, AutoTokenizer
try:
    AutoModel.from_pretrained("alice/tiny")
except ValueError as error:
    print("trust_remote_code=True" in str(error))
model = AutoModel.from_pretrained("alice/tiny", trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained("alice/tiny", trust_remote_code=True)
print(type(model).__module__, len(tokenizer), importlib.util.find_spec("hf_arae"))
"""


def test_a_model_whose_code_comes_from_the_hub(local_hub, api, transfer_folder, tokenizer):
    AutoModel.from_pretrained(transfer_folder).push_to_hub("tiny")
    AutoTokenizer.from_pretrained(transfer_folder).push_to_hub("alice/tiny")
    assert len(AutoTokenizer.from_pretrained("alice/tiny")) == len(tokenizer)
    *_, refused, loaded = local_hub.run(REMOTE, blocked=["hf_arae"]).stdout.splitlines()
    assert refused.endswith("True")  # after the question whether to run the code
    module, vocabulary, package = loaded.split()
    assert module.startswith("transformers_modules.alice.tiny.")
    assert (vocabulary, package) == (str(len(tokenizer)), "None")


@pytest.mark.parametrize("size", [1, 2])
def test_remote_code_of_one_test_is_forgotten_in_the_next(api, size):
    config = """
from transformers import PretrainedConfig
from .sizes import SIZE

class Config(PretrainedConfig):
    model_type = "remote"
    size: int = SIZE
"""
    named = '{"model_type": "remote", "auto_map": {"AutoConfig": "configuration.Config"}}'
    api.create_repo("alice/remote")
    for path, text in (("config.json", named), ("configuration.py", config), ("sizes.py", f"SIZE = {size}")):
        api.upload_file(repo_id="alice/remote", path_or_fileobj=text.encode(), path_in_repo=path)
    assert AutoConfig.from_pretrained("alice/remote", trust_remote_code=True).size == size


def test_children(local_hub, tmp_path):
    (tmp_path / "script.py").write_text("import sys, huggingface_hub as h; print(h.whoami()['name'], sys.argv[1:])")
    assert local_hub.run([tmp_path / "script.py", "--flag"]).stdout == "alice ['--flag']\n"
    assert local_hub.run([tmp_path / "script.py"], user="bob", cwd=tmp_path).stdout == "bob []\n"
    assert local_hub.run("import huggingface_hub as h; print(h.get_token())", user=None).stdout == "None\n"
    show = "import os, pathlib; print(os.environ['HF_HOME'], os.environ.get('EXTRA'), *pathlib.Path().iterdir())"
    first, second = (local_hub.run(show, EXTRA="1").stdout.split() for _ in range(2))
    assert first[0] != second[0] and first[1:] == second[1:] == ["1"]
    assert local_hub.run(show, home=tmp_path).stdout.split()[0] == str(tmp_path)
    with pytest.raises(AssertionError, match="No module named 'hf_arae'"):
        local_hub.run("import hf_arae.data", blocked=["hf_arae"])
    local_hub.faults.fail(503, times=3)
    code = "import sitecustomize as s; waits = []; s._sleep = waits.append; import huggingface_hub as h; "
    found = local_hub.run(f"{code}print([*h.list_models()], len(waits), max(waits) <= s.SHORT_WAIT)").stdout
    assert found == "[] 3 True\n"


def test_the_process_is_as_before_afterwards(tmp_path, monkeypatch):
    def state():
        modules = [m for name, m in list(sys.modules.items()) if name.split(".")[0] in known and m]
        values = {
            (module.__name__, name): value
            for module in modules
            for name, value in vars(module).items()
            if isinstance(value, (str, bool, Path)) and not name.startswith("__")
        }
        return values, dict(os.environ), list(sys.path), time.sleep, huggingface_hub.hf_api.api.endpoint

    known = ("huggingface_hub", "transformers", "datasets", "evaluate")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(datasets.config.HF_DATASETS_CACHE))
    before = state()
    with LocalHub() as hub:
        hub.add_user("carol", "hf_carol")
        with take_over(hub.url, tmp_path / "home", "hf_carol"):
            assert huggingface_hub.whoami()["name"] == "carol"
            assert constants.HF_HUB_CACHE.startswith(str(tmp_path)) and not constants.HF_HUB_OFFLINE
            assert datasets.config.HF_DATASETS_CACHE.is_relative_to(tmp_path)
            assert "HF_DATASETS_CACHE" not in os.environ
            late = importlib.reload(importlib.import_module("huggingface_hub.cli.auth"))  # copies the address now
            assert late.ENDPOINT == hub.url != before[0].get((late.__name__, "ENDPOINT"))
        url = hub.url
    after = state()
    assert after[1:] == before[1:]
    assert {key: value for key, value in after[0].items() if key in before[0]} == before[0]
    assert not any(str(value).startswith((url, str(tmp_path))) for value in after[0].values())
    with pytest.raises(huggingface_hub.errors.OfflineModeIsEnabled):
        huggingface_hub.model_info("alice/x")
