"""The one loop: trains any model whose objective names its players and phases."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from safetensors.torch import load_model
from torch import Tensor
from tqdm.auto import tqdm
from transformers import PreTrainedModel
from transformers.utils import SAFE_WEIGHTS_NAME, logging

from hf_arae.hub.checks import check_can_be_published
from hf_arae.hub.run_repository import RunRepository
from hf_arae.storage.downloads import file_sha256
from hf_arae.storage.json_numbers import exact, restored
from hf_arae.storage.processors import save_processor
from hf_arae.training import checkpoint, run_folder, state
from hf_arae.training.allocator import keep_freed_memory
from hf_arae.training.arguments import OF_ONE_PROCESS, TrainingArguments
from hf_arae.training.batch_source import BatchSource, TrainDataset
from hf_arae.training.best_metric import check_metric_name, is_better
from hf_arae.training.fingerprint import check_unchanged, fingerprint
from hf_arae.training.interruption import Interruption, TrainingInterrupted
from hf_arae.training.launch import warn_of_ignored_flags, warn_of_missing_processes
from hf_arae.training.logs import RunLog
from hf_arae.training.non_finite import NonFiniteGuard
from hf_arae.training.objective import Batch, Objective, Phase
from hf_arae.training.report import write_report
from hf_arae.training.results import Evaluation, TrainingResult
from hf_arae.training.schedules import Schedule
from hf_arae.utils.display import visible
from hf_arae.utils.distributed import average_gradients, from_main, same_on_all, share_weights

logger = logging.get_logger(__name__)


class PhaseTrainer:
    """Runs an objective's phases over a dataset, evaluates, logs and keeps checkpoints.

    The loop knows phases, players and optimizers, and no model. A phase's gradients are taken for its player's
    parameters alone, so no other parameter can move and nothing needs to be frozen. After `train`, the model holds the
    best weights if `metric_for_best_model` is set, else the last ones, and `output_dir` holds them for
    `from_pretrained`.

    Args:
        model: the model, on any device; moved to the accelerator's.
        objective: an `Objective` over `model`.
        arguments: see [`TrainingArguments`].
        train_dataset: data with a method `batches`, see [`TrainDataset`]. Where the end of a pass is not known, as in
            a stream, `max_steps` is needed.
        processing_class: what prepares the model's input (a tokenizer, an image processor); anything with
            `save_pretrained`, by which it is saved beside the model.
        evaluator: called every `eval_steps` with the model in eval mode and without gradients. With a method
            `metric_names(model)`, which names its metrics ahead, a misspelled `metric_for_best_model` is refused
            before the training and not at the first evaluation.

    Raises:
        TypeError: the data have no method `batches`, or the processor none named `save_pretrained`.
        ValueError: the data cannot be cut into such batches, or come without `max_steps` where it is needed;
            `metric_for_best_model` is set and there is no evaluator, or none of its metrics has that name; with
            `push_to_hub`, the model is of no family that can be pushed, or comes without its processor.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        objective: Objective,
        arguments: TrainingArguments,
        train_dataset: TrainDataset,
        processing_class: Any = None,
        evaluator: Callable[[PreTrainedModel], Evaluation] | None = None,
    ):
        keep_freed_memory()
        if not hasattr(train_dataset, "batches"):
            raise TypeError(
                f"train_dataset is a {type(train_dataset).__name__}, which has no method batches(). Rows of a "
                "datasets.Dataset go into hf_arae.data.collated_rows.CollatedRows, with a function that collates them"
            )
        if processing_class is not None and not hasattr(processing_class, "save_pretrained"):
            raise TypeError(f"processing_class is a {type(processing_class).__name__}, without save_pretrained()")
        if arguments.push_to_hub:
            check_can_be_published(model, processing_class)
        # Precision is the loop's own: the Accelerator's is process-wide, and two trainers may differ in it.
        self.accelerator = Accelerator(mixed_precision="no", cpu=arguments.use_cpu)
        warn_of_missing_processes(self.accelerator.num_processes)
        warn_of_ignored_flags(arguments.bf16)
        check_metric_name(arguments.metric_for_best_model, evaluator, model)
        self.model = model.to(self.accelerator.device)
        self.objective = objective
        self.train_dataset = train_dataset
        self.arguments = arguments
        self.processing_class = processing_class
        self.evaluator = evaluator
        self.output_dir = Path(arguments.output_dir)
        place = (self.accelerator.process_index, self.accelerator.num_processes)
        self.batches: BatchSource = train_dataset.batches(
            arguments.per_device_train_batch_size, arguments.seed, *place
        )
        steps = arguments.max_steps
        self.max_steps = steps if steps > 0 else self.batches.updates(arguments.num_train_epochs)
        self.phases = [phase for phase in objective.phases() if phase.enabled]
        self.parameters = {phase.player: objective.parameters(phase.player) for phase in self.phases}
        settings = objective.optimizers()
        self.optimizers = {player: settings[player].build(group) for player, group in self.parameters.items()}
        self.schedules = {
            player: Schedule(optimizer, settings[player], self.max_steps)
            for player, optimizer in self.optimizers.items()
        }
        self.generators = {"cpu": torch.default_generator}
        if self.accelerator.device.type == "cuda":
            self.generators["cuda"] = torch.cuda.default_generators[self.accelerator.device.index or 0]
        determining = {"max_steps": self.max_steps, "num_processes": self.accelerator.num_processes}
        determining |= {name: getattr(arguments, name) for name in ("seed", "per_device_train_batch_size", "bf16")}
        self.fingerprint = fingerprint(model, objective, self.batches.fingerprint(), processing_class, determining)
        self.guard = NonFiniteGuard(
            arguments.non_finite,
            arguments.max_skipped_updates,
            model,
            self.output_dir,
            later=self.accelerator.device.type == "cuda",
        )
        self.log = RunLog(self.output_dir, arguments.report_to, self.accelerator.is_main_process)
        self.repository: RunRepository | None = None
        self.step = 0
        self.seconds = 0.0  # of training, before this call
        self.best: dict[str, float] = {}
        self.best_step: int | None = None
        self.best_digest: str | None = None  # of its weights: another run's checkpoint may have its number
        self.saved_step: int | None = None
        self.evaluations_since_best = 0
        self.last_metrics: dict[str, float] = {}
        self.result: TrainingResult | None = None  # of the last `train`

    # The loop

    def train(self) -> TrainingResult:
        """Trains to `max_steps`, from the checkpoint that the arguments name, if any.

        Raises:
            CheckpointDamagedError: the checkpoint to resume from is not what was written.
            CheckpointWriteError: a checkpoint or the result could not be written; the ones before are intact.
            FileExistsError: a new run in a folder that holds checkpoints of an earlier one.
            FileNotFoundError: `resume_from_checkpoint` is no checkpoint.
            FolderInUseError: another run writes into `output_dir`.
            HubError: with `push_to_hub`, the Hub refuses or cannot be reached (raised before the first iteration).
            NonFiniteLossError: a loss or gradient is not finite; nothing is overwritten.
            OSError: `output_dir` cannot be written (raised before the first iteration).
            RuntimeError: it has trained already, and no checkpoint is named to go on from.
            TrainingInterrupted: SIGTERM, SIGINT or `max_time` stopped the run; it is saved and can be resumed.
            ValueError: the run to resume differs from this one, or the processes differ from one another.
        """
        self.began = time.perf_counter()
        with run_folder.RunFolder(self.output_dir, self.accelerator.is_main_process):
            self._start()
            self.log.open(self.step)
            try:
                with Interruption(self.accelerator, self.arguments.max_time) as interruption:
                    self._run(interruption)
                    self.result = self._finish()
                    return self.result
            finally:
                self.log.close()

    def _start(self) -> None:
        """Seeds, loads the checkpoint to resume from, and only then changes anything in the run's folder."""
        arguments, main = self.arguments, self.accelerator.is_main_process
        shared = {name: value for name, value in asdict(arguments).items() if name not in OF_ONE_PROCESS}
        same_on_all(self.accelerator, shared | self.fingerprint | {"evaluator": type(self.evaluator).__name__})
        share_weights(self.model)
        set_seed((arguments.seed + self.accelerator.process_index) % 2**32)
        source, wanted = None, arguments.resume_from_checkpoint
        if wanted is not None:
            source = from_main(lambda: checkpoint.find_checkpoint(wanted, self.output_dir))
        if source is None and self.step:
            raise RuntimeError("this trainer has trained already: make a new one, or set resume_from_checkpoint")
        moves_in = source is None or source.parent.resolve() != self.output_dir.resolve()
        if main and moves_in and not arguments.overwrite_output_dir:
            run_folder.refuse_earlier_run(self.output_dir)
        if source is not None:
            self._resume(source)
            logger.warning("resuming from %s at step %d of %d", source, self.step, self.max_steps)
        if arguments.push_to_hub:  # a token that may not push is refused now, and not after the training
            from_main(self._open_repository)
        if main and moves_in:
            run_folder.clear(self.output_dir)
            if source is not None:
                run_folder.adopt(source, self._best_checkpoint(source.parent), self.output_dir)
        elif main:
            run_folder.go_back(self.output_dir, source, self.step, self._best_checkpoint(self.output_dir))
        self.accelerator.wait_for_everyone()

    def _run(self, interruption: Interruption) -> None:
        """The iterations, up to the last one or to a reason to stop before it."""
        arguments, log = self.arguments, self.log
        quiet = arguments.disable_tqdm or not self.accelerator.is_main_process
        self.model.train()
        with tqdm(total=self.max_steps, initial=self.step, disable=quiet, desc="Training", unit="it") as bar:
            for batch in self._batches():
                self.objective.begin_iteration(self.step, self.arguments.seed)
                for phase in self.phases:
                    if phase.runs_at(self.step):
                        log.add(phase.name, self.run_phase(phase, batch))
                log.count(batch)
                self.step += 1
                for schedule in self.schedules.values():
                    schedule.set(self.step)
                bar.update()
                self.guard.end_iteration(settle=self._is_due(arguments.logging_steps, arguments.eval_steps))
                if self.step % arguments.logging_steps == 0:
                    means = log.flush(self.step, self._rates())
                    bar.set_postfix({k: f"{v:.3g}" for k, v in means.items() if k.endswith("/loss")}, refresh=False)
                if arguments.eval_steps and self._is_due(arguments.eval_steps):
                    self._evaluate_and_compare(bar)
                interrupted = not self._done and interruption.requested()
                if interrupted or self._is_due(arguments.save_steps):
                    self.guard.end_iteration(settle=True)
                    folder = self.save_checkpoint()
                if interrupted:
                    if self.accelerator.is_main_process:
                        bar.write(
                            f"{interruption.reason}: stopped at step {self.step} of {self.max_steps} and saved "
                            f"{folder}. To go on, give --resume_from_checkpoint last."
                        )
                    self.accelerator.wait_for_everyone()
                    raise TrainingInterrupted(folder)

    def _is_due(self, *intervals: int) -> bool:
        """Whether one of the intervals ends with this step, or the run does; 0: never but at the end."""
        return self._done or any(interval and self.step % interval == 0 for interval in intervals)

    @property
    def _done(self) -> bool:
        """Whether there is no further iteration: after `max_steps`, or without a better evaluation for too long."""
        patience = self.arguments.early_stopping_patience
        return self.step >= self.max_steps or bool(patience and self.evaluations_since_best >= patience)

    def run_phase(self, phase: Phase, batch: Batch) -> dict[str, Tensor]:
        """Makes a phase's updates on one batch; returns its terms, averaged over the updates made (none: no terms).

        Raises:
            NonFiniteLossError: named with the phase; the parameters are as before the update.
        """
        parameters, optimizer = self.parameters[phase.player], self.optimizers[phase.player]
        self.guard.remember()
        if phase.before is not None:
            with self._autocast():
                phase.before(batch)
        sums: dict[str, Tensor] = {}
        made = 0
        for _ in range(phase.repeat):
            with self._autocast():
                terms = phase.loss(batch)
            gradients = torch.autograd.grad(terms["loss"], parameters, allow_unused=True)
            # The loss goes with the gradients: NaN on one process is then NaN on all, and all decide alike.
            loss = terms["loss"].detach().reshape(1)
            gradients, loss = average_gradients(self.accelerator, parameters, gradients, loss)
            used = [(p, g) for p, g in zip(parameters, gradients, strict=True) if g is not None]
            averaged = [gradient for _, gradient in used]
            norm = torch.nn.utils.get_total_norm(averaged)
            if self.guard.later:
                self.guard.watch(optimizer, self.step, phase, loss, norm)
            elif not torch.isfinite(norm + loss):
                self.guard.refuse(self.step, phase, loss.item(), norm.item())
                continue
            if phase.max_grad_norm is not None and (self.guard.later or norm > phase.max_grad_norm):
                # As torch's clip_grad_norm_; a factor of 1 changes nothing, and to ask would wait for a GPU.
                torch._foreach_mul_(averaged, (phase.max_grad_norm / (norm + 1e-6)).clamp(max=1.0))
            for parameter, gradient in used:
                parameter.grad = gradient
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            torch.clear_autocast_cache()  # under a caller's autocast it would hold the weights of before the update
            if phase.after is not None:
                phase.after()
            self.guard.remember()
            made += 1
            for name, value in terms.items():
                sums[name] = sums.get(name, 0) + value.detach().float()
        return {name: value / made for name, value in sums.items()}

    def _batches(self) -> Iterator[Batch]:
        """Endless batches on the device, from the data position of the current step on."""
        if self._done:
            return
        for batch in self.batches:
            yield {name: value.to(self.accelerator.device) for name, value in batch.items()}
            if self._done:
                return

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.arguments.bf16)

    def _rates(self) -> dict[str, float]:
        rates = {f"learning_rate/{player}": s.rate for player, s in self.schedules.items()}
        return rates | ({"skipped_updates": self.guard.skipped} if self.guard.skipped else {})

    # Evaluation

    def evaluate(self) -> Evaluation:
        """Runs the evaluator in full precision; it changes neither the modules' modes nor torch's generators."""
        if self.evaluator is None:
            return Evaluation({})
        training = [module for module in self.model.modules() if module.training]
        self.model.eval()
        devices = [self.accelerator.device] if self.accelerator.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.no_grad():
            torch.manual_seed(self.arguments.seed)
            try:
                return self.evaluator(self.model)
            finally:
                self.model.eval()  # whatever the evaluator left
                for module in training:
                    module.training = True

    def _evaluate_and_compare(self, bar: tqdm) -> None:
        """Evaluates, prints and keeps the best checkpoint."""
        if self.evaluator is None:
            return
        evaluation = self.evaluate()
        self.last_metrics = evaluation.metrics
        self.log.evaluation(self.step, evaluation.metrics, evaluation.samples)
        if self.accelerator.is_main_process:
            numbers = "  ".join(f"{name} {value:.2f}" for name, value in evaluation.metrics.items())
            bar.write(f"step {self.step}: {numbers}")
            for line in evaluation.samples:
                bar.write(f"    {visible(line)}")
        name = self.arguments.metric_for_best_model
        if name is None:
            return
        if name not in evaluation.metrics:
            folder = self.save_checkpoint()  # nothing that was trained is lost by it
            raise ValueError(
                f"metric_for_best_model={name!r} is not among the evaluation's metrics: "
                f"{', '.join(evaluation.metrics)}. The run is saved in {folder}"
            )
        if is_better(evaluation.metrics[name], self.best.get(name), self.arguments.greater_is_better):
            self.best, self.best_step, self.evaluations_since_best = evaluation.metrics, self.step, 0
            self.save_checkpoint()
            return
        self.evaluations_since_best += 1
        if self._done and self.step < self.max_steps and self.accelerator.is_main_process:
            patience = self.arguments.early_stopping_patience
            bar.write(f"early stop: {name} has not improved for {patience} evaluations")

    # The Hub

    def _open_repository(self) -> None:
        if self.repository is not None:  # a script's, that opened it before a stage of its own
            return
        self.repository = RunRepository(self.arguments, self.processing_class)

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

    # Checkpoints

    def _folder(self, step: int) -> Path:
        return self.output_dir / f"checkpoint-{step}"

    def _best_checkpoint(self, output_dir: Path) -> Path | None:
        """The best checkpoint of this run, if `output_dir` holds it: another run's may have its name."""
        if self.best_step is None:
            return None
        return checkpoint.find_best(output_dir, self.best_step, self.best_digest)

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
        tensors |= state.optimizer_tensors(self.optimizers)
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
        return folder

    def _save_model(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        if self.processing_class is not None:
            save_processor(self.processing_class, folder)

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
        state.restore_optimizers(self.optimizers, tensors)
        own = self.accelerator.process_index
        state.restore_random(self.generators, state.under(f"random.{own}.", tensors))
        self.log.restore(progress["log"], state.under(f"log.{own}.", tensors))
        self.step = self.saved_step = progress["step"]
        self.batches.set_position(self.step, progress.get("data"))
        self.seconds = progress.get("seconds", 0.0)
        self.best, self.best_step = restored(progress["best"]), progress["best_step"]
        self.best_digest = progress.get("best_digest")
        self.evaluations_since_best = progress["evaluations_since_best"]
        self.last_metrics = restored(progress["last_metrics"])
        self.guard.skipped = progress["skipped_updates"]
        for schedule in self.schedules.values():
            schedule.set(self.step)

    def _load_weights(self, folder: Path) -> None:
        try:
            load_model(self.model, folder / "model.safetensors")
        except Exception as error:
            raise ValueError(f"{folder} does not hold this model's weights: {error}") from error

    def _seconds(self) -> float:
        """How long the run has been trained, in this call and in those that it was resumed from."""
        return self.seconds + time.perf_counter() - self.began

    def _finish(self) -> TrainingResult:
        """Leaves the best (or last) weights in the model and in `output_dir`."""
        best, seconds = None, self._seconds()
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
