"""Pushing a folder to the Hub: checked first, and only what is meant for others."""

from __future__ import annotations

import os
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import CommitInfo, HfApi, ModelCard, metadata_load
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import validate_repo_id

from hf_arae.hub.cards import CARD_FILE
from hf_arae.hub.checks import check_model_folder
from hf_arae.hub.errors import HubError, clear_errors

REPO_TYPES = ("model", "dataset", "space")
# Of a model's folder: what it takes to load it, how it was trained, and what it says. Not checkpoint-N/ with its
# optimizers' states, nor a pickle that lies there.
MODEL_FILES = (
    "model*.safetensors",
    "model.safetensors.index.json",
    "*.onnx",
    "config.json",
    "generation_config.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "*processor_config.json",
    "*.py",
    "*.md",
    "*.png",
    "metrics.json",
    "table.json",
    "outputs*.jsonl",
    "training_log.jsonl",
)
_NEVER = ("*.pt", "*.pth", "*.bin", "*.pkl", "*.pickle", "*.ckpt", "*.joblib", "*.pyc", "*.lock", "*.incomplete")


def published_files(folder: Path, repo_type: str = "model") -> list[str]:
    """Paths, relative to the folder, of the files that go up."""
    if repo_type == "model":
        names = [path.name for path in folder.iterdir() if path.is_file()]
        return sorted(name for name in names if any(fnmatch(name, pattern) for pattern in MODEL_FILES))
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    hidden = [path for path in paths if any(part.startswith(".") or part == "__pycache__" for part in path.parts)]
    return sorted(
        path.as_posix()
        for path in paths
        if path not in hidden and not any(fnmatch(path.name, pattern) for pattern in _NEVER)
    )


def push_folder(
    folder: str | os.PathLike,
    repo_id: str,
    *,
    repo_type: str = "model",
    private: bool | None = None,
    revision: str | None = None,
    update: bool = False,
    message: str | None = None,
    token: str | None = None,
) -> CommitInfo:
    """Pushes a staged folder, or a run's folder with a card, as one commit.

    Args:
        folder: a model with its tokenizer and card, or the files of a dataset or a Space.
        repo_id: OWNER/NAME; NAME alone is one of your own.
        repo_type: "model", "dataset" or "space".
        private: make it private if it is new; `None`: as the owner's settings say.
        revision: branch to push to, made if it is not there; `None`: main.
        update: add a commit to a repository that exists and has files.
        message: of the commit.
        token: `None`: the one you are logged in with.

    Raises:
        FileNotFoundError: the folder lacks something; nothing was sent.
        ValueError: the folder is half written, or not of this library; nothing was sent.
        HubError: the Hub refuses or cannot be reached, or the repository exists and `update` is off. What arrived
            before stays there unseen: no commit was made, and the next push does not send it again.
    """
    folder = Path(folder)
    if repo_type not in REPO_TYPES:
        raise ValueError(f"repo_type must be one of {', '.join(REPO_TYPES)}; got {repo_type!r}")
    with clear_errors(repo_id):
        validate_repo_id(repo_id)
    if repo_type == "model":
        check_model_folder(folder)
    elif not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder")
    elif repo_type == "space" and not (folder / CARD_FILE).is_file():
        raise FileNotFoundError(f"{folder} has no {CARD_FILE}, in which a Space says how it is run")
    files = published_files(folder, repo_type)
    if not files:
        raise FileNotFoundError(f"{folder} holds no file that could be pushed")
    api = HfApi(token=token)
    repo_id = open_repository(repo_id, repo_type, private, api, update, folder)
    if repo_type == "model":
        _validate_on_hub(folder / CARD_FILE, repo_id)
    with clear_errors(repo_id, revision):
        if revision is not None:
            api.create_branch(repo_id, branch=revision, repo_type=repo_type, exist_ok=True)
        return upload(folder, files, repo_id, repo_type, revision, message, api)


def upload(
    folder: Path, files: list[str], repo_id: str, repo_type: str, revision: str | None, message: str | None, api: HfApi
) -> CommitInfo:
    """Sends files of a folder as one commit; what the Hub holds already is not sent."""
    return api.upload_folder(
        repo_id=repo_id,
        repo_type=repo_type,
        folder_path=folder,
        allow_patterns=[name.replace("[", "[[]") for name in files],
        revision=revision,
        commit_message=message or f"Push {folder.resolve().name}",
    )


def open_repository(
    repo_id: str, repo_type: str, private: bool | None, api: HfApi, update: bool, folder: Path | None = None
) -> str:
    """Makes a repository if it is not there; returns its full id.

    Args:
        update: accept one that is there and has files.
        folder: of a Space, whose card says what runs it.

    Raises:
        HubError: it exists and `update` is off, or the Hub refuses.
    """
    sdk = None
    if repo_type == "space":
        sdk = (metadata_load(folder / CARD_FILE) or {}).get("sdk", "static")
    there = []
    with clear_errors(repo_id):
        try:
            url = api.create_repo(repo_id, repo_type=repo_type, private=private, space_sdk=sdk)
        except HfHubHTTPError as error:
            if error.response.status_code != 409:
                raise
            url = api.create_repo(repo_id, repo_type=repo_type, exist_ok=True, space_sdk=sdk)  # for its full name
            there = api.list_repo_files(url.repo_id, repo_type=repo_type)
    repo_id = url.repo_id
    if set(there) - {".gitattributes"} and not update:
        raise HubError(
            f"{repo_id} exists already, with {len(there)} files. Give --update to add a commit to it, or another name"
        )
    return repo_id


def _validate_on_hub(card: Path, repo_id: str) -> None:
    try:
        with clear_errors(repo_id):
            ModelCard.load(card).validate()
    except ValueError as error:
        raise ValueError(f"the Hub does not take the metadata of {card}: {error}") from error
