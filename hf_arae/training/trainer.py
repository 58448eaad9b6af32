"""The one loop: trains any model whose objective names its players and phases."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from datasets import Dataset
from safetensors.torch import load_model
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm.auto import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from hf_arae.data.batching import SentenceBatchSampler
from hf_arae.training import checkpoint
from hf_arae.training.allocator import keep_freed_memory
from hf_arae.training.arguments import TrainingArguments
from hf_arae.training.distributed import average_gradients
from hf_arae.training.logs import RunLog
from hf_arae.training.objective import Batch, Objective, Phase
from hf_arae.training.schedules import build_schedule

logger = logging.get_logger(__name__)


class NonFiniteLossError(RuntimeError):
    """A loss or gradient is NaN or infinite; the update was not made."""


@dataclass
class Evaluation:
    """What an evaluator returns: numbers to log and lines to read."""

    metrics: dict[str, float]
    samples: list[str] = field(default_factory=list)


@dataclass
class TrainingResult:
    """What `train` returns: iterations done, seconds in this call, and the best evaluation (or the last one)."""

    steps: int
    seconds: float
    metrics: dict[str, float]
    best_checkpoint: Path | None


class AdversarialTrainer:
    """Runs an objective's phases over a dataset, evaluates, logs and keeps checkpoints.

    The loop knows phases, players and optimizers, and no model. A phase's gradients are taken for its player's
    parameters alone, so no other parameter can move and nothing needs to be frozen. After `train`, the model holds the
    best weights if `metric_for_best_model` is set, else the last ones, and `output_dir` holds them for
    `from_pretrained`.

    Args:
        model: the model, on any device; moved to the accelerator's.
        objective: an `Objective` over `model`.
        arguments: see [`TrainingArguments`].
        train_dataset: rows with `length` and what `data_collator` needs; `attribute` where the batches are to be
            balanced over attribute values.
        data_collator: rows to a batch of tensors.
        processing_class: tokenizer, saved beside the model.
        evaluator: called every `eval_steps` with the model in eval mode and without gradients.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        objective: Objective,
        arguments: TrainingArguments,
        train_dataset: Dataset,
        data_collator: Callable[[list[dict]], Batch],
        processing_class: PreTrainedTokenizerBase | None = None,
        evaluator: Callable[[PreTrainedModel], Evaluation] | None = None,
    ):
        keep_freed_memory()
        # Precision is the loop's own: the Accelerator's is process-wide, and two trainers may differ in it.
        self.accelerator = Accelerator(mixed_precision="no", cpu=arguments.use_cpu)
        self.model = model.to(self.accelerator.device)
        self.objective = objective
        self.arguments = arguments
        self.processing_class = processing_class
        self.evaluator = evaluator
        self.output_dir = Path(arguments.output_dir)
        self.sampler = SentenceBatchSampler(
            train_dataset["length"],
            arguments.per_device_train_batch_size,
            train_dataset["attribute"] if "attribute" in train_dataset.column_names else None,
            arguments.seed,
            self.accelerator.process_index,
            self.accelerator.num_processes,
        )
        # A generator of its own: iter() on a loader without one would draw from the global generator.
        self.loader = DataLoader(
            train_dataset, batch_sampler=self.sampler, collate_fn=data_collator, generator=torch.Generator()
        )
        epochs = math.ceil(arguments.num_train_epochs * len(self.sampler))
        self.max_steps = arguments.max_steps if arguments.max_steps > 0 else epochs
        self.phases = [phase for phase in objective.phases() if phase.enabled]
        self.parameters = {phase.player: objective.parameters(phase.player) for phase in self.phases}
        settings = objective.optimizers()
        self.optimizers = {player: settings[player].build(group) for player, group in self.parameters.items()}
        self.schedules = {
            player: build_schedule(optimizer, settings[player], self.max_steps)
            for player, optimizer in self.optimizers.items()
        }
        self.step = 0
        self.best: dict[str, float] = {}
        self.best_step: int | None = None
        self.saved_step: int | None = None
        self.evaluations_since_best = 0
        self.last_metrics: dict[str, float] = {}

    # The loop

    def train(self) -> TrainingResult:
        """Trains to `max_steps`, from the checkpoint that the arguments name, if any.

        Raises:
            NonFiniteLossError: a loss or gradient is not finite; nothing is overwritten.
            OSError: `output_dir` cannot be written (raised before the first iteration).
        """
        arguments = self.arguments
        self.output_dir.mkdir(parents=True, exist_ok=True)
        set_seed(arguments.seed + self.accelerator.process_index)
        if arguments.resume_from_checkpoint:
            self.resume(arguments.resume_from_checkpoint)
        log = RunLog(self.output_dir, self.step, arguments.report_to, self.accelerator.is_main_process)
        quiet = arguments.disable_tqdm or not self.accelerator.is_main_process
        began = time.perf_counter()
        self.model.train()
        with tqdm(total=self.max_steps, initial=self.step, disable=quiet, desc="Training", unit="it") as bar:
            for batch in self._batches():
                self.objective.step = self.step
                for phase in self.phases:
                    log.add(phase.name, self.run_phase(phase, batch))
                for schedule in self.schedules.values():
                    schedule.step()
                log.count(batch)
                self.step += 1
                bar.update()
                if self.step % arguments.logging_steps == 0:
                    means = log.flush(self.step, self._rates())
                    bar.set_postfix({k: f"{v:.3g}" for k, v in means.items() if k.endswith("/loss")}, refresh=False)
                last = self.step == self.max_steps
                stop = False
                if arguments.eval_steps and (last or self.step % arguments.eval_steps == 0):
                    stop = self._evaluate_and_compare(log, bar)
                if last or stop or (arguments.save_steps and self.step % arguments.save_steps == 0):
                    self.save_checkpoint()
                if last or stop:
                    break
        log.close()
        return self._finish(time.perf_counter() - began)

    def run_phase(self, phase: Phase, batch: Batch) -> dict[str, Tensor]:
        """Makes a phase's updates on one batch; returns its terms, averaged over the repetitions.

        Raises:
            NonFiniteLossError: named with the phase; the parameters are as before the update.
        """
        parameters, optimizer = self.parameters[phase.player], self.optimizers[phase.player]
        if phase.before is not None:
            with self._autocast():
                phase.before(batch)
        sums: dict[str, Tensor] = {}
        for _ in range(phase.repeat):
            with self._autocast():
                terms = phase.loss(batch)
            gradients = torch.autograd.grad(terms["loss"], parameters, allow_unused=True)
            used = [(p, g) for p, g in zip(parameters, gradients, strict=True) if g is not None]
            averaged = average_gradients(self.accelerator, [g for _, g in used])
            norm = torch.nn.utils.get_total_norm(averaged)
            if not torch.isfinite(norm + terms["loss"].detach()):
                raise NonFiniteLossError(
                    f"step {self.step}: phase {phase.name!r} has loss {terms['loss'].item():g} and gradient norm "
                    f"{norm.item():g}. The update was not made. Lower the learning rate of player {phase.player!r}, "
                    f"or resume from the last checkpoint in {self.output_dir}."
                )
            if phase.max_grad_norm is not None and norm > phase.max_grad_norm:
                torch._foreach_mul_(averaged, phase.max_grad_norm / norm)
            for (parameter, _), gradient in zip(used, averaged, strict=True):
                parameter.grad = gradient
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            torch.clear_autocast_cache()  # under a caller's autocast it would hold the weights of before the update
            if phase.after is not None:
                phase.after()
            for name, value in terms.items():
                sums[name] = sums.get(name, 0) + value.detach().float()
        return {name: value / phase.repeat for name, value in sums.items()}

    def _batches(self) -> Iterator[Batch]:
        """Endless batches on the device, from the data position of the current step on."""
        while self.step < self.max_steps:
            epoch, start = divmod(self.step, len(self.sampler))
            self.sampler.set_position(epoch, start)
            for batch in self.loader:
                yield {name: value.to(self.accelerator.device) for name, value in batch.items()}

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.arguments.bf16)

    def _rates(self) -> dict[str, float]:
        return {f"learning_rate/{player}": s.get_last_lr()[0] for player, s in self.schedules.items()}

    # Evaluation

    def evaluate(self) -> Evaluation:
        """Runs the evaluator in full precision; it changes neither the model's mode nor torch's generators."""
        if self.evaluator is None:
            return Evaluation({})
        self.model.eval()
        devices = [self.accelerator.device] if self.accelerator.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.no_grad():
            torch.manual_seed(self.arguments.seed)
            evaluation = self.evaluator(self.model)
        self.model.train()
        return evaluation

    def _evaluate_and_compare(self, log: RunLog, bar: tqdm) -> bool:
        """Evaluates, prints, keeps the best checkpoint; returns whether to stop early."""
        if self.evaluator is None:
            return False
        evaluation = self.evaluate()
        self.last_metrics = evaluation.metrics
        log.evaluation(self.step, evaluation.metrics, evaluation.samples)
        if self.accelerator.is_main_process:
            numbers = "  ".join(f"{name} {value:.2f}" for name, value in evaluation.metrics.items())
            bar.write(f"step {self.step}: {numbers}")
            for line in evaluation.samples:
                bar.write(f"    {line}")
        name = self.arguments.metric_for_best_model
        if name is None:
            return False
        if name not in evaluation.metrics:
            raise ValueError(
                f"metric_for_best_model={name!r} is not among the evaluation's metrics: "
                f"{', '.join(evaluation.metrics)}"
            )
        sign = 1 if self.arguments.greater_is_better else -1
        if not self.best or sign * evaluation.metrics[name] > sign * self.best[name]:
            self.best, self.best_step, self.evaluations_since_best = evaluation.metrics, self.step, 0
            self.save_checkpoint()
            return False
        self.evaluations_since_best += 1
        patience = self.arguments.early_stopping_patience
        if patience and self.evaluations_since_best >= patience:
            bar.write(f"early stop: {name} has not improved for {patience} evaluations")
            return True
        return False

    # Checkpoints

    def _folder(self, step: int) -> Path:
        return self.output_dir / f"checkpoint-{step}"

    def save_checkpoint(self) -> Path:
        """Writes `checkpoint-<step>`, complete or not at all, then removes old ones beyond the limit."""
        folder = self._folder(self.step)
        if self.saved_step == self.step:  # the best one, just written after the evaluation
            return folder
        progress = {
            "step": self.step,
            "max_steps": self.max_steps,
            "num_processes": self.accelerator.num_processes,
            "best": self.best,
            "best_step": self.best_step,
            "evaluations_since_best": self.evaluations_since_best,
            "last_metrics": self.last_metrics,
        }

        def write(temporary: Path) -> None:
            self._save_model(temporary)
            checkpoint.save_training_state(temporary, self.optimizers, progress)

        if self.accelerator.is_main_process:
            checkpoint.write_atomically(folder, write)
            best = None if self.best_step is None else self._folder(self.best_step)
            checkpoint.rotate(self.output_dir, self.arguments.save_total_limit, best)
        self.saved_step = self.step
        self.accelerator.wait_for_everyone()
        return folder

    def _save_model(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        if self.processing_class is not None:
            self.processing_class.save_pretrained(folder)

    def resume(self, wanted: str) -> None:
        """Continues from `"last"` or a checkpoint's path: weights, optimizers, schedules, generators, data position.

        Raises:
            FileNotFoundError: the path is no checkpoint.
            ValueError: its files are damaged, or of another model.
        """
        folder = checkpoint.find_checkpoint(wanted, self.output_dir)
        if folder is None:
            logger.info("no checkpoint in %s yet: starting from the beginning", self.output_dir)
            return
        self._load_weights(folder)
        progress = checkpoint.load_training_state(folder, self.optimizers)
        self.step = progress["step"]
        self.best, self.best_step = progress["best"], progress["best_step"]
        self.evaluations_since_best = progress["evaluations_since_best"]
        self.last_metrics = progress["last_metrics"]
        for schedule in self.schedules.values():
            schedule.last_epoch = self.step
            for group, rate, factor in zip(
                schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
            ):
                group["lr"] = rate * factor(self.step)
            schedule._last_lr = [group["lr"] for group in schedule.optimizer.param_groups]
        logger.warning("resuming from %s at step %d of %d", folder, self.step, self.max_steps)

    def _load_weights(self, folder: Path) -> None:
        try:
            load_model(self.model, folder / "model.safetensors", device=str(self.accelerator.device))
        except Exception as error:
            raise ValueError(f"{folder} does not hold this model's weights: {error}") from error

    def _finish(self, seconds: float) -> TrainingResult:
        """Leaves the best (or last) weights in the model and in `output_dir`."""
        best = None
        if self.best_step is not None:
            best = self._folder(self.best_step)
            self._load_weights(best)
        if self.accelerator.is_main_process:
            self._save_model(self.output_dir)
        self.accelerator.wait_for_everyone()
        self.model.eval()
        return TrainingResult(self.step, seconds, self.best or self.last_metrics, best)
