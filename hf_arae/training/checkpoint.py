"""Checkpoint folders: complete or absent, checked against a manifest, and loadable with `from_pretrained`.

A checkpoint is written under a hidden name, flushed to the disk and then renamed, so `checkpoint-N` is never half of
one. `manifest.json` holds the size and SHA-256 of each file, so damage that comes later is noticed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from transformers.utils import SAFE_WEIGHTS_NAME, logging

from hf_arae.storage.downloads import file_sha256
from hf_arae.storage.files import delete, sync, write_json
from hf_arae.training.state import PROGRESS_FILE, TRAINING_FILE

logger = logging.get_logger(__name__)

MANIFEST_FILE = "manifest.json"
# What a run cannot go on without; a manifest that does not list it says nothing.
_NEEDED = (SAFE_WEIGHTS_NAME, TRAINING_FILE, PROGRESS_FILE)
_NAME = re.compile(r"checkpoint-(\d+)")
_ASIDE = "set-aside-"
# `.checkpoint-N.new` is being written, `.checkpoint-N.replaced` made room for a new one of its name, and
# `.checkpoint-N.removed` is being deleted.
_LEFTOVER = re.compile(r"\.(checkpoint-\d+|export)\.(new|replaced|removed)")


class CheckpointDamagedError(ValueError):
    """A checkpoint is not what was written: a file is missing, shorter or changed."""


class CheckpointWriteError(OSError):
    """A checkpoint or the result could not be written; what stood there before is intact."""


def list_checkpoints(output_dir: str | os.PathLike) -> list[Path]:
    """Returns the checkpoints of a run, oldest first. They are complete, but may have been damaged since."""
    folder = Path(output_dir)
    found = [path for path in folder.glob("checkpoint-*") if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=checkpoint_step)


def checkpoint_step(folder: Path) -> int:
    """Returns N of `checkpoint-N`."""
    return int(_NAME.fullmatch(folder.name).group(1))


def own_name(folder: Path) -> str:
    """The name `checkpoint-N` that a checkpoint has, or had before it was set aside."""
    found = _NAME.search(folder.name)
    return folder.name if found is None else found.group()


def find_damage(folder: Path) -> str | None:
    """Compares a checkpoint with its manifest; returns what is wrong with which file, or `None`."""
    try:
        files = json.loads((folder / MANIFEST_FILE).read_bytes())["files"]
        expected = {name: (entry["size"], entry["sha256"]) for name, entry in files.items()}
    except FileNotFoundError:
        return f"{MANIFEST_FILE} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"{MANIFEST_FILE} cannot be read ({error})"
    for name in _NEEDED:
        if name not in expected:
            return f"{MANIFEST_FILE} does not list {name}"
    for name, (size, digest) in expected.items():
        if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            return f"{MANIFEST_FILE} lists {name!a}, which is not in the folder"
        path = folder / name
        try:
            if path.stat().st_size != size:
                return f"{name} has {path.stat().st_size} bytes, and had {size} when it was written"
            if file_sha256(path) != digest:
                return f"{name} is not what was written (its SHA-256 differs)"
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        except ValueError:  # a NUL or half a character
            return f"{MANIFEST_FILE} lists {name!a}, which is no name of a file"
    return None


def weights_digest(folder: Path) -> str | None:
    """The SHA-256 of a checkpoint's weights as its manifest has it, by which runs tell their checkpoints apart."""
    try:
        return json.loads((folder / MANIFEST_FILE).read_bytes())["files"][SAFE_WEIGHTS_NAME]["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def find_best(output_dir: Path, step: int, digest: str | None) -> Path | None:
    """The checkpoint of `step` with these weights, set aside or not; by its step alone if no digest was kept."""
    folder = output_dir / f"checkpoint-{step}"
    if digest is None:
        return folder if folder.is_dir() else None
    aside = sorted(output_dir.glob(f"{_ASIDE}checkpoint-{step}")) + sorted(output_dir.glob(f"{_ASIDE}*-{step}.*"))
    return next((path for path in (folder, *aside) if weights_digest(path) == digest), None)


def last_good_checkpoint(output_dir: str | os.PathLike) -> Path | None:
    """Returns the newest checkpoint of a run that is not damaged, if there is one."""
    return next((path for path in reversed(list_checkpoints(output_dir)) if find_damage(path) is None), None)


def check_checkpoint(wanted: str | os.PathLike) -> Path:
    """The path, if it is a checkpoint's; what is in it is not looked at.

    Raises:
        FileNotFoundError: it is not.
    """
    path = Path(wanted)
    if not path.is_dir() or not (_NAME.fullmatch(path.name) or (path / MANIFEST_FILE).exists()):
        raise FileNotFoundError(
            f"{wanted} is not a training checkpoint. Accepted: 'last', or the path of a folder checkpoint-N of an "
            "earlier run."
        )
    return path


def find_checkpoint(wanted: str, output_dir: str | os.PathLike) -> Path | None:
    """Resolves `resume_from_checkpoint` to a checkpoint that is not damaged.

    `"last"` is the newest such one in `output_dir`, or `None` if that holds no checkpoint at all. Damaged ones are
    named in a warning and passed over.

    Raises:
        FileNotFoundError: `wanted` is a path that is no checkpoint.
        CheckpointDamagedError: the checkpoint at this path is damaged or, with `"last"`, all are.
    """
    if wanted != "last":
        path = check_checkpoint(wanted)
        reason = find_damage(path)
        if reason is not None:
            raise CheckpointDamagedError(f"{path} is damaged and cannot be resumed from: {reason}.")
        return path
    damaged = []
    for path in reversed(list_checkpoints(output_dir)):
        reason = find_damage(path)
        if reason is None:
            return path
        damaged.append(f"{path}: {reason}")
        logger.warning("%s is damaged and is passed over: %s", path, reason)
    if damaged:
        raise CheckpointDamagedError(
            "every checkpoint is damaged, so there is none to resume from. To start anew, remove them or give "
            "--overwrite_output_dir without --resume_from_checkpoint.\n  " + "\n  ".join(damaged)
        )
    return None


def write_checkpoint(folder: Path, write: Callable[[Path], None]) -> None:
    """Calls `write(temporary folder)`, adds the manifest, and gives the folder its name.

    Whatever goes wrong, and whenever, a folder that stood there before is intact (see `clean_leftovers`).

    Raises:
        CheckpointWriteError: it could not be written. Names the folder, the reason and the last good checkpoint.
    """
    temporary, replaced = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.replaced")

    def write_all(target: Path) -> None:
        write(target)
        _write_manifest(target)

    fill(temporary, write_all, str(folder))
    if folder.is_dir():
        discard(replaced)
        folder.rename(replaced)
    elif folder.is_symlink() or folder.exists():  # no checkpoint: a file of the user's, or a link that leads nowhere
        set_aside(folder)
    temporary.rename(folder)
    sync(folder.parent)
    discard(replaced)


def fill(temporary: Path, write: Callable[[Path], None], name: str) -> None:
    """Calls `write(temporary)` and flushes what it wrote to the disk; removes it all if that fails.

    Raises:
        CheckpointWriteError: it failed, because the disk is full, say.
    """
    try:
        delete(temporary)
        temporary.mkdir(parents=True)
        write(temporary)
        for path in sorted(temporary.rglob("*")):
            sync(path)
        sync(temporary)
    except BaseException as error:
        discard(temporary)
        if not isinstance(error, Exception):
            raise
        # Not OSError alone: safetensors and processors report a full disk by exceptions of their own.
        good = last_good_checkpoint(temporary.parent)
        rest = "There is no earlier checkpoint" if good is None else f"The last good checkpoint is {good}"
        raise CheckpointWriteError(f"{name} could not be written: {error}. {rest}.") from error


def discard(path: Path) -> None:
    """Deletes what is no longer needed. What cannot be deleted stays, with a warning: it costs space and no more."""
    try:
        delete(path)
    except OSError as error:
        logger.warning_once(f"{path} could not be removed ({error.strerror}); it is in the way of nothing.")


def remove(folder: Path) -> None:
    """Deletes a checkpoint. A deletion that is cut short leaves no checkpoint that lacks files.

    Of a link to a checkpoint elsewhere only the link goes. What cannot be removed stays, with a warning.
    """
    hidden = folder.with_name(f".{folder.name}.removed")
    discard(hidden)
    try:
        folder.rename(hidden)
    except OSError as error:
        logger.warning_once(f"the old checkpoint {folder} could not be removed ({error.strerror}); it stays.")
        return
    discard(hidden)


def rotate(output_dir: str | os.PathLike, keep: int, spare: Path | None) -> None:
    """Removes all but the newest `keep` checkpoints, never `spare` (the best one)."""
    for path in list_checkpoints(output_dir)[:-keep]:
        if spare is None or path.name != spare.name:
            remove(path)


def set_aside(path: Path) -> Path:
    """Renames what stands in the way of a run to a name that is free, `set-aside-NAME`; returns that."""
    number, target = 1, path.with_name(f"{_ASIDE}{path.name}")
    while target.is_symlink() or target.exists():
        number += 1
        target = path.with_name(f"{_ASIDE}{path.name}.{number}")
    path.rename(target)
    logger.warning("%s is not of the run that goes on; it is kept as %s", path, target.name)
    return target


def clean_leftovers(output_dir: str | os.PathLike) -> None:
    """Removes what a killed run left half done, and puts back a checkpoint whose replacement was not finished."""
    for path in sorted(Path(output_dir).iterdir()):
        match = _LEFTOVER.fullmatch(path.name)
        if match is None:
            continue
        original = path.with_name(match.group(1))
        if match.group(2) == "replaced" and not original.exists():
            path.rename(original)
        else:
            discard(path)


def _write_manifest(folder: Path) -> None:
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files[path.relative_to(folder).as_posix()] = {"size": path.stat().st_size, "sha256": file_sha256(path)}
    write_json(folder / MANIFEST_FILE, {"files": files})
