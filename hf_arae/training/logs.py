"""The log of a run: JSON lines always, TensorBoard if wanted."""

from __future__ import annotations

import json
import time
from pathlib import Path

from torch import Tensor

LOG_FILE = "training_log.jsonl"


class RunLog:
    """Averages terms between two log lines and writes them.

    `training_log.jsonl` has one object a line: `step`, `seconds` (of this process) and `<phase>/<term>` means, or
    `eval/<metric>` values with `samples`.

    Args:
        folder: where to write.
        step: first step of this process; lines of later steps, from a run that went on and was then resumed from an
            earlier checkpoint, are dropped.
        report_to: `"tensorboard"` or `"none"`.
        active: only the main process writes.
    """

    def __init__(self, folder: Path, step: int, report_to: str, active: bool):
        self.sums: dict[str, Tensor] = {}
        self.updates = self.sentences = 0
        self.active, self.file, self.board = active, None, None
        self.began = self.since = time.perf_counter()
        if not active:
            return
        path = folder / LOG_FILE
        kept = []
        if path.exists() and step:
            kept = [line for line in path.read_text().splitlines() if json.loads(line)["step"] <= step]
        self.file = path.open("w")
        self.file.writelines(f"{line}\n" for line in kept)
        if report_to == "tensorboard":
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise ImportError(
                    "report_to='tensorboard' needs the package: pip install hf_arae[tensorboard], or --report_to none"
                ) from error
            self.board = SummaryWriter(folder / "tensorboard", purge_step=step or None)

    def add(self, phase: str, terms: dict[str, Tensor]) -> None:
        """Adds one iteration's terms of one phase. Stays on the device: nothing is synchronised."""
        for name, value in terms.items():
            key = f"{phase}/{name}"
            self.sums[key] = self.sums.get(key, 0) + value

    def count(self, batch: dict[str, Tensor]) -> None:
        """Counts an iteration and its sentences."""
        self.updates += 1
        self.sentences += len(next(iter(batch.values())))

    def flush(self, step: int, extra: dict[str, float]) -> dict[str, float]:
        """Writes and returns the means since the last flush."""
        now = time.perf_counter()
        means = {key: float(value) / self.updates for key, value in self.sums.items()}
        speed = {"sentences_per_second": self.sentences / (now - self.since)}
        self._write(step, {**means, **extra, **speed})
        self.sums, self.updates, self.sentences, self.since = {}, 0, 0, now
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
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)
            if samples:
                self.board.add_text("samples", "\n\n".join(samples), step)

    def close(self) -> None:
        """Closes the files."""
        if self.file is not None:
            self.file.close()
        if self.board is not None:
            self.board.close()
