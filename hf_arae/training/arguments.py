"""Arguments of a training run, under the names of transformers' TrainingArguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from transformers.utils import logging

from hf_arae.training.trackers import TRACKERS, tracker_names
from hf_arae.utils.card_metadata import languages, listed, wrong_language, wrong_license
from hf_arae.utils.validation import check_choice, check_range

logger = logging.get_logger(__name__)

# What may be another thing on each process. All else must be the same, or they would wait for one another.
OF_ONE_PROCESS = ("output_dir", "use_cpu", "max_time", "report_to", "disable_tqdm")


@dataclass
class TrainingArguments:
    """Arguments of the loop, each of them a flag. One step is one iteration over all phases."""

    # Headings of `--help`, by field, other than the class has. Not in `metadata`: transformers' parser refuses that.
    flag_groups: ClassVar[dict[str, str]] = dict.fromkeys(
        (
            "push_to_hub",
            "hub_model_id",
            "hub_private_repo",
            "license",
            "language",
            "publish_samples",
            "hub_strategy",
        ),
        "Hub",
    )

    output_dir: str = field(
        default="runs/default", metadata={"help": "Checkpoints, logs and the result go into this folder."}
    )
    max_steps: int = field(
        default=-1, metadata={"help": "The training has so many iterations; above 0 it overrides num_train_epochs."}
    )
    num_train_epochs: float = field(
        default=10.0,
        metadata={
            "help": "The training passes over the data so many times; where batches are balanced, over the label "
            "with most rows."
        },
    )
    per_device_train_batch_size: int = field(
        default=128, metadata={"help": "An iteration has so many rows on each process, of all labels together."}
    )
    seed: int = field(
        default=0, metadata={"help": "This number decides on initialisation, order of the data, noise and samples."}
    )
    bf16: bool = field(
        default=False, metadata={"help": "The model computes in bfloat16 (autocast); parameters stay float32."}
    )
    use_cpu: bool = field(default=False, metadata={"help": "No accelerator is used, even if there is one."})
    logging_steps: int = field(default=100, metadata={"help": "A log line is written once in so many iterations."})
    eval_steps: int = field(
        default=1000, metadata={"help": "The model is evaluated once in so many iterations; 0: never."}
    )
    save_steps: int = field(
        default=1000, metadata={"help": "A checkpoint is saved once in so many iterations; 0: the last one alone."}
    )
    save_total_limit: int = field(default=2, metadata={"help": "So many checkpoints are kept, beside the best one."})
    metric_for_best_model: str | None = field(
        default=None, metadata={"help": "The best checkpoint is chosen by this number of the evaluation."}
    )
    greater_is_better: bool = field(
        default=True,
        metadata={"help": "The best checkpoint has the highest metric_for_best_model; with false the lowest."},
    )
    early_stopping_patience: int = field(
        default=0,
        metadata={"help": "The training stops after so many evaluations without a better one; 0: it does not."},
    )
    resume_from_checkpoint: str | None = field(
        default=None,
        metadata={
            "help": "The training goes on from 'last' (the newest undamaged checkpoint in output_dir, if any) or "
            "from a checkpoint's path."
        },
    )
    resume_with_changes: bool = field(
        default=False,
        metadata={
            "help": "The training goes on although arguments of the training or objective, or the data, have changed."
        },
    )
    overwrite_output_dir: bool = field(
        default=False,
        metadata={"help": "A new run begins in a folder that holds an earlier one, whose checkpoints and log go."},
    )
    max_time: float = field(
        default=0.0,
        metadata={"help": "After so many minutes this call saves and exits with code 75, to be resumed; 0: no limit."},
    )
    non_finite: str = field(
        default="stop",
        metadata={
            "help": "A loss or gradient that is not finite makes the training stop, or skip the update and go on."
        },
    )
    max_skipped_updates: int = field(
        default=100, metadata={"help": "With non_finite=skip, the training stops after so many skipped updates."}
    )
    push_to_hub: bool = field(
        default=False,
        metadata={
            "help": "The result is pushed to the Hub: weights, processor, labels, code, card, numbers and curves.",
        },
    )
    hub_model_id: str | None = field(
        default=None,
        metadata={
            "help": "The repository on the Hub is OWNER/NAME; by default output_dir's name, among your own.",
        },
    )
    hub_private_repo: bool = field(default=False, metadata={"help": "The repository is made private if it is new."})
    license: str | None = field(
        default=None, metadata={"help": "The card names this licence of the weights, apache-2.0 say."}
    )
    language: str | None = field(
        default=None,
        metadata={"help": "The card names these languages, ISO 639 codes with commas between."},
    )
    publish_samples: bool = field(
        default=False,
        metadata={"help": "Rows of the data, and what the model makes of them, go to the Hub too."},
    )
    hub_strategy: str = field(
        default="end",
        metadata={
            "help": "The model is pushed at the end, or at every_save: each checkpoint's model too.",
        },
    )
    gradient_accumulation_steps: int = field(
        default=1,
        metadata={
            "help": "An iteration has so many batches: each update of each phase is made by the mean gradient "
            "over all of them, which is that of one batch as large as all, where the phase's loss is a "
            "mean over rows."
        },
    )
    ema_decay: float = field(
        default=0.0,
        metadata={
            "help": "A moving average of the weights decays by this an iteration, 0.999 say, in [0, 1); the "
            "average is evaluated, and saved as the result. 0: no average, but the weights themselves."
        },
    )
    report_to: list[str] = field(
        default_factory=lambda: ["tensorboard"],
        metadata={
            "help": f"Trackers that get a copy of the log: {', '.join(TRACKERS)}, with blanks or commas between "
            "several; or none. The log itself is always written, as JSON lines."
        },
    )
    disable_tqdm: bool = field(default=False, metadata={"help": "There is no progress bar."})

    def __post_init__(self):
        check_range(self, "[-1, inf)", "max_steps")
        check_range(self, "[0, inf)", "num_train_epochs", "max_time")
        check_range(self, "[0, 4294967295]", "seed")  # numpy takes no others
        check_range(self, "[1, inf)", "per_device_train_batch_size", "logging_steps", "save_total_limit")
        check_range(self, "[1, inf)", "gradient_accumulation_steps")
        check_range(self, "[0, inf)", "eval_steps", "save_steps", "early_stopping_patience", "max_skipped_updates")
        check_choice(self, "non_finite", ("stop", "skip"))
        check_choice(self, "hub_strategy", ("end", "every_save"))
        check_range(self, "[0, 1)", "ema_decay")
        self.report_to = tracker_names(self.report_to)
        if not self.output_dir:
            raise ValueError("output_dir must name a folder; '.' is the one that you are in")
        if self.max_steps <= 0 and self.num_train_epochs <= 0:
            raise ValueError("one of max_steps and num_train_epochs must be positive")
        if self.early_stopping_patience and not (self.metric_for_best_model and self.eval_steps):
            raise ValueError("early_stopping_patience needs metric_for_best_model, and eval_steps above 0")
        if self.metric_for_best_model is not None and not self.eval_steps:
            metric, self.metric_for_best_model = self.metric_for_best_model, None
            logger.warning("eval_steps is 0, so the last weights are kept, and not the best ones by %s", metric)
        if self.overwrite_output_dir and self.resume_from_checkpoint is not None:
            wanted, folder = self.resume_from_checkpoint, Path(self.output_dir).resolve()
            if wanted == "last" or Path(wanted).resolve().parent == folder:
                raise ValueError(
                    f"overwrite_output_dir removes the checkpoints in {self.output_dir}, and resume_from_checkpoint="
                    f"{wanted!r} needs one of them: give one of the two"
                )
        wrong = wrong_license(self.license) or wrong_language(listed(languages(self.language)))
        if wrong:
            raise ValueError(wrong)
