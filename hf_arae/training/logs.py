"""The log of a run: JSON lines always, and copies for trackers if wanted."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.utils import logging

from hf_arae.storage.json_numbers import to_json
from hf_arae.storage.run_files import LOG_FILE
from hf_arae.training.trackers import Trackers
from hf_arae.utils.distributed import mean_over_processes

logger = logging.get_logger(__name__)


class RunLog:
    """Averages terms between two log lines and writes them.

    `training_log.jsonl` has one object a line: `step`, `seconds` (of this process) and `<phase>/<term>` means over the
    iterations in which the phase made an update, or `eval/<metric>` values with `samples`, pictures by their paths; a
    number that is not finite is `null`. A checkpoint keeps the position in the file and the sums since the last line,
    so a resumed run's log is that of an uninterrupted one.

    Args:
        folder: where to write.
        report_to: names of trackers that get a copy, see [`Trackers`].
        settings: names and values that trackers show beside it.
        active: only the main process writes.

    Raises:
        ImportError: a tracker's package is not installed.
    """

    def __init__(self, folder: Path, report_to: list[str], settings: dict[str, Any], active: bool):
        self.path, self.settings, self.active = folder / LOG_FILE, settings, active
        self.trackers = Trackers(folder, report_to if active else [])
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.rows = self.offset = 0
        self.file = None

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
        self.trackers.start(self.settings, step)

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
        """Counts the rows of a batch."""
        self.rows += len(next(iter(batch.values())))

    def flush(self, step: int, extra: dict[str, float]) -> dict[str, float]:
        """Writes and returns the means since the last flush, and `extra`. All processes must call it."""
        now = time.perf_counter()
        totals = mean_over_processes(torch.stack(list(self.sums.values()))).tolist() if self.sums else []
        means = {key: total / self.counts[key] for key, total in zip(self.sums, totals, strict=True)}
        values = {**means, **extra, "rows_per_second": self.rows / (now - self.since)}
        self._write(step, values)
        self.sums, self.counts, self.rows, self.since = {}, {}, 0, now
        return values

    def evaluation(self, step: int, metrics: dict[str, float], samples: list[str | Path]) -> None:
        """Writes an evaluation; its time does not count into the training speed.

        Raises:
            FileNotFoundError: there is no picture at a path among the samples.
        """
        for sample in samples:
            if self.active and isinstance(sample, Path) and not sample.is_file():
                raise FileNotFoundError(f"the evaluator's samples name a picture that is not there: {sample}")
        self._write(step, {f"eval/{name}": value for name, value in metrics.items()}, samples)
        self.since = time.perf_counter()

    def _write(self, step: int, values: dict[str, float], samples: list[str | Path] | None = None) -> None:
        if not self.active:
            return
        line = {"step": step, "seconds": round(time.perf_counter() - self.began, 2), **values}
        if samples:
            line["samples"] = [self._named(sample) for sample in samples]
        left = memoryview(f"{to_json(line)}\n".encode())
        self.offset += len(left)
        try:
            while left:
                left = left[self.file.write(left) :]
        except OSError as error:  # it does not name the file
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        self.trackers.log(step, values, samples)

    def _named(self, sample: str | Path) -> str:
        """A line as it is, and a picture's path from the run's folder on, if it lies there."""
        if not isinstance(sample, Path):
            return sample
        path, folder = sample.resolve(), self.path.parent.resolve()
        return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)

    def close(self) -> None:
        """Closes the files."""
        if self.file is not None:
            self.file.close()
            self.file = None
        self.trackers.close()
