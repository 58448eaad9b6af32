"""Pushing a folder to the Hub: checked first, and only what is meant for others."""

from __future__ import annotations

import os
from pathlib import Path

from huggingface_hub import CommitInfo, CommitOperationAdd, HfApi, ModelCard, metadata_load
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import validate_repo_id

from hf_arae.hub.cards import CARD_FILE, write_run_card
from hf_arae.hub.checks import check_card, check_model_folder, check_no_places
from hf_arae.hub.errors import HubError, clear_errors, connect
from hf_arae.hub.published import REPO_TYPES, publication, publishes_samples


def push_folder(
    folder: str | os.PathLike,
    repo_id: str,
    *,
    repo_type: str = "model",
    private: bool | None = None,
    revision: str | None = None,
    update: bool = False,
    message: str | None = None,
    publish_samples: bool = False,
    token: str | None = None,
) -> CommitInfo:
    """Pushes a staged folder, or a run's folder, as one commit.

    Args:
        folder: a model with its tokenizer (its card is written from its run if it has none), or the files of a dataset
            or a Space.
        repo_id: OWNER/NAME; NAME alone is one of your own.
        repo_type: "model", "dataset" or "space".
        private: make it private if it is new; `None`: as the owner's settings say.
        revision: branch to push to, made if it is not there; `None`: main.
        update: add a commit to a repository that exists and has files.
        message: of the commit.
        publish_samples: sentences of a model's data go up too (in its log, `samples.md` and outputs); also if its
            run was told so, or its card shows them.
        token: `None`: the one you are logged in with.

    Raises:
        FileNotFoundError: the folder lacks something; nothing was sent.
        ValueError: the folder is not whole, not of this library, or names places on this machine; nothing was sent.
        HubError: the Hub refuses or cannot be reached, or the repository exists and `update` is off. What arrived
            before stays there unseen: no commit was made, and the next push does not send it again.
    """
    folder = Path(folder)
    if repo_type not in REPO_TYPES:
        raise ValueError(f"repo_type must be one of {', '.join(REPO_TYPES)}; got {repo_type!r}")
    with clear_errors(repo_id):
        validate_repo_id(repo_id)
    api = connect(token)
    if repo_type == "model":
        check_model_folder(folder)
        if not (folder / CARD_FILE).is_file():
            write_run_card(folder, _full_name(repo_id, api), publish_samples=publish_samples)
        check_card(folder / CARD_FILE)
        check_no_places(folder)
        publish_samples = publish_samples or publishes_samples(folder)
    elif not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder")
    elif repo_type == "space" and not (folder / CARD_FILE).is_file():
        raise FileNotFoundError(f"{folder} has no {CARD_FILE}, in which a Space says how it is run")
    if not publication(folder, repo_type, publish_samples):
        raise FileNotFoundError(f"{folder} holds no file that could be pushed")
    repo_id = open_repository(repo_id, repo_type, private, api, update, folder)
    if repo_type == "model":
        _validate_on_hub(folder / CARD_FILE, repo_id)
    with clear_errors(repo_id, revision):
        if revision is not None:
            api.create_branch(repo_id, branch=revision, repo_type=repo_type, exist_ok=True)
        return upload(folder, repo_id, repo_type, revision, message, publish_samples, api)


def upload(
    folder: Path,
    repo_id: str,
    repo_type: str,
    revision: str | None,
    message: str | None,
    samples: bool,
    api: HfApi,
) -> CommitInfo:
    """Sends what of a folder goes up as one commit; what the Hub holds already is not sent."""
    files = publication(folder, repo_type, samples)
    return api.create_commit(
        repo_id,
        [CommitOperationAdd(path_in_repo=name, path_or_fileobj=content) for name, content in files.items()],
        repo_type=repo_type,
        revision=revision,
        commit_message=message or f"Push {folder.resolve().name}",
    )


def _full_name(repo_id: str, api: HfApi) -> str:
    if "/" in repo_id:
        return repo_id
    with clear_errors(repo_id):
        return f"{api.whoami()['name']}/{repo_id}"


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
