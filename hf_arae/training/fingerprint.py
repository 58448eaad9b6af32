"""What determines a run's course, kept in its checkpoints so that a resumed run is the same run."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from typing import Any

from transformers.utils import logging

from hf_arae.storage.processors import describe_processor
from hf_arae.training.objective import Objective

logger = logging.get_logger(__name__)

# What saving and loading write into a config.
_VOLATILE = {"_name_or_path", "architectures", "auto_map", "custom_pipelines", "dtype", "transformers_version"}
_FIXED = ("model.", "objective_class", "processor.", "num_processes", "data.streamed")
# Names of `TrainingArguments` that say how a run is stopped, gone on with, shown and published, and where it is
# written: two runs that differ in them come to the same result.
OF_NO_EFFECT = (
    "output_dir",
    "use_cpu",
    "logging_steps",
    "save_steps",
    "save_total_limit",
    "resume_from_checkpoint",
    "resume_with_changes",
    "overwrite_output_dir",
    "max_time",
    "push_to_hub",
    "hub_model_id",
    "hub_private_repo",
    "hub_strategy",
    "license",
    "language",
    "publish_samples",
    "report_to",
    "disable_tqdm",
)


def fingerprint(
    model: Any, objective: Objective, data: dict[str, Any], processing_class: Any, training: dict[str, Any]
) -> dict[str, Any]:
    """Returns names and values of all that a run's course depends on.

    Args:
        model: its config counts.
        objective: its class counts, and its `settings` if they are a dataclass, else those of its optimizers.
        data: names and values of the batches' source.
        processing_class: what it says of itself counts, see [`~hf_arae.storage.processors.describe_processor`].
        training: further names and values.
    """
    config = {f"model.{key}": value for key, value in model.config.to_dict().items() if key not in _VOLATILE}
    settings = getattr(objective, "settings", None)
    if is_dataclass(settings):
        chosen = asdict(settings)
    else:
        chosen = {player: asdict(optimizer) for player, optimizer in objective.optimizers().items()}
    values = training | {"objective_class": type(objective).__name__}
    values |= {f"objective.{key}": value for key, value in chosen.items()} | config
    values |= data
    values |= describe_processor(processing_class)
    return json.loads(json.dumps(values, default=str))  # as it is read from a file


def check_unchanged(before: dict[str, Any], now: dict[str, Any], accept_changes: bool) -> None:
    """Compares a checkpoint's fingerprint with this run's. A name that only one of them has is of another version.

    Raises:
        ValueError: they differ, and changes are not accepted, or not in this. Lists every difference.
    """
    unknown = [name for name in now if name not in before]
    if unknown:
        logger.warning(
            "the checkpoint is of an earlier version, which did not keep %s: whether that has changed is not known",
            ", ".join(unknown),
        )
    changed = [name for name in now if name in before and before[name] != now[name]]
    if not changed:
        return
    listed = "\n".join(f"  {name}: was {before[name]!r}, now is {now[name]!r}" for name in changed)
    fixed = [name for name in changed if name.startswith(_FIXED)]
    if accept_changes and not fixed:
        logger.warning("resuming with changes, so not as the run would have gone on:\n%s", listed)
        return
    advice = (
        f"A run cannot be resumed with another {', '.join(fixed)}."
        if fixed
        else "Give them as they were, or --resume_with_changes to go on with what is now."
    )
    raise ValueError(f"the checkpoint is of a run that differs from this one:\n{listed}\n{advice}")
