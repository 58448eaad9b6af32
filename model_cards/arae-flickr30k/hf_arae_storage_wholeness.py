# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/storage/wholeness.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""Whether the files of a training's result belong together and are what was written.

A result is several files that are read one by one: weights, config, tokenizer. `digests.json` beside them says what
each must hold. It is replaced before them, so a folder in which only some of them are new is refused, and one that is
replaced while it is read is noticed. A folder without it (staged, downloaded, or written by `save_pretrained`) is not
looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from transformers.utils import logging

from .hf_arae_storage_downloads import file_sha256

logger = logging.get_logger(__name__)

DIGESTS_FILE = "digests.json"
# Files that people edit by hand: changed and readable, they are taken, with a warning.
_SETTINGS = ("config.json", "generation_config.json", "tokenizer_config.json")
# What a tokenizer keeps of its last call; it says nothing of the next one.
_LAST_CALL = ("truncation", "padding")


def digest_of(path: Path) -> str:
    """A file's digest: of what a JSON file says, however it is laid out, and of any other file's bytes.

    Raises:
        OSError: it cannot be read.
        ValueError: it is named .json and does not hold JSON.
    """
    return _digest(path.name, path.read_bytes()) if path.suffix == ".json" else file_sha256(path)


def digests_of(folder: Path) -> dict[str, str]:
    """Names and digests of the files in a folder that a model and its processor consist of; no code, no pictures."""
    found = [path for path in folder.iterdir() if path.suffix in (".json", ".safetensors", ".model", ".txt")]
    return {path.name: digest_of(path) for path in sorted(found) if path.name != DIGESTS_FILE}


class ResultState(NamedTuple):
    """What tells the result in a folder from another one that was there before, even one of the same contents."""

    digests: bytes
    file: tuple[int, int]


def result_state(folder: str | os.PathLike) -> ResultState | None:
    """Reads which result stands in a folder; `None` if it has no digests."""
    try:
        with Path(folder, DIGESTS_FILE).open("rb") as file:
            status = os.fstat(file.fileno())
            return ResultState(file.read(), (status.st_ino, status.st_mtime_ns))
    except (FileNotFoundError, NotADirectoryError):
        return None


def find_result_damage(folder: str | os.PathLike) -> str | None:
    """Compares a result with its digests; returns what is wrong with which file, or `None`.

    Settings that were changed and can be read are no damage: a warning names them.
    """
    folder = Path(folder)
    state = result_state(folder)
    if state is None:
        return None
    try:
        expected = json.loads(state.digests)
        if not (isinstance(expected, dict) and expected and all(isinstance(v, str) for v in expected.values())):
            return f"{DIGESTS_FILE} is damaged"
    except (ValueError, RecursionError) as error:
        return f"{DIGESTS_FILE} is damaged ({error})"
    for name, digest in expected.items():
        try:
            if digest_of(folder / name) == digest:
                continue
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        except ValueError as error:
            return f"{name} is damaged ({error})"
        if name not in _SETTINGS:
            return f"{name} is not what was written"
        logger.warning_once(f"{folder / name} was changed after it was written; it is used as it is now.")
    return None


def check_result(folder: str | os.PathLike) -> None:
    """Makes sure that a result is whole, if it has digests.

    Raises:
        OSError: it is not; the file is named.
    """
    damage = find_result_damage(folder)
    if damage is not None:
        raise OSError(
            f"the model in {folder} is not whole: {damage}. If a training was ended while it wrote there, "
            f"--resume_from_checkpoint last finishes it. If you replaced the file yourself, remove {DIGESTS_FILE}"
        )


def check_unreplaced(folder: str | os.PathLike, state: ResultState | None) -> None:
    """Makes sure that what was read from a folder since `state = result_state(folder)` is of one result.

    Raises:
        OSError: another result was put there meanwhile.
    """
    if result_state(folder) != state:
        raise OSError(f"the model in {folder} was replaced by another one while it was read: load it again")


def check_read_together(model: Any, tokenizer: Any) -> None:
    """Makes sure that a tokenizer is of the result that a model is of, where both were read from one folder.

    transformers reads one after the other, and another result may have come in between.

    Raises:
        OSError: it has.
    """
    folder, state = getattr(model, "read_result", None) or (None, None)
    if folder is None or folder != Path(tokenizer.name_or_path) or result_state(folder) == state:
        return
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if state is None or backend is None or _digest("tokenizer.json", backend.to_str()) != _expected(state):
        check_unreplaced(folder, state)


def _expected(state: ResultState) -> str | None:
    return json.loads(state.digests).get("tokenizer.json")


def _digest(name: str, text: str | bytes) -> str:
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if name == "tokenizer.json" and isinstance(value, dict):
        value = {key: part for key, part in value.items() if key not in _LAST_CALL}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
