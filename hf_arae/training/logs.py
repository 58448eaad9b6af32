"""The log of a run: JSON lines always, TensorBoard if wanted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.utils import logging

from hf_arae.storage.json_numbers import to_json
from hf_arae.storage.run_files import BOARD_FOLDER, LOG_FILE
from hf_arae.utils.distributed import mean_over_processes

logger = logging.get_logger(__name__)


class RunLog:
    """Averages terms between two log lines and writes them.

    `training_log.jsonl` has one object a line: `step`, `seconds` (of this process) and `<phase>/<term>` means over the
    iterations in which the phase made an update, or `eval/<metric>` values with `samples`; a number that is not finite
    is `null`. A checkpoint keeps the position in the file and the sums since the last line, so a resumed run's log is
    that of an uninterrupted one.

    TensorBoard's files are a copy for looking at: where it is not installed, or can no longer write, a warning says so
    and the run goes on without.

    Args:
        folder: where to write.
        report_to: `"tensorboard"` or `"none"`.
        active: only the main process writes.
    """

    def __init__(self, folder: Path, report_to: str, active: bool):
        self.path, self.active, self.with_board = folder / LOG_FILE, active, active and report_to == "tensorboard"
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.rows = self.offset = 0
        self.file, self.board = None, None
        if self.with_board and find_spec("tensorboard") is None:
            self.with_board = False
            logger.warning(
                "TensorBoard is not installed, so the log is %s alone (pip install hf_arae[tensorboard])", LOG_FILE
            )

    def open(self, step: int) -> None:
        """Starts writing where the run goes on, `step`; what stands behind, from a run that was killed, is dropped."""
        self.began = self.since = time.perf_counter()
        if not self.active:
            return
        self.path.touch()
        self.file = self.path.open("r+b", buffering=0)
        size = self.path.stat().st_size
        if size < self.offset:
            logger.warning(
                "%s is shorter (%d bytes) than when the checkpoint was written (%d): lines up to step %d are missing",
                self.path,
                size,
                self.offset,
                step,
            )
            self.offset = self.file.readall().rfind(b"\n") + 1
        self.file.truncate(self.offset)
        self.file.seek(self.offset)
        if self.with_board:
            from torch.utils.tensorboard import SummaryWriter

            with self._without_board_if_it_fails():
                self.board = SummaryWriter(self.path.parent / BOARD_FOLDER, purge_step=step + 1 if step else None)

    def position(self) -> dict[str, Any]:
        """Returns where the log stands, beside its `sums`; what is written so far is on the disk then."""
        if self.file is not None:
            os.fsync(self.file.fileno())
        return {"offset": self.offset, "counts": self.counts}

    def restore(self, position: dict[str, Any], sums: dict[str, Tensor]) -> None:
        """Puts `position` and `sums` back; `open` comes after."""
        self.offset, self.counts, self.sums = position["offset"], dict(position["counts"]), dict(sums)

    def add(self, phase: str, terms: dict[str, Tensor]) -> None:
        """Adds one iteration's terms of one phase. Stays on the device: nothing is synchronised."""
        for name, value in terms.items():
            key = f"{phase}/{name}"
            self.sums[key] = self.sums[key] + value if key in self.sums else value
            self.counts[key] = self.counts.get(key, 0) + 1

    def count(self, batch: dict[str, Tensor]) -> None:
        """Counts an iteration's rows."""
        self.rows += len(next(iter(batch.values())))

    def flush(self, step: int, extra: dict[str, float]) -> dict[str, float]:
        """Writes and returns the means since the last flush, over all processes, which must all call it."""
        now = time.perf_counter()
        totals = mean_over_processes(torch.stack(list(self.sums.values()))).tolist() if self.sums else []
        means = {key: total / self.counts[key] for key, total in zip(self.sums, totals, strict=True)}
        speed = {"rows_per_second": self.rows / (now - self.since)}
        self._write(step, {**means, **extra, **speed})
        self.sums, self.counts, self.rows, self.since = {}, {}, 0, now
        return means

    def evaluation(self, step: int, metrics: dict[str, float], samples: list[str]) -> None:
        """Writes an evaluation; its time does not count into the training speed."""
        self._write(step, {f"eval/{name}": value for name, value in metrics.items()}, samples)
        self.since = time.perf_counter()

    def _write(self, step: int, values: dict[str, float], samples: list[str] | None = None) -> None:
        if not self.active:
            return
        line = {"step": step, "seconds": round(time.perf_counter() - self.began, 2), **values}
        if samples:
            line["samples"] = samples
        left = memoryview(f"{to_json(line)}\n".encode())
        self.offset += len(left)
        try:
            while left:
                left = left[self.file.write(left) :]
        except OSError as error:  # it does not name the file
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        if self.board is not None:
            with self._without_board_if_it_fails():
                for name, value in values.items():
                    self.board.add_scalar(name, value, step)
                if samples:
                    self.board.add_text("samples", "\n\n".join(samples), step)

    @contextmanager
    def _without_board_if_it_fails(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # the disk is full, say
            self.board = None  # it is not closed: that would try to write the rest, and fail again
            folder = self.path.parent / BOARD_FOLDER
            logger.warning("%s could not be written (%s): the run goes on without TensorBoard", folder, error)

    def close(self) -> None:
        """Closes the files."""
        if self.file is not None:
            self.file.close()
            self.file = None
        if self.board is not None:
            with self._without_board_if_it_fails():
                self.board.close()
            self.board = None
