"""Getting a repository from the Hub, whole and undamaged, and finding models of this library there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import HfApi, ModelInfo, snapshot_download
from huggingface_hub.hf_api import RepoFile

from hf_arae.hub.errors import HubError, clear_errors
from hf_arae.models.downloads import file_sha256


def pull(
    repo_id: str,
    folder: str | os.PathLike,
    *,
    repo_type: str = "model",
    revision: str | None = None,
    token: str | None = None,
) -> list[str]:
    """Downloads a repository into a folder and compares every file with what the Hub says it is.

    Files that are there already and are the same are not downloaded again; an interrupted download goes on.

    Args:
        repo_id: OWNER/NAME.
        folder: made if it is not there; other files in it stay.
        repo_type: "model", "dataset" or "space".
        revision: branch, tag or commit; `None`: main.
        token: `None`: the one you are logged in with.

    Returns:
        The files' paths, relative to the folder.

    Raises:
        HubError: the Hub refuses or cannot be reached; or a file is damaged, and then it is removed.
    """
    folder, api = Path(folder), HfApi(token=token)
    with clear_errors(repo_id, revision):
        commit = api.repo_info(repo_id, repo_type=repo_type, revision=revision).sha
        tree = list(api.list_repo_tree(repo_id, repo_type=repo_type, revision=commit, recursive=True))
        snapshot_download(repo_id, repo_type=repo_type, revision=commit, local_dir=folder, token=token)
    damaged = []
    for entry in tree:
        if isinstance(entry, RepoFile) and not _is_intact(folder / entry.path, entry):
            (folder / entry.path).unlink(missing_ok=True)
            damaged.append(entry.path)
    if damaged:
        raise HubError(
            f"{', '.join(damaged)} of {repo_id} arrived damaged (not the bytes that the Hub has) and "
            f"{'was' if len(damaged) == 1 else 'were'} removed: pull again"
        )
    return [entry.path for entry in tree if isinstance(entry, RepoFile)]


def list_models(author: str | None = None, search: str | None = None, token: str | None = None) -> Iterator[ModelInfo]:
    """Models on the Hub whose card names this library.

    Args:
        author: a user or an organisation.
        search: part of the name.
        token: to see your private ones; `None`: the one you are logged in with.

    Raises:
        HubError: the Hub refuses or cannot be reached.
    """
    with clear_errors(author or "the list of models"):
        yield from HfApi(token=token).list_models(author=author, search=search, filter="hf_arae", full=True)


def _is_intact(path: Path, entry: RepoFile) -> bool:
    if not path.is_file() or path.stat().st_size != entry.size:
        return False
    if entry.lfs is not None:
        return file_sha256(path) == entry.lfs.sha256
    content = path.read_bytes()  # small: large files are in LFS
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == entry.blob_id  # git's own name of it
