"""The one loop: trains any model whose objective names its players and phases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor
from tqdm.auto import tqdm
from transformers import PreTrainedModel
from transformers.utils import logging

from hf_arae.hub.checks import check_can_be_published
from hf_arae.training import checkpoint, run_folder
from hf_arae.training.allocator import keep_freed_memory
from hf_arae.training.arguments import OF_ONE_PROCESS, TrainingArguments
from hf_arae.training.average import WeightAverage
from hf_arae.training.batch_source import BatchSource, TrainDataset
from hf_arae.training.best_metric import check_metric_name
from hf_arae.training.callbacks import TrainingCallback, check_callbacks
from hf_arae.training.fingerprint import fingerprint
from hf_arae.training.interruption import Interruption, TrainingInterrupted
from hf_arae.training.launch import warn_of_ignored_flags, warn_of_missing_processes
from hf_arae.training.logs import RunLog
from hf_arae.training.non_finite import NonFiniteGuard
from hf_arae.training.objective import Batch, Objective, Phase
from hf_arae.training.publishing import RunPublishing
from hf_arae.training.results import Evaluation, TrainingResult
from hf_arae.training.saving import RunSaving
from hf_arae.training.updates import PhaseUpdates
from hf_arae.utils.display import visible
from hf_arae.utils.distributed import from_main, same_on_all, share_weights

logger = logging.get_logger(__name__)


class PhaseTrainer(RunSaving, RunPublishing):
    """Runs an objective's phases over a dataset, evaluates, logs and keeps checkpoints.

    The loop knows phases, players and optimizers, and no model. A phase's gradients are taken for its player's
    parameters alone, so no other parameter can move and nothing needs to be frozen. After `train`, the model holds the
    best weights if `metric_for_best_model` is set, else the last ones, and `output_dir` holds them for
    `from_pretrained`. With `ema_decay` "the weights" are their moving average in all of this.

    With `gradient_accumulation_steps` an iteration takes so many batches, and every phase still runs once in it: each
    of its updates is made by the mean of the gradients on all of them. Where a phase's loss is a mean over rows, that
    is the gradient on one batch of all rows. It is not quite that for other means (over the tokens of a batch, say),
    for what is computed from a whole batch, such as batch norm or a distance between distributions, and for draws, of
    which each batch has its own.

    Args:
        model: the model, on any device; moved to the accelerator's.
        objective: an `Objective` over `model`.
        arguments: see [`TrainingArguments`].
        train_dataset: data with a method `batches`, see [`TrainDataset`]. Where the end of a pass is not known, as in
            a stream, `max_steps` is needed.
        processing_class: what prepares the model's input; anything with `save_pretrained`, by which it is saved beside
            the model.
        evaluator: called every `eval_steps` with the model in eval mode and without gradients. With a method
            `metric_names(model)`, which names its metrics ahead, a misspelled `metric_for_best_model` is refused
            before the training and not at the first evaluation.
        callbacks: are told of what happens, see [`TrainingCallback`].

    Raises:
        ImportError: the package of a tracker that `report_to` names is not installed.
        TypeError: the data have no method `batches`, or the processor none named `save_pretrained`;
            a callback is none.
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
        callbacks: Iterable[TrainingCallback] = (),
    ):
        keep_freed_memory()
        if not hasattr(train_dataset, "batches"):
            raise TypeError(
                f"train_dataset is a {type(train_dataset).__name__}, which has no method batches(). Rows of a "
                "datasets.Dataset go into hf_arae.data.collated_rows.CollatedRows, with a function that collates them"
            )
        if processing_class is not None and not hasattr(processing_class, "save_pretrained"):
            raise TypeError(f"processing_class is a {type(processing_class).__name__}, without save_pretrained()")
        self.callbacks = check_callbacks(callbacks)
        if arguments.push_to_hub:
            check_can_be_published(model, processing_class)
        # Precision is the loop's own: the Accelerator's is process-wide, and two trainers may differ in it.
        self.accelerator = Accelerator(mixed_precision="no", cpu=arguments.use_cpu)
        warn_of_missing_processes(self.accelerator.num_processes)
        warn_of_ignored_flags(arguments.bf16, arguments.gradient_accumulation_steps)
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
        accumulated = arguments.gradient_accumulation_steps
        self.max_steps = steps if steps > 0 else -(-self.batches.updates(arguments.num_train_epochs) // accumulated)
        self.generators = {"cpu": torch.default_generator}
        if self.accelerator.device.type == "cuda":
            self.generators["cuda"] = torch.cuda.default_generators[self.accelerator.device.index or 0]
        determining = {"max_steps": self.max_steps, "num_processes": self.accelerator.num_processes}
        names = ("seed", "per_device_train_batch_size", "gradient_accumulation_steps", "bf16", "ema_decay")
        determining |= {name: getattr(arguments, name) for name in names}
        self.fingerprint = fingerprint(model, objective, self.batches.fingerprint(), processing_class, determining)
        self.guard = NonFiniteGuard(
            arguments.non_finite,
            arguments.max_skipped_updates,
            model,
            self.output_dir,
            later=self.accelerator.device.type == "cuda",
        )
        self.updates = PhaseUpdates(self.accelerator, objective, self.guard, self.max_steps, arguments.bf16)
        self.phases, self.parameters = self.updates.phases, self.updates.parameters
        self.average = WeightAverage(self.model, arguments.ema_decay)
        self.log = RunLog(self.output_dir, arguments.report_to, self.fingerprint, self.accelerator.is_main_process)
        self.repository = None
        self.result: TrainingResult | None = None  # of the last `train`
        self._begin_progress()

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
                for callback in self.callbacks:
                    callback.on_train_begin(self)
                with Interruption(self.accelerator, self.arguments.max_time) as interruption:
                    self._run(interruption)
                    self.result = self._keep_best()
                    for callback in self.callbacks:
                        callback.on_train_end(self, self.result)
                    return self.result
            finally:
                self.log.close()

    def _start(self) -> None:
        """Seeds, loads the checkpoint to resume from, and only then changes anything in the run's folder."""
        arguments, main = self.arguments, self.accelerator.is_main_process
        shared = {name: value for name, value in asdict(arguments).items() if name not in OF_ONE_PROCESS}
        same_on_all(self.accelerator, shared | self.fingerprint | {"evaluator": type(self.evaluator).__name__})
        share_weights(self.model)
        self.average.begin()
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
        if hasattr(self.model, "begin_training"):
            self.model.begin_training()
        self.accelerator.wait_for_everyone()

    def _run(self, interruption: Interruption) -> None:
        """The iterations, up to the last one or to a reason to stop before it."""
        arguments, log = self.arguments, self.log
        quiet = arguments.disable_tqdm or not self.accelerator.is_main_process
        self.model.train()
        bar = tqdm(total=self.max_steps, initial=self.step, disable=quiet, desc="Training", unit="it")
        with bar, closing(self._batches()) as stream:
            while not self._done:
                batches = [next(stream) for _ in range(arguments.gradient_accumulation_steps)]
                self.objective.begin_iteration(self.step, arguments.seed)
                for phase in self.phases:
                    if phase.runs_at(self.step):
                        log.add(phase.name, self.run_phase(phase, *batches))
                for batch in batches:
                    log.count(batch)
                self.step += 1
                self.average.update(self.step)
                self.updates.set_rates(self.step)
                bar.update()
                self.guard.end_iteration(settle=self._is_due(arguments.logging_steps, arguments.eval_steps))
                if self.step % arguments.logging_steps == 0:
                    skipped = {"skipped_updates": self.guard.skipped} if self.guard.skipped else {}
                    logged = log.flush(self.step, self.updates.rates() | skipped)
                    bar.set_postfix({k: f"{v:.3g}" for k, v in logged.items() if k.endswith("/loss")}, refresh=False)
                    for callback in self.callbacks:
                        callback.on_log(self, logged)
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
                            f'{folder}. To go on: --resume_from_checkpoint last, or resume_from_checkpoint="last".'
                        )
                    self.accelerator.wait_for_everyone()
                    raise TrainingInterrupted(folder)

    def _is_due(self, *intervals: int) -> bool:
        """Whether one of the intervals ends with this step, or the run does; 0: never but at the end."""
        return self._done or any(interval and self.step % interval == 0 for interval in intervals)

    def run_phase(self, phase: Phase, *batches: Batch) -> dict[str, Tensor]:
        """Makes a phase's updates, each by the mean gradient over the batches, see [`PhaseUpdates.run`]."""
        return self.updates.run(phase, batches, self.step)

    def _batches(self) -> Iterator[Batch]:
        """Endless batches on the device, from the data position of the current step on."""
        for batch in self.batches:
            yield {name: value.to(self.accelerator.device) for name, value in batch.items()}

    def evaluate(self) -> Evaluation:
        """Runs the evaluator in full precision; it changes neither the modules' modes nor torch's generators."""
        if self.evaluator is None:
            return Evaluation({})
        training = [module for module in self.model.modules() if module.training]
        self.model.eval()
        devices = [self.accelerator.device] if self.accelerator.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.no_grad(), self.average.applied():
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
        self.log.evaluation(self.step, evaluation.metrics, evaluation.samples)
        lines = [
            f"step {self.step}: " + "  ".join(f"{name} {value:.2f}" for name, value in evaluation.metrics.items())
        ]
        lines += [f"    {visible(str(sample))}" for sample in evaluation.samples]
        for callback in self.callbacks:
            callback.on_evaluate(self, evaluation)
        last = self._compare(evaluation.metrics)
        if self.accelerator.is_main_process:
            for line in [*lines, *([] if last is None else [last])]:
                bar.write(line)
