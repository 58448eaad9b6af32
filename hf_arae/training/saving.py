"""What a run keeps: checkpoints, from which it goes on as if it had never stopped, and its best weights."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from transformers import PreTrainedModel
from transformers.utils import SAFE_WEIGHTS_NAME, logging

from hf_arae.hub.run_repository import RunRepository
from hf_arae.storage.downloads import file_sha256
from hf_arae.storage.json_numbers import exact, restored
from hf_arae.storage.processors import save_processor
from hf_arae.training import checkpoint, run_folder, state
from hf_arae.training.arguments import TrainingArguments
from hf_arae.training.average import WeightAverage
from hf_arae.training.batch_source import BatchSource
from hf_arae.training.best_metric import is_better
from hf_arae.training.callbacks import TrainingCallback
from hf_arae.training.fingerprint import check_unchanged
from hf_arae.training.logs import RunLog
from hf_arae.training.non_finite import NonFiniteGuard
from hf_arae.training.results import TrainingResult
from hf_arae.training.updates import PhaseUpdates
from hf_arae.utils.distributed import from_main

logger = logging.get_logger(__name__)


class RunSaving:
    """The part of [`~hf_arae.training.trainer.PhaseTrainer`] that saves, resumes and chooses the best weights."""

    accelerator: Accelerator
    arguments: TrainingArguments
    average: WeightAverage
    batches: BatchSource
    callbacks: list[TrainingCallback]
    fingerprint: dict[str, Any]
    generators: dict[str, torch.Generator]
    guard: NonFiniteGuard
    log: RunLog
    max_steps: int
    model: PreTrainedModel
    output_dir: Path
    processing_class: Any
    repository: RunRepository | None
    updates: PhaseUpdates

    def _begin_progress(self) -> None:
        self.step = 0
        self.seconds = 0.0  # of training, before this call
        self.began = time.perf_counter()
        self.best: dict[str, float] = {}
        self.best_step: int | None = None
        self.best_digest: str | None = None  # of its weights: another run's checkpoint may have its number
        self.saved_step: int | None = None
        self.evaluations_since_best = 0
        self.last_metrics: dict[str, float] = {}

    def save_checkpoint(self) -> Path:
        """Writes `checkpoint-<step>`, complete or not at all, then removes old ones beyond the limit.

        Raises:
            CheckpointWriteError: it could not be written; the ones before are intact.
            NonFiniteLossError: a weight is not finite; nothing is written.
        """
        folder = self._folder(self.step)
        if self.saved_step == self.step:  # the best one, just written after the evaluation
            return folder
        self.guard.check_weights(self.step)
        tensors = state.of_each_process(self.accelerator, "random", state.random_tensors(self.generators))
        tensors |= state.of_each_process(self.accelerator, "log", self.log.sums)
        tensors |= state.optimizer_tensors(self.updates.optimizers)
        # Those that training goes on with: the model's file has the average.
        tensors |= {f"weights.{name}": value.clone() for name, value in self.average.weights().items()}
        progress = {
            "step": self.step,
            "seconds": self._seconds(),
            "best": exact(self.best),
            "best_step": self.best_step,
            "evaluations_since_best": self.evaluations_since_best,
            "last_metrics": exact(self.last_metrics),
            "skipped_updates": self.guard.skipped,
            "log": self.log.position(),
            "data": self.batches.position(),
            "fingerprint": self.fingerprint,
        }

        def write(temporary: Path) -> None:
            with self.average.applied():
                self._save_model(temporary)
            if self.best_step == self.step:
                self.best_digest = file_sha256(temporary / SAFE_WEIGHTS_NAME)
            state.save_training_state(temporary, tensors, progress | {"best_digest": self.best_digest})

        if self.accelerator.is_main_process:
            checkpoint.write_checkpoint(folder, write)
            best = self._best_checkpoint(self.output_dir)
            checkpoint.rotate(self.output_dir, self.arguments.save_total_limit, best)
            if self.repository is not None and self.arguments.hub_strategy == "every_save":
                self.repository.push_checkpoint(folder)
        self.saved_step = self.step
        self.accelerator.wait_for_everyone()
        for callback in self.callbacks:
            callback.on_save(self, folder)
        return folder

    def save_model(self) -> None:
        """Puts the model as it is now, with its processor, into `output_dir`: all of it, or nothing.

        `train` does so at its end; this is for a model that is changed after it.

        Raises:
            CheckpointWriteError: it could not be written; an earlier result is intact.
            FolderInUseError: another run writes into `output_dir`.
            NonFiniteLossError: a weight is not finite; nothing is written.
        """
        with run_folder.RunFolder(self.output_dir, self.accelerator.is_main_process):
            self._export()

    def _folder(self, step: int) -> Path:
        return self.output_dir / f"checkpoint-{step}"

    def _best_checkpoint(self, output_dir: Path) -> Path | None:
        """The best checkpoint of this run, if `output_dir` holds it: another run's may have its name."""
        if self.best_step is None:
            return None
        return checkpoint.find_best(output_dir, self.best_step, self.best_digest)

    def _save_model(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        if self.processing_class is not None:
            save_processor(self.processing_class, folder)

    def _export(self) -> None:
        self.guard.check_weights(self.step)
        if self.accelerator.is_main_process:
            run_folder.export(self.output_dir, self._save_model)
        self.accelerator.wait_for_everyone()

    def _resume(self, folder: Path) -> None:
        """Puts back all that `save_checkpoint` wrote."""
        tensors, progress = state.load_training_state(folder)
        check_unchanged(progress["fingerprint"], self.fingerprint, self.arguments.resume_with_changes)
        self._load_weights(folder)
        self.average.restore(state.under("weights.", tensors))
        state.restore_optimizers(self.updates.optimizers, tensors)
        own = self.accelerator.process_index
        state.restore_random(self.generators, state.under(f"random.{own}.", tensors))
        self.log.restore(progress["log"], state.under(f"log.{own}.", tensors))
        self.step = self.saved_step = progress["step"]
        self.batches.set_position(self.step * self.arguments.gradient_accumulation_steps, progress.get("data"))
        self.seconds = progress.get("seconds", 0.0)
        self.best, self.best_step = restored(progress["best"]), progress["best_step"]
        self.best_digest = progress.get("best_digest")
        self.evaluations_since_best = progress["evaluations_since_best"]
        self.last_metrics = restored(progress["last_metrics"])
        self.guard.skipped = progress["skipped_updates"]
        self.updates.set_rates(self.step)

    def _load_weights(self, folder: Path) -> None:
        try:
            # Not safetensors' load_model: on a GPU the weights of an LSTM share one block of memory, which it refuses.
            self.model.load_state_dict(load_file(folder / SAFE_WEIGHTS_NAME))
        except Exception as error:
            raise ValueError(f"{folder} does not hold this model's weights: {error}") from error

    def _seconds(self) -> float:
        """How long the run has been trained, in this call and in those that it was resumed from."""
        return self.seconds + time.perf_counter() - self.began

    @property
    def _done(self) -> bool:
        """Whether there is no further iteration: after `max_steps`, or without a better evaluation for too long."""
        patience = self.arguments.early_stopping_patience
        return self.step >= self.max_steps or bool(patience and self.evaluations_since_best >= patience)

    def _compare(self, metrics: dict[str, float]) -> str | None:
        """Keeps the checkpoint of an evaluation that is the best one; returns a line where it is the last one.

        Raises:
            ValueError: `metric_for_best_model` is not among the metrics; the run is saved.
        """
        self.last_metrics = metrics
        name = self.arguments.metric_for_best_model
        if name is None:
            return None
        if name not in metrics:
            folder = self.save_checkpoint()  # nothing that was trained is lost by it
            raise ValueError(
                f"metric_for_best_model={name!r} is not among the evaluation's metrics: {', '.join(metrics)}. "
                f"The run is saved in {folder}"
            )
        if is_better(metrics[name], self.best.get(name), self.arguments.greater_is_better):
            self.best, self.best_step, self.evaluations_since_best = metrics, self.step, 0
            self.save_checkpoint()
            return None
        self.evaluations_since_best += 1
        if not self._done or self.step >= self.max_steps:
            return None
        return f"early stop: {name} has not improved for {self.arguments.early_stopping_patience} evaluations"

    def _keep_best(self) -> TrainingResult:
        """Leaves the best (or last) weights in the model and in `output_dir`."""
        best, seconds = None, self._seconds()
        self.average.end()  # the last weights
        if self.best_step is not None:
            folder = from_main(lambda: self._best_checkpoint(self.output_dir))
            damage = "it is not there" if folder is None else from_main(lambda: checkpoint.find_damage(folder))
            if damage is None:
                best = folder
                self._load_weights(best)
            else:
                name = self._folder(self.best_step)
                logger.warning("the best checkpoint, %s, is damaged (%s): the last weights are kept", name, damage)
        self._export()
        self.model.eval()
        return TrainingResult(self.step, seconds, self.best if best else self.last_metrics, best)
