"""The folder of a run: one run at a time, no mixture of two runs, and a result that is never half written."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from hf_arae.training.checkpoint import (
    MANIFEST_FILE,
    clean_leftovers,
    fill,
    find_damage,
    list_checkpoints,
    sync,
    write_checkpoint,
)
from hf_arae.training.logs import BOARD_FOLDER, LOG_FILE

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK_FILE = ".lock"


class FolderInUseError(RuntimeError):
    """Another run that is still going on writes into the folder."""


class RunFolder:
    """Makes `output_dir`, holds it for one run and cleans up after a killed one.

    The lock belongs to the open file, so the system releases it when the process ends, however it ends. Where there
    are no such locks (Windows, some network file systems), two runs in a folder are not noticed.

    Args:
        path: the folder.
        active: only the main process holds it.

    Raises:
        FolderInUseError: another run holds it (on entering, as the following).
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, active: bool):
        self.path, self.active = path, active
        self.lock: TextIO | None = None

    def __enter__(self) -> RunFolder:
        if not self.active:
            return self
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.lock = self._take_lock()
            clean_leftovers(self.path)
        except OSError as error:
            reason = f"output_dir cannot be written ({error.strerror}); choose another --output_dir"
            raise OSError(error.errno, reason, str(self.path)) from error
        return self

    def __exit__(self, *error) -> None:
        if self.lock is not None:
            (self.path / LOCK_FILE).unlink(missing_ok=True)
            self.lock.close()

    def _take_lock(self) -> TextIO:
        path = self.path / LOCK_FILE
        while True:
            file = path.open("a+")
            try:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "another process"
                file.close()
                raise FolderInUseError(
                    f"output_dir {self.path} is in use by {holder}. Wait for its end, or choose another --output_dir."
                ) from None
            except OSError:  # this file system has no locks
                pass
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
                file.flush()
                return file
            file.close()  # its holder removed it in the meantime


def refuse_earlier_run(output_dir: Path) -> None:
    """Makes sure that a new run meets no other run's checkpoints.

    Raises:
        FileExistsError: there are some.
    """
    found = list_checkpoints(output_dir)
    if found:
        raise FileExistsError(
            f"output_dir {output_dir} holds checkpoints of an earlier run, up to {found[-1].name}. Accepted: "
            f"--resume_from_checkpoint last to go on with it, another --output_dir, or --overwrite_output_dir to "
            f"remove its checkpoints and its log."
        )


def clear(output_dir: Path) -> None:
    """Removes the checkpoints and the logs of an earlier run."""
    for path in [*list_checkpoints(output_dir), *output_dir.glob("set-aside-checkpoint-*"), output_dir / BOARD_FOLDER]:
        shutil.rmtree(path, ignore_errors=True)
    (output_dir / LOG_FILE).unlink(missing_ok=True)


def adopt(source: Path, best: str | None, output_dir: Path) -> None:
    """Copies the log, and the checkpoint named `best`, of a run that goes on from `source` in another folder."""
    if (source.parent / LOG_FILE).is_file():
        shutil.copyfile(source.parent / LOG_FILE, output_dir / LOG_FILE)
    if best is not None and find_damage(source.parent / best) is None:
        ignored = shutil.ignore_patterns(MANIFEST_FILE)  # the copy gets its own

        def copy(folder: Path) -> None:
            shutil.copytree(source.parent / best, folder, ignore=ignored, dirs_exist_ok=True)

        write_checkpoint(output_dir / best, copy)


def export(output_dir: Path, write: Callable[[Path], None]) -> None:
    """Calls `write(temporary folder)` and moves what it wrote into `output_dir`, file by file, config.json last.

    Raises:
        CheckpointWriteError: it could not be written; an earlier result is intact.
    """
    temporary = output_dir / ".export.new"
    fill(temporary, write, f"the result in {output_dir}")
    files = [path for path in temporary.rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: path.name == "config.json"):
        target = output_dir / path.relative_to(temporary)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    sync(output_dir)
    shutil.rmtree(temporary)
