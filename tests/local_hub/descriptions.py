"""The JSON by which the Hub describes repositories, files and commits."""

import json
import re

from .card_metadata import as_list, read_metadata
from .repository import Blob, Commit, Repository

ARXIV = re.compile(r"arxiv\.org/(?:abs|pdf)/(\d{4}\.\d{4,5})")


def describe_repository(repo: Repository, commit: Commit, *, sizes: bool = False) -> dict:
    """What GET /api/models/{id} and its likes give.

    Args:
        sizes: Also the size, id and LFS digest of each file.
    """
    card = commit.files.get("README.md", Blob(b"")).content.decode("utf-8", "replace")
    metadata = read_metadata(card)
    description = {
        "_id": commit.history()[-1].sha[:24],
        "id": repo.repo_id,
        "author": repo.owner,
        "sha": commit.sha,
        "lastModified": commit.date,
        "createdAt": repo.created,
        "private": repo.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": _tags(repo, commit, metadata, card),
        "cardData": json.loads(json.dumps(metadata, default=str)),
        "siblings": [_sibling(path, blob, sizes) for path, blob in sorted(commit.files.items())],
        "usedStorage": sum(len(blob.content) for blob in commit.files.values()),
    }
    if repo.repo_type == "model":
        description |= {
            "modelId": repo.repo_id,
            "pipeline_tag": metadata.get("pipeline_tag"),
            "library_name": _library(commit, metadata),
            "model-index": metadata.get("model-index"),
            "widgetData": metadata.get("widget"),
            "config": {key: value for key, value in _config(commit).items() if key in CONFIG_KEYS},
            "spaces": [],
        }
    if repo.repo_type == "space":
        description |= {
            "sdk": metadata.get("sdk", repo.sdk),
            "subdomain": repo.repo_id.replace("/", "-").lower(),
            "runtime": {"stage": "RUNNING" if metadata.get("sdk") == "static" else "BUILDING", "hardware": {}},
        }
    return description


CONFIG_KEYS = ("architectures", "model_type", "auto_map", "tokenizer_config")


def describe_tree(commit: Commit, folder: str, *, recursive: bool, expand: bool) -> list[dict] | None:
    """The files and folders in a folder ("" for the root), folders first; None if there is no such folder."""
    inside = [path for path in commit.files if not folder or path.startswith(folder + "/")]
    if folder and not inside:
        return None
    depth = folder.count("/") + 1 if folder else 0
    paths = set()
    for path in inside:
        parts = path.split("/")
        last = len(parts) if recursive else depth + 1
        paths |= {"/".join(parts[:end]) for end in range(depth + 1, last + 1)}
    entries = [describe_path(commit, path, expand=expand) for path in sorted(paths)]
    return sorted(entries, key=lambda entry: entry["type"] == "file")


def describe_path(commit: Commit, path: str, *, expand: bool) -> dict | None:
    """A file or folder; None if the path does not exist."""
    blob = commit.files.get(path)
    if blob is not None:
        entry = {"type": "file", "oid": blob.oid, "size": len(blob.content), "path": path}
        if blob.sha256:
            entry["lfs"] = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": len(blob.pointer)}
    elif any(name.startswith(path + "/") for name in commit.files):
        entry = {"type": "directory", "oid": commit.folder_id(path), "size": 0, "path": path}
    else:
        return None
    if expand:
        change = commit.last_change(path)
        entry["lastCommit"] = {"id": change.sha, "title": change.title, "date": change.date}
    return entry


def describe_refs(repo: Repository) -> dict:
    def refs(names: dict[str, Commit], prefix: str) -> list[dict]:
        return [{"name": name, "ref": prefix + name, "targetCommit": head.sha} for name, head in names.items()]

    return {
        "branches": refs(repo.branches, "refs/heads/"),
        "converts": [],
        "tags": refs(repo.tags, "refs/tags/"),
        "pullRequests": refs(repo.pull_requests, ""),
    }


def describe_commit(commit: Commit, *, formatted: bool) -> dict:
    description = {
        "id": commit.sha,
        "title": commit.title,
        "message": commit.message,
        "authors": [{"user": commit.author}],
        "date": commit.date,
    }
    if formatted:
        description["formatted"] = {"title": commit.title, "message": commit.message}
    return description


def _sibling(path: str, blob: Blob, sizes: bool) -> dict:
    sibling = {"rfilename": path}
    if sizes:
        sibling |= {"size": len(blob.content), "blobId": blob.oid}
        if blob.sha256:
            sibling["lfs"] = {"sha256": blob.sha256, "size": len(blob.content), "pointerSize": len(blob.pointer)}
    return sibling


def _config(commit: Commit) -> dict:
    try:
        config = json.loads(commit.files["config.json"].content)
    except (KeyError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _library(commit: Commit, metadata: dict) -> str | None:
    return metadata.get("library_name") or ("transformers" if "model_type" in _config(commit) else None)


def _tags(repo: Repository, commit: Commit, metadata: dict, card: str) -> list[str]:
    """What the filters of the lists compare with."""
    tags = [str(tag) for tag in as_list(metadata.get("tags"))]
    if repo.repo_type == "model":
        suffixes = {path.rsplit(".", 1)[-1] for path in commit.files}
        tags += [kind for kind in ("safetensors", "onnx") if kind in suffixes]
        tags += [tag for tag in (_library(commit, metadata), _config(commit).get("model_type")) if tag]
        tags += ["model-index"] if metadata.get("model-index") else []
        tags += [tag for tag in as_list(metadata.get("pipeline_tag")) if isinstance(tag, str)]
        tags += [f"dataset:{name}" for name in as_list(metadata.get("datasets"))]
        tags += [f"base_model:{name}" for name in as_list(metadata.get("base_model"))]
        tags += as_list(metadata.get("language"))
    elif repo.repo_type == "dataset":
        for key in ("task_categories", "language", "size_categories"):
            tags += [f"{key}:{value}" for value in as_list(metadata.get(key))]
    else:
        tags += as_list(metadata.get("sdk", repo.sdk))
    tags += [f"arxiv:{number}" for number in ARXIV.findall(card)]
    tags += [f"license:{name}" for name in as_list(metadata.get("license"))]
    return list(dict.fromkeys([*tags, "region:us"]))
