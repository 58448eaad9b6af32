"""What a script may do at certain moments of a training, without a loop of its own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hf_arae.training.results import Evaluation, TrainingResult


class TrainingCallback:
    """Base of callbacks: a subclass defines the methods of the moments that it wants. The others do nothing.

    The names are those of transformers' `TrainerCallback`. Each method gets the `PhaseTrainer` and is called on every
    process (`trainer.accelerator.is_main_process` tells them apart), in the order in which callbacks were given. An
    exception of one ends the training, as any other error does. What a callback draws or changes is not kept in
    checkpoints.
    """

    def on_train_begin(self, trainer: Any) -> None:
        """The training begins, or goes on from a checkpoint, at iteration `trainer.step`."""

    def on_log(self, trainer: Any, values: dict[str, float]) -> None:
        """A line of numbers was logged: means of terms, learning rates, `rows_per_second`."""

    def on_evaluate(self, trainer: Any, evaluation: Evaluation) -> None:
        """The model was evaluated, before it is known whether it is the best one."""

    def on_save(self, trainer: Any, folder: Path) -> None:
        """A checkpoint was written."""

    def on_train_end(self, trainer: Any, result: TrainingResult) -> None:
        """The training has ended; the model holds the result, which stands in `trainer.output_dir`."""


def check_callbacks(callbacks: Any) -> list[TrainingCallback]:
    """Returns the callbacks as a list.

    Raises:
        TypeError: they are no list; one is no `TrainingCallback`; a class, say, in place of an object of it.
    """
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be a list of TrainingCallback objects, got {callbacks!r}")
    found = list(callbacks)
    for callback in found:
        if not isinstance(callback, TrainingCallback):
            raise TypeError(f"callbacks must be objects of a subclass of TrainingCallback, got {callback!r}")
    return found
