"""Runs that compare graphs in models of a task: a line of a file each, so that a call that was stopped goes on."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any, TypeVar

from transformers import PreTrainedModel, set_seed
from transformers.utils import logging

from hf_arae.evaluation.graph_models import GRAPHS
from hf_arae.models.glomo.graph_reader import GraphReader
from hf_arae.storage.downloads import require_checkpoints
from hf_arae.storage.files import delete
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.batch_source import TrainDataset
from hf_arae.training.objective import Objective
from hf_arae.training.run_table import RunTable
from hf_arae.utils.digests import digest
from hf_arae.utils.validation import check_range

REFERENCES = ("none", "uniform", "untrained")
RUNS_FILE, TABLE_FILE = "runs.jsonl", "table.md"
_NOT_OF_RUNS = ("output_dir", "predictor", "networks", "graphs", "places", "seeds", "keep_models", "also", "use_cpu")


@dataclass
class GraphRunArguments:
    """What all comparisons of graphs have."""

    graphs: list[str] = field(
        default_factory=lambda: list(GRAPHS),
        metadata={
            "help": "These graphs are compared: none, the mean of what may be drawn from (uniform), random ones, "
            "those of a predictor with new weights (untrained), and the predictor's own (learned).",
            "choices": GRAPHS,
        },
    )
    seeds: list[int] = field(
        default_factory=lambda: [0, 1, 2, 3, 4],
        metadata={"help": "A seed chooses labelled rows, weights and order; a run each."},
    )
    num_train_epochs: float = field(default=3.0, metadata={"help": "A run passes over its rows so many times."})
    max_steps: int = field(
        default=-1, metadata={"help": "A run has so many updates; above 0 it overrides num_train_epochs."}
    )
    per_device_train_batch_size: int = field(default=32, metadata={"help": "An update has so many rows."})
    keep_models: bool = field(
        default=False, metadata={"help": "The models are kept in output_dir, a folder each; they load with pipelines."}
    )
    use_cpu: bool = field(default=False, metadata={"help": "No accelerator is used, even if there is one."})

    def __post_init__(self):
        for name in ("graphs", "seeds"):
            if not getattr(self, name):
                raise ValueError(f"{name} must hold at least one value")
        check_range(self, "[1, inf)", "per_device_train_batch_size")


Reader = TypeVar("Reader", bound=GraphReader)


def learned_predictor(kind: type[Reader], name: str) -> Reader:
    """Loads a predictor of learned graphs, in evaluation mode.

    Args:
        kind: its class.
        name: a run's folder, or a model on the Hub.

    Raises:
        FileNotFoundError: there is none.
        ValueError: its graphs are a control's.
    """
    require_checkpoints(name)
    predictor = kind.from_pretrained(name).eval()
    if predictor.config.graph != "learned":
        raise ValueError(f"{name} has learned no graphs: they are {predictor.config.graph}")
    return predictor


def digest_of_runs(parts: Sequence[Any], predictor: PreTrainedModel, rows: Iterable[str]) -> str:
    """A short name of what all runs have in common.

    Args:
        parts: of the command line; what only says which runs there are, and where, does not count.
        predictor: whose weights do.
        rows: digests of the data.
    """
    chosen = {name: value for part in parts for name, value in asdict(part).items() if name not in _NOT_OF_RUNS}
    weights = [value.numpy().tobytes() for _, value in sorted(predictor.state_dict().items())]
    return digest(repr(sorted(chosen.items())).encode(), *(one.encode() for one in rows), *weights)


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

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    wanted = [row | {"settings": settings} for row in wanted]
    table = RunTable(folder / RUNS_FILE, wanted[0])
    for left in folder.glob(".run-*"):  # of a call that was killed
        delete(left)
    for run, _ in table.fill(wanted, lambda rows: ((row | train(row), None) for row in rows)):
        print(told(run), flush=True)
    return [table[row] for row in wanted]


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


__all__ = [
    "REFERENCES",
    "RUNS_FILE",
    "TABLE_FILE",
    "GraphRunArguments",
    "averages",
    "digest_of_runs",
    "learned_predictor",
    "run_missing",
    "train_one",
]
