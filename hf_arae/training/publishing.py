"""The end of a run, for others to read: its report, and its repository on the Hub."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from hf_arae.hub.run_repository import RunRepository
from hf_arae.training.arguments import TrainingArguments
from hf_arae.training.report import write_report
from hf_arae.training.results import TrainingResult


class RunPublishing:
    """The part of [`~hf_arae.training.trainer.PhaseTrainer`] that reports and publishes."""

    accelerator: Accelerator
    arguments: TrainingArguments
    processing_class: Any
    output_dir: Path
    repository: RunRepository | None
    result: TrainingResult | None

    def finish(
        self,
        metrics: Mapping[str, Any],
        settings: Sequence[Any] = (),
        *,
        preset: str | None = None,
        measured_split: str | None = None,
        base: str | os.PathLike | None = None,
    ) -> dict[str, Any]:
        """Writes the run's report, `metrics.json` in `output_dir`, and with `push_to_hub` pushes the result.

        To be called after `train`, once everything that is to go up beside the weights stands in `output_dir`. Only
        the main process does something.

        Args:
            metrics: numbers of the last evaluation, and what else is to be known. The report has `seed`, `updates`
                (iterations) and `minutes` (of training, in all calls) beside them.
            settings: the dataclasses that the command line was read into.
            preset: name of the preset that the settings began with, if one was given.
            measured_split: name of the split that `metrics` are of.
            base: folder of the run that this one went on from.

        Returns:
            The report; nothing on other processes than the main one.

        Raises:
            HubError: the Hub refuses or cannot be reached; the result is in `output_dir`.
            OSError: the report cannot be written.
            RuntimeError: `train` has not ended yet.
        """
        if self.result is None:
            raise RuntimeError("finish() is for a trainer whose train() has ended")
        if not self.accelerator.is_main_process:
            return {}
        about = {"seed": self.arguments.seed, "updates": self.result.steps, "minutes": self.result.seconds / 60}
        told = {"preset": preset, "measured_split": measured_split}
        about |= {name: value for name, value in told.items() if value is not None}
        report = write_report(self.output_dir, about | dict(metrics), settings, base)
        if self.arguments.push_to_hub:
            print(f"pushed to {self.push_to_hub()}")
        return report

    def push_to_hub(self, message: str = "End of training") -> str | None:
        """Writes a card from the run's report and log, and pushes the result, once `train` has ended.

        What goes up: weights, config, processor, code, card, report, log, samples and pictures; no training state.

        Args:
            message: of the commit.

        Returns:
            The repository's address; `None` on other processes than the main one, which do nothing.

        Raises:
            HubError: the Hub refuses or cannot be reached; the result is in `output_dir`.
        """
        if not self.accelerator.is_main_process:
            return None
        self._open_repository()
        return self.repository.push_result(self.output_dir, message)

    def _open_repository(self) -> None:
        if self.repository is None:  # else it is a script's, that opened it before a stage of its own
            self.repository = RunRepository(self.arguments, self.processing_class)
