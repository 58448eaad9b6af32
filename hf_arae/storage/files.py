"""Files that are written whole or not at all, and errors that name the file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hf_arae.storage.json_numbers import to_json


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file as UTF-8, on the disk when this returns; whatever goes wrong, the old file stays whole.

    Raises:
        OSError: it could not be written; the error names the file.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        sync(path.parent)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place at the end; after an error the old file stays.

    Folders that are missing are made.
    """
    unfinished = path.with_name(f".{path.name}.whole")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield unfinished
        sync(unfinished)
        os.replace(unfinished, path)
        sync(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes a value as JSON, as `write_text` does. JSON has no NaN and no infinities: they become null."""
    write_text(path, to_json(value, indent=2) + "\n")


def read_json(path: str | os.PathLike) -> Any:
    """Reads a JSON file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it does not hold JSON; the error names the file.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or half written: {error}") from error


def append_line(path: str | os.PathLike, value: Any) -> None:
    """Adds a value to a file of JSON lines, on the disk when this returns; a line that was left half written ends."""
    with Path(path).open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            broken = file.read(1) != b"\n"
            file.write(b"\n" * broken)
        file.write(f"{json.dumps(value)}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Waits until a file or folder is on the disk, where the system can do so (Windows cannot for folders)."""
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def delete(path: Path) -> None:
    """Deletes a file or a folder. Of a link only the link goes: what it leads to is not ours.

    Raises:
        OSError: it cannot be deleted.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
