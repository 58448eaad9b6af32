"""What a run leaves in its folder: the names of its files, and how they are read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from hf_arae.storage.files import read_json

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

REPORT_FILE = "metrics.json"  # what a finished run says of itself
LOG_FILE = "training_log.jsonl"
BOARD_FOLDER = "tensorboard"
PICTURES_FOLDER = "pictures"  # PNG files of evaluations; each file's name says what it shows
LOCK_FILE = ".lock"
EXPORT_NEW = ".export.new"  # a result that is being written
EXPORT_READY = ".export.ready"  # one that is whole and on the disk, and whose files are being moved to their places
_HALF_WRITTEN = (".*.unfinished", ".export.*", "*.incomplete")


def read_report(folder: str | os.PathLike) -> dict[str, Any]:
    """Returns the report of a run, or nothing where there is none.

    Raises:
        ValueError: it is damaged; the file is named.
    """
    path = Path(folder, REPORT_FILE)
    if not path.exists():
        return {}
    report = read_json(path)
    if not isinstance(report, dict):
        raise ValueError(f"{path} is damaged: it holds no report")
    return report


def read_log(path: str | os.PathLike) -> list[dict[str, Any]]:
    """Returns the lines of a run's log; one that a process which was killed left half written is passed over.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: there is none.
    """
    lines = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def half_written(folder: Path) -> list[Path]:
    """Returns the files and folders by which a folder shows that something in it was not written to its end."""
    return [path for pattern in _HALF_WRITTEN for path in folder.glob(pattern)]


def is_in_use(folder: Path) -> bool:
    """Whether a training is writing into a folder. The file of one that was killed is still there, unlocked."""
    path = folder / LOCK_FILE
    if not path.exists():
        return False
    if fcntl is None:
        return True
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:  # it is held, or this file system has no locks
            return True
    return False
