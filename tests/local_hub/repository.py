"""Repositories in memory: immutable snapshots, branches and tags, with the ids git would give."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from fnmatch import fnmatch
from itertools import pairwise

LFS_SUFFIXES = ("7z", "arrow", "bin", "ckpt", "gz", "h5", "msgpack", "npy", "npz", "onnx", "parquet", "pickle", "pkl")
LFS_SUFFIXES += ("png", "pt", "pth", "safetensors", "tar", "tflite", "wasm", "zip")
LFS_FROM_BYTES = 10_000_000  # the Hub takes nothing larger into git itself


def git_id(kind: str, content: bytes) -> str:
    """The 40 hex digits git gives an object of this kind ("blob", "tree", "commit")."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(content)) + content).hexdigest()


@dataclass(frozen=True)
class Blob:
    """The content of one file.

    Attributes:
        content: The bytes that a download gives.
        sha256: 64 hex digits if the file is kept in LFS, else None.
    """

    content: bytes
    sha256: str | None = None

    @property
    def pointer(self) -> bytes:
        """What git itself stores of an LFS file."""
        lines = (
            "version https://git-lfs.github.com/spec/v1",
            f"oid sha256:{self.sha256}",
            f"size {len(self.content)}",
        )
        return "".join(line + "\n" for line in lines).encode()

    @property
    def oid(self) -> str:
        return git_id("blob", self.content if self.sha256 is None else self.pointer)

    @property
    def etag(self) -> str:
        return self.sha256 or self.oid


@dataclass(frozen=True)
class Commit:
    """A snapshot. `files` maps paths to blobs and is never changed once the commit exists."""

    files: dict[str, Blob]
    parent: "Commit | None"
    title: str
    message: str
    author: str
    date: str
    sha: str = field(init=False)

    def __post_init__(self):
        content = {path: blob.oid for path, blob in sorted(self.files.items())}
        parent = self.parent.sha if self.parent else None
        text = json.dumps([content, parent, self.title, self.message, self.author, self.date])
        object.__setattr__(self, "sha", git_id("commit", text.encode()))

    def history(self) -> list["Commit"]:
        """This commit and all before it, newest first."""
        commits = [self]
        while commits[-1].parent is not None:
            commits.append(commits[-1].parent)
        return commits

    def folder_id(self, folder: str) -> str:
        inside = {path: blob.oid for path, blob in sorted(self.files.items()) if path.startswith(folder + "/")}
        return git_id("tree", json.dumps(inside).encode())

    def last_change(self, path: str) -> "Commit":
        """The newest commit that changed a file, or something in a folder."""

        def state(commit: Commit) -> object:
            blob = commit.files.get(path)
            return blob.oid if blob else commit.folder_id(path)

        history = self.history()
        for commit, before in pairwise(history):
            if state(commit) != state(before):
                return commit
        return history[-1]


class Repository:
    """One model, dataset or space.

    Args:
        repo_id: "owner/name".
        repo_type: "model", "dataset" or "space".
        sdk: Of a space: "gradio", "streamlit", "docker" or "static".
    """

    def __init__(self, repo_id: str, repo_type: str, *, private: bool = False, sdk: str | None = None):
        self.repo_id, self.repo_type, self.private, self.sdk = repo_id, repo_type, private, sdk
        self.owner = repo_id.split("/")[0]
        self.created = now()
        self.objects: dict[str, bytes] = {}  # what LFS holds, by sha256, committed or not
        self.branches: dict[str, Commit] = {}
        self.tags: dict[str, Commit] = {}
        self.pull_requests: dict[str, Commit] = {}  # "refs/pr/1" -> its head
        self.commits: dict[str, Commit] = {}
        rules = "".join(f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES)
        files = {".gitattributes": Blob(rules.encode())}
        if repo_type == "space":
            card = f"---\ntitle: {repo_id.split('/')[1]}\nemoji: 🌍\ncolorFrom: red\ncolorTo: blue\nsdk: {sdk}\n---\n"
            files["README.md"] = Blob(card.encode())
        self.commit("main", files, "initial commit", "", self.owner)

    def commit(self, ref: str, files: dict[str, Blob], title: str, message: str, author: str) -> Commit:
        """Puts a snapshot on a branch ("main") or pull request ("refs/pr/1"), which exists or starts with it."""
        heads = self.pull_requests if ref.startswith("refs/pr/") else self.branches
        commit = Commit(dict(files), heads.get(ref), title, message, author, now())
        heads[ref] = self.commits[commit.sha] = commit
        return commit

    def find(self, revision: str) -> Commit | None:
        """The commit of a branch, tag, pull request or id (whole, or its first 7 digits and more)."""
        for names in (self.branches, self.tags, self.pull_requests, self.commits):
            if revision in names:
                return names[revision]
        revision = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        if found := self.branches.get(revision) or self.tags.get(revision):
            return found
        matches = [commit for sha, commit in self.commits.items() if len(revision) >= 7 and sha.startswith(revision)]
        return matches[0] if len(matches) == 1 else None


def goes_to_lfs(path: str, size: int, sample: bytes, attributes: bytes) -> bool:
    """Whether a file of `size` bytes is kept in LFS: by the rules of .gitattributes, if large, or if not text.

    Args:
        sample: The first bytes of the file.
        attributes: The content of the repository's .gitattributes.
    """
    if size == 0:
        return False
    rules = [line.split() for line in attributes.decode("utf-8", "replace").splitlines()]
    patterns = [rule[0] for rule in rules if "filter=lfs" in rule]
    named = any(fnmatch(path, pattern) or fnmatch(path.split("/")[-1], pattern) for pattern in patterns)
    return named or size > LFS_FROM_BYTES or b"\0" in sample


def is_ignored(path: str, rules: str) -> bool:
    """Whether the rules of a .gitignore exclude a path. Negated rules are not known."""
    parts = path.split("/")
    for rule in (line.strip() for line in rules.splitlines()):
        if not rule or rule.startswith("#"):
            continue
        pattern, from_root = rule.strip("/"), "/" in rule.rstrip("/")
        for end in range(1, len(parts) + (not rule.endswith("/"))):  # each folder around the file, and the file
            if fnmatch("/".join(parts[:end]) if from_root else parts[end - 1], pattern):
                return True
    return False


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
