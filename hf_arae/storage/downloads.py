"""A checkpoint that is not there, or that a download has damaged, is noticed."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from transformers.utils import CONFIG_NAME, SAFE_WEIGHTS_NAME, cached_file

_SHA256 = re.compile(r"[0-9a-f]{64}")
WHERE = ("cache_dir", "revision", "subfolder", "repo_type")


def check_downloaded_weights(name: str | os.PathLike | None, options: dict[str, Any]) -> None:
    """Compares a downloaded `model.safetensors` with its checksum, which is the name of its file in the Hub's cache.

    Does nothing for a local folder, for weights in several files, and where the cache has no links (Windows).

    Args:
        name: what `from_pretrained` was given.
        options: likewise.

    Raises:
        OSError: the file is not what the Hub has; it has been removed from the cache.
    """
    if name is None or Path(name).is_dir():
        return
    where = {key: options[key] for key in WHERE if options.get(key) is not None}
    quiet = dict.fromkeys(("missing_entries", "connection_errors", "gated_repo"), False)
    quiet = {f"_raise_exceptions_for_{name}": value for name, value in quiet.items()}
    found = cached_file(name, SAFE_WEIGHTS_NAME, local_files_only=True, **quiet, **where)
    if found is None:
        return
    blob = Path(found).resolve()
    if _SHA256.fullmatch(blob.name) and file_sha256(blob) != blob.name:
        Path(found).unlink()
        blob.unlink()
        raise OSError(
            f"{SAFE_WEIGHTS_NAME} of {name} was damaged by its download or on this disk (its SHA-256 is not the "
            f"Hub's). It was removed: load the model again"
        )


def require_checkpoints(*names: str) -> None:
    """Makes sure, before anything else is done, that there is a model behind each name.

    transformers takes every name that is no folder for one of the Hub's, so that a mistyped folder ends in an error
    about the network.

    Args:
        names: folders, or repositories of the Hub.

    Raises:
        FileNotFoundError: one is neither a folder with a model nor a repository that can be read.
    """
    for name in names:
        if Path(name).is_dir():
            if not Path(name, CONFIG_NAME).is_file():
                within = sorted(str(path.parent) for path in Path(name).glob(f"*/{CONFIG_NAME}"))
                more = f". Folders with a model in it: {', '.join(within)}" if within else ""
                raise FileNotFoundError(f"the folder {name} has no {CONFIG_NAME}, so it holds no model{more}")
            continue
        try:
            cached_file(name, CONFIG_NAME)
        except OSError as error:
            raise FileNotFoundError(
                f"there is no folder {name!r}, and a model of that name on the Hub cannot be read: {error}"
            ) from error


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
