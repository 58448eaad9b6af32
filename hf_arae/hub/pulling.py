"""Getting a repository from the Hub, whole and undamaged, and finding models of this library there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from huggingface_hub import ModelInfo

from hf_arae.hub.errors import HubError, clear_errors, connect


def pull(
    repo_id: str,
    folder: str | os.PathLike,
    *,
    repo_type: str = "model",
    revision: str | None = None,
    token: str | None = None,
) -> int:
    """Downloads a repository into a folder and compares every file with what the Hub says it is.

    Files that are there already and are the same are not downloaded again; an interrupted download goes on.

    Args:
        repo_id: OWNER/NAME.
        folder: made if it is not there; other files in it stay.
        repo_type: "model", "dataset" or "space".
        revision: branch, tag or commit; `None`: main.
        token: `None`: the one you are logged in with.

    Returns:
        The number of files.

    Raises:
        HubError: the Hub refuses or cannot be reached; a file is damaged, and then it is removed; or the repository
            holds files that are never written here, as git or the Hub's client would take them for its own.
    """
    folder, api = Path(folder), connect(token)
    where = {"repo_type": repo_type}
    with clear_errors(repo_id, revision):
        where["revision"] = api.repo_info(repo_id, repo_type=repo_type, revision=revision).sha
        refused = [name for name in api.list_repo_files(repo_id, **where) if _is_kept_out(name)]
    if refused:
        raise HubError(
            f"{repo_id} holds {', '.join(refused[:3])}{' and others' if len(refused) > 3 else ''}, which git or the "
            f"Hub's client would take for its own: such files are never written here. Nothing was pulled; its owner "
            f"has to remove them"
        )
    with clear_errors(repo_id, revision):
        api.snapshot_download(repo_id, local_dir=folder, **where)
        found = api.verify_repo_checksums(repo_id, local_dir=folder, **where)
    damaged = sorted([mismatch["path"] for mismatch in found.mismatches] + found.missing_paths)
    for path in damaged:
        (folder / path).unlink(missing_ok=True)
    if damaged:
        raise HubError(
            f"{', '.join(damaged)} of {repo_id} arrived damaged (not the bytes that the Hub has) and "
            f"{'was' if len(damaged) == 1 else 'were'} removed: pull again"
        )
    return found.checked_count


def _is_kept_out(name: str) -> bool:
    """Whether a file lies in a folder that is git's or the client's own, as file systems see its name."""
    parts = [part.lower() for part in name.replace("\\", "/").split("/")]
    return ".git" in parts[:-1] or any(pair == (".cache", "huggingface") for pair in pairwise(parts))


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
        yield from connect(token).list_models(author=author, search=search, filter="hf_arae", full=True)
