"""Runs that compare graphs in models of a task: a line of a file each, so that a call that was stopped goes on."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from transformers import PreTrainedModel, set_seed
from transformers.utils import logging

from hf_arae.storage.files import append_line, delete
from hf_arae.storage.run_files import read_log
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.batch_source import TrainDataset
from hf_arae.training.interruption import EXIT_CODE, TrainingInterrupted
from hf_arae.training.objective import Objective

REFERENCES = ("none", "uniform", "untrained")
RUNS_FILE, TABLE_FILE = "runs.jsonl", "table.md"


def train_one(
    model: PreTrainedModel, objective: Objective, rows: TrainDataset, folder: str | Path, seed: int, **settings: Any
) -> int:
    """Trains a model, of which nothing is kept in files; returns the number of updates.

    Args:
        model: stays in evaluation mode.
        objective: how it is trained.
        rows: what it is trained on.
        folder: in which the run's own folder stands, and goes again.
        seed: of the order of rows, and what is drawn on the way.
        settings: of [`TrainingArguments`].
    """
    set_seed(seed)
    with tempfile.TemporaryDirectory(prefix=".run-", dir=folder) as place:
        arguments = TrainingArguments(
            output_dir=place,
            seed=seed,
            logging_steps=10**9,
            eval_steps=0,
            save_steps=0,
            report_to=[],
            disable_tqdm=True,
            **settings,
        )
        # What the loop says at a stop, of going on from a checkpoint, is not for a run whose folder goes.
        with contextlib.redirect_stdout(io.StringIO()):
            updates = PhaseTrainer(model, objective, arguments, rows).train().steps
    model.eval()
    return updates


def run_missing(
    wanted: Sequence[dict[str, Any]],
    folder: Path,
    settings: str,
    train: Callable[[dict[str, Any]], dict[str, Any]],
    told: Callable[[dict[str, Any]], str],
) -> list[dict[str, Any]]:
    """The runs that are wanted, of which those that the folder does not have are trained now.

    Args:
        wanted: what tells each run from others, beside the settings.
        folder: of the file `runs.jsonl`.
        settings: a digest of what all runs have in common, as which it is written.
        train: makes what a run has beside what is wanted and the settings.
        told: a line about a run that has ended.

    Raises:
        SystemExit: it was interrupted; the same call goes on.
    """

    names = (*wanted[0], "settings")

    def key(run: dict[str, Any]) -> tuple:
        return tuple(run.get(name) for name in names)

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    path = folder / RUNS_FILE
    known = {key(run): run for run in (read_log(path) if path.is_file() else [])}
    wanted = [row | {"settings": settings} for row in wanted]
    missing = [row for row in wanted if key(row) not in known]
    print(f"{len(wanted) - len(missing)} of the runs are in {path}, {len(missing)} are trained now", flush=True)
    for left in folder.glob(".run-*"):  # of a call that was killed
        delete(left)
    try:
        for row in missing:
            run = row | train(row)
            append_line(path, run)
            known[key(row)] = run
            print(told(run), flush=True)
    except (KeyboardInterrupt, TrainingInterrupted):
        print(f"Stopped: {len(known)} runs are in {path}; the same command goes on with the others.")
        raise SystemExit(EXIT_CODE) from None
    return [known[key(row)] for row in wanted]


def averages(runs: Sequence[dict[str, Any]], names: Sequence[str], numbers: Sequence[str]) -> list[dict[str, Any]]:
    """The means over seeds, a row for each kind of runs.

    Args:
        runs: as `run_missing` returns them.
        names: what a kind of runs has in common.
        numbers: what is averaged, as far as runs have it.
    """
    kinds: dict[tuple, list[dict[str, Any]]] = {}
    for run in runs:
        kinds.setdefault(tuple(run[name] for name in names), []).append(run)
    return [
        dict(zip(names, kind, strict=True))
        | {number: mean(run[number] for run in own) for number in numbers if number in own[0]}
        for kind, own in kinds.items()
    ]


__all__ = ["REFERENCES", "RUNS_FILE", "TABLE_FILE", "averages", "run_missing", "train_one"]
