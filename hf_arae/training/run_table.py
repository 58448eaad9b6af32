"""Many runs beside one another, each a line of one table: a search that was stopped goes on where it was."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

import torch
from tqdm.auto import tqdm

from hf_arae.storage.files import append_line
from hf_arae.storage.run_files import read_log
from hf_arae.training.interruption import EXIT_CODE, TrainingInterrupted

Run = dict[str, Any]
T = TypeVar("T")


class RunTable:
    """Runs as lines of a file, each with its settings and what came of it.

    Args:
        path: the file, JSON lines; it need not exist.
        settings: the keys of a run that tell it from others.
    """

    def __init__(self, path: Path, settings: Iterable[str]):
        self.path, self.settings = path, sorted(settings)
        self._runs = {self.identity(run): run for run in (read_log(path) if path.is_file() else [])}

    def identity(self, run: Mapping[str, Any]) -> str:
        """What tells a run from others."""
        return json.dumps({name: run.get(name) for name in self.settings}, sort_keys=True)

    def __contains__(self, run: Mapping[str, Any]) -> bool:
        return self.identity(run) in self._runs

    def __getitem__(self, run: Mapping[str, Any]) -> Run:
        """The line of a run of these settings."""
        return self._runs[self.identity(run)]

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: Run) -> None:
        """Adds a line, on the disk when this returns; one that was left half written before it ends first."""
        append_line(self.path, run)
        self._runs[self.identity(run)] = run

    def fill(
        self, wanted: Sequence[Run], make: Callable[[list[Run]], Iterable[tuple[Run, T]]]
    ) -> Iterator[tuple[Run, T]]:
        """Adds the wanted runs that are not there yet.

        Args:
            wanted: settings of runs.
            make: makes runs of some settings, and gives the line of each as soon as it has ended, in any order, with
                what else came of it.

        Yields:
            What `make` gave, once the line is on the disk.

        Raises:
            SystemExit: the process was told to stop; what has ended is kept.
        """
        missing = [run for run in wanted if run not in self]
        print(f"{len(wanted) - len(missing)} of the runs are in {self.path}, {len(missing)} are trained now")
        try:
            for run, more in tqdm(make(missing), total=len(missing), desc="Runs", unit="run"):
                self.add(run)
                yield run, more
        except (KeyboardInterrupt, TrainingInterrupted):
            print(f"Stopped: {len(self)} runs are in {self.path}; the same command goes on with the others.")
            raise SystemExit(EXIT_CODE) from None


def side_by_side(
    train: Callable[[Run], T], runs: Sequence[Run], num_parallel_runs: int, share: Callable[[Any], None], what: Any
) -> Iterator[T]:
    """Returns what `train` gives of each run, in the order in which they end.

    Args:
        train: makes a run; a function of a module, as `share`.
        runs: their settings.
        num_parallel_runs: so many go on at once, each on one thread in a process of its own; 1: in this process.
        share: is called first, in each process, with `what`.
        what: all runs need it.
    """
    if num_parallel_runs == 1:
        share(what)
        yield from map(train, runs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_parallel_runs, context, _begin, (share, what)) as pool:
        waiting = [pool.submit(train, run) for run in runs]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(share: Callable[[Any], None], what: Any) -> None:
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    # A search that is killed takes its runs along.
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    share(what)


__all__ = ["Run", "RunTable", "side_by_side"]
