"""Arguments of a training run, under the names of transformers' TrainingArguments."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class TrainingArguments:
    """Arguments of the loop, ready for `HfArgumentParser`. One step is one iteration over all phases."""

    output_dir: str = field(default="runs/default", metadata={"help": "Folder of checkpoints, logs and the result."})
    max_steps: int = field(default=-1, metadata={"help": "Iterations to train; overrides num_train_epochs if > 0."})
    num_train_epochs: float = field(default=10.0, metadata={"help": "Passes over the (largest class of the) data."})
    per_device_train_batch_size: int = field(
        default=128, metadata={"help": "Sentences an iteration on each process, all attribute values together."}
    )
    seed: int = field(default=0, metadata={"help": "Of initialisation, data order, noise and samples."})
    bf16: bool = field(default=False, metadata={"help": "Autocast to bfloat16; parameters stay float32."})
    use_cpu: bool = field(default=False, metadata={"help": "Do not use an accelerator even if there is one."})
    logging_steps: int = field(default=100, metadata={"help": "Iterations between two log lines."})
    eval_steps: int = field(default=1000, metadata={"help": "Iterations between two evaluations; 0 for none."})
    save_steps: int = field(
        default=1000, metadata={"help": "Iterations between two checkpoints; 0 for the last only."}
    )
    save_total_limit: int = field(default=2, metadata={"help": "Checkpoints kept, beside the best one."})
    metric_for_best_model: str | None = field(
        default=None, metadata={"help": "Evaluation metric that the best checkpoint is chosen by."}
    )
    greater_is_better: bool = field(default=True, metadata={"help": "Direction of metric_for_best_model."})
    early_stopping_patience: int = field(
        default=0, metadata={"help": "Stop after this many evaluations without a better one; 0 never stops early."}
    )
    resume_from_checkpoint: str | None = field(
        default=None, metadata={"help": "'last' (newest checkpoint in output_dir, if any) or a checkpoint's path."}
    )
    report_to: str = field(default="tensorboard", metadata={"help": "tensorboard or none. JSONL is always written."})
    disable_tqdm: bool = field(default=False, metadata={"help": "No progress bar."})

    def __post_init__(self):
        if self.max_steps <= 0 and self.num_train_epochs <= 0:
            raise ValueError("one of max_steps and num_train_epochs must be positive")
        for name in ("logging_steps", "per_device_train_batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("eval_steps", "save_steps", "early_stopping_patience"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.save_total_limit < 1:
            raise ValueError(f"save_total_limit must be at least 1, got {self.save_total_limit}")
        if self.early_stopping_patience and not self.metric_for_best_model:
            raise ValueError("early_stopping_patience needs metric_for_best_model")
        if self.report_to not in ("tensorboard", "none"):
            raise ValueError(f"report_to must be tensorboard or none, got {self.report_to!r}")
