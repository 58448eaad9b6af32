"""The folder of a run: one run at a time, no mixture of two runs, and a result that is never half written."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

from hf_arae.storage.files import read_json, sync, write_json
from hf_arae.storage.run_files import (
    BOARD_FOLDER,
    EXPORT_NEW,
    EXPORT_READY,
    LOCK_FILE,
    LOG_FILE,
    PICTURES_FOLDER,
    REPORT_FILE,
)
from hf_arae.storage.wholeness import DIGESTS_FILE, digests_of
from hf_arae.training.arguments import TrainingArguments
from hf_arae.training.checkpoint import (
    MANIFEST_FILE,
    check_checkpoint,
    checkpoint_step,
    clean_leftovers,
    discard,
    fill,
    find_damage,
    list_checkpoints,
    own_name,
    set_aside,
    write_checkpoint,
)

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


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
            _finish_export(self.path)
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


def check_start(arguments: TrainingArguments) -> None:
    """Says at once, before data are read and judges trained, where a run of these arguments cannot begin.

    Raises:
        FileExistsError: a new run in a folder that holds checkpoints of an earlier one.
        FileNotFoundError: `resume_from_checkpoint` is a path that is no checkpoint.
    """
    wanted = arguments.resume_from_checkpoint
    if wanted not in (None, "last"):
        check_checkpoint(wanted)
    elif wanted is None and not arguments.overwrite_output_dir:
        refuse_earlier_run(Path(arguments.output_dir))


def clear(output_dir: Path) -> None:
    """Removes the checkpoints, the logs and the pictures of an earlier run."""
    logs = [output_dir / name for name in (BOARD_FOLDER, PICTURES_FOLDER, LOG_FILE)]
    for path in [*list_checkpoints(output_dir), *output_dir.glob("set-aside-checkpoint-*"), *logs]:
        discard(path)


def go_back(output_dir: Path, source: Path, step: int, best: Path | None) -> None:
    """Leaves in a run's folder the checkpoints that the run had at `source`, one of them, from which it goes on.

    Later ones, which would be taken for its own newest ones, are set aside, each with the log as it is now. A run that
    goes on from a checkpoint that was set aside takes it back, with its log and its best checkpoint, and sets aside
    all others: they are of the run that took its place.

    Args:
        output_dir: folder of the run.
        source: a checkpoint in it, of iteration `step`.
        best: the best checkpoint that the run had then.
    """
    name, log = f"checkpoint-{step}", output_dir / LOG_FILE
    returns = source.name != name
    for path in reversed(list_checkpoints(output_dir)):
        if checkpoint_step(path) > step or (returns and (path != best or path.name == name)):
            if log.is_file():
                shutil.copyfile(log, path / LOG_FILE)
            set_aside(path)
    if not returns:
        return
    if (source / LOG_FILE).is_file():
        shutil.copyfile(source / LOG_FILE, log)
    if best is not None and best.name != source.name:
        best.rename(output_dir / own_name(best))
    source.rename(output_dir / name)


def adopt(source: Path, best: Path | None, output_dir: Path) -> None:
    """Copies the log, and the best checkpoint, of a run that goes on from `source` in another folder."""
    log = source.parent / LOG_FILE
    if own_name(source) != source.name and (source / LOG_FILE).is_file():  # it was set aside with its log
        log = source / LOG_FILE
    if log.is_file():
        shutil.copyfile(log, output_dir / LOG_FILE)
    if best is not None and find_damage(best) is None:
        ignored = shutil.ignore_patterns(MANIFEST_FILE)  # the copy gets its own

        def copy(folder: Path) -> None:
            shutil.copytree(best, folder, ignore=ignored, dirs_exist_ok=True)

        write_checkpoint(output_dir / own_name(best), copy)


def export(output_dir: Path, write: Callable[[Path], None]) -> None:
    """Calls `write(temporary folder)` and puts what it wrote, with its digests, into `output_dir`.

    The digests go first, so the folder is refused until the last file has come (see `hf_arae.storage.wholeness`). What
    a killed process left undone the next run in the folder does. The report of another result goes.

    Raises:
        CheckpointWriteError: it could not be written; an earlier result is intact.
    """
    temporary = output_dir / EXPORT_NEW

    def write_all(folder: Path) -> None:
        write(folder)
        write_json(folder / DIGESTS_FILE, digests_of(folder))

    _finish_export(output_dir)
    fill(temporary, write_all, f"the result in {output_dir}")
    temporary.rename(output_dir / EXPORT_READY)
    _finish_export(output_dir)


def _finish_export(output_dir: Path) -> None:
    """Moves a result that is ready to its place."""
    ready = output_dir / EXPORT_READY
    if not ready.is_dir():
        return
    sync(output_dir)
    digests = output_dir / DIGESTS_FILE
    if (ready / DIGESTS_FILE).is_file():
        try:
            new, old = read_json(ready / DIGESTS_FILE), _earlier_files(output_dir)
        except ValueError:  # damaged since; the earlier result is still whole
            discard(ready)
            return
        for name in old.keys() - new.keys():
            (output_dir / name).unlink(missing_ok=True)
        if old != new:
            (output_dir / REPORT_FILE).unlink(missing_ok=True)
        os.replace(ready / DIGESTS_FILE, digests)
        sync(output_dir)
    for path in sorted(path for path in ready.rglob("*") if path.is_file()):
        target = output_dir / path.relative_to(ready)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir() and not target.is_symlink():
            set_aside(target)
        os.replace(path, target)
    sync(output_dir)
    discard(ready)


def _earlier_files(output_dir: Path) -> dict[str, str]:
    """Names and digests of the result that stands in a folder; without them, its weights at least."""
    weights = [*output_dir.glob("model-*-of-*.safetensors"), output_dir / SAFE_WEIGHTS_INDEX_NAME]
    weights = {path.name: "" for path in (*weights, output_dir / SAFE_WEIGHTS_NAME) if path.is_file()}
    try:
        found = read_json(output_dir / DIGESTS_FILE)
    except (OSError, ValueError):
        return weights
    return weights | {name: digest for name, digest in found.items() if Path(name).name == name}
