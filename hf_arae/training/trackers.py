"""Copies of the log for looking at: TensorBoard, Weights & Biases, Trackio, MLflow, by accelerate's trackers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.tracking import GeneralTracker, MLflowTracker, TensorBoardTracker, TrackioTracker, WandBTracker
from transformers.utils import logging

from hf_arae.storage.run_files import BOARD_FOLDER

logger = logging.get_logger(__name__)

TRACKERS = ("tensorboard", "wandb", "trackio", "mlflow")
_PROJECT = "hf_arae"  # where the environment names no other


def tracker_names(wanted: str | list[str] | None) -> list[str]:
    """Returns the names of trackers in a list, or in a text with commas between them; `none` is no tracker.

    Raises:
        ValueError: they are no texts, one is not among `TRACKERS`, or `none` stands beside another.
    """
    parts = [wanted] if isinstance(wanted, str) else wanted or ()
    if not isinstance(parts, Iterable) or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"report_to must hold names of trackers, got {wanted!r}")
    names = list(dict.fromkeys(name.strip() for part in parts for name in part.split(",") if name.strip()))
    if names == ["none"]:
        return []
    unknown = [name for name in names if name not in TRACKERS]
    if unknown:
        raise ValueError(
            f"report_to must be none, or one or more of {', '.join(TRACKERS)}; got {', '.join(map(repr, names))}"
        )
    return names


class Trackers:
    """The trackers of one run, on its main process. Where none is wanted, nothing here does anything.

    They are copies: one that fails (its disk is full, its service is away) is named in a warning, and the run goes on
    without it. TensorBoard is wanted by default, so where it is not installed a warning says that; the other packages
    must be installed if they are named.

    Args:
        folder: of the run; its name is the run's name. TensorBoard writes below it, MLflow and the others where their
            own environment variables say (`WANDB_PROJECT`, `MLFLOW_TRACKING_URI`, ...), into the project or experiment
            `hf_arae` if none is named there.
        names: some of `TRACKERS`.

    Raises:
        ImportError: the package of a tracker other than TensorBoard is not installed; all such ones are named.
    """

    def __init__(self, folder: Path, names: list[str]):
        missing = [name for name in names if find_spec(name) is None]
        if missing and missing != ["tensorboard"]:
            missing = [name for name in missing if name != "tensorboard"]
            raise ImportError(
                f"report_to names {', '.join(missing)}, which is not installed: pip install {' '.join(missing)}"
            )
        if missing:
            logger.warning(
                "TensorBoard is not installed, so the log is not copied there (pip install hf_arae[tensorboard])"
            )
        self.folder, self.names = folder, [name for name in names if name not in missing]
        self.running: dict[str, GeneralTracker] = {}

    def start(self, settings: dict[str, Any], step: int) -> None:
        """Begins, or goes on after iteration `step`.

        Args:
            settings: names and values of what the run's course depends on, which trackers show beside it.
        """
        name, board = self.folder.resolve().name, {"purge_step": step + 1} if step else {}
        made: dict[str, Callable[[], GeneralTracker]] = {
            "tensorboard": lambda: TensorBoardTracker(BOARD_FOLDER, self.folder, **board),
            "wandb": lambda: WandBTracker(os.environ.get("WANDB_PROJECT", _PROJECT), name=name),
            "trackio": lambda: TrackioTracker(os.environ.get("TRACKIO_PROJECT", _PROJECT), name=name),
            "mlflow": lambda: MLflowTracker(_PROJECT, run_name=name),
        }
        for kind in self.names:

            def begin(kind: str = kind) -> None:
                tracker = made[kind]()
                if hasattr(tracker, "start"):  # before accelerate 1.11 the constructor did it
                    tracker.start()
                if kind != "tensorboard":  # there it would be a run of its own
                    tracker.store_init_configuration(settings)
                self.running[kind] = tracker

            self._try(kind, begin)

    def log(self, step: int, values: dict[str, float], samples: list[str | Path] | None = None) -> None:
        """Copies a line of the log; texts and pictures among the samples go to TensorBoard."""
        for kind, tracker in list(self.running.items()):
            self._try(kind, lambda tracker=tracker: tracker.log(values, step=step))
        if samples and "tensorboard" in self.running:
            self._try("tensorboard", lambda: self._show(step, samples))

    def _show(self, step: int, samples: list[str | Path]) -> None:
        board = self.running["tensorboard"]
        texts = [sample for sample in samples if not isinstance(sample, Path)]
        if texts:
            board.log({"samples": "\n\n".join(texts)}, step=step)
        for path in (sample for sample in samples if isinstance(sample, Path)):
            from PIL import Image  # comes with TensorBoard

            pixels = np.asarray(Image.open(path).convert("RGB"))
            board.log_images({f"samples/{path.stem}": pixels[None]}, step=step, dataformats="NHWC")

    def close(self) -> None:
        """Ends all trackers."""
        for kind, tracker in list(self.running.items()):
            self._try(kind, tracker.finish)
        self.running = {}

    def _try(self, kind: str, do: Callable[[], Any]) -> None:
        try:
            do()
        except Exception as error:  # each service has exceptions of its own
            self.running.pop(kind, None)  # it is not closed: that would try to write the rest, and fail again
            where = f"{self.folder / BOARD_FOLDER} could not be written" if kind == "tensorboard" else f"{kind} failed"
            name = "TensorBoard" if kind == "tensorboard" else "it"
            logger.warning("%s (%s): the run goes on without %s", where, error, name)
