"""What `accelerate launch` was asked for, and what of it does not happen, without a word of its own."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
from accelerate.commands.config.config_args import default_config_file, load_config_from_file
from transformers.utils import logging

logger = logging.get_logger(__name__)


def warn_of_missing_processes(num_processes: int) -> None:
    """Says so where `accelerate launch` was asked for more processes than it started, as it is on CPUs."""
    wanted = _wanted_processes(_parent_command())
    if wanted is not None and wanted > num_processes:
        logger.warning(
            "accelerate launch was asked for %d processes and started %d: with CPUs it starts one only. "
            "Instead: torchrun --nproc_per_node %d SCRIPT",
            wanted,
            num_processes,
            wanted,
        )


def warn_of_ignored_flags(bf16: bool, accumulation: int = 1) -> None:
    """Says which flags (or lines of its configuration file) of `accelerate launch` the loop does not follow.

    Args:
        bf16: the loop's own precision is bfloat16.
        accumulation: the loop's own number of batches an iteration.
    """
    told = {name: os.environ.get(f"ACCELERATE_{name.upper()}", "") for name in _FLAGS}
    steps = (_launch_options(_parent_command()) or {}).get("__gradient_accumulation_steps")
    told["gradient_accumulation_steps"] = told["gradient_accumulation_steps"] or steps or ""
    if bf16 and told["mixed_precision"] == "bf16":
        del told["mixed_precision"]
    if told["gradient_accumulation_steps"] == str(accumulation):
        del told["gradient_accumulation_steps"]
    ignored = {name: value for name, value in told.items() if value.lower() not in ("", "no", "false", "1")}
    if ignored:
        logger.warning(
            "accelerate launch was given %s, which this training does not follow. Instead: %s",
            ", ".join(f"--{name} {value}" for name, value in ignored.items()),
            "; ".join(dict.fromkeys(_FLAGS[name] for name in ignored)),
        )


_ONE_COPY = "each process holds the whole model, so choose sizes that fit"
_FLAGS = {
    "mixed_precision": "--bf16 for bfloat16 (there is no float16), or float32 without it",
    "gradient_accumulation_steps": "--gradient_accumulation_steps of the script itself",
    "dynamo_backend": "nothing is compiled, so leave it out",
    "use_deepspeed": _ONE_COPY,
    "use_fsdp": _ONE_COPY,
    "use_megatron_lm": _ONE_COPY,
}


def _parent_command() -> list[str]:
    try:
        return psutil.Process(os.getppid()).cmdline()
    except (psutil.Error, OSError):
        return []


def _wanted_processes(command: list[str]) -> int | None:
    """The number of processes that a command line, or the configuration it uses, asks `accelerate launch` for."""
    options = _launch_options(command)
    if options is None:
        return None
    number = options.get("__num_processes") or options.get("_n")
    if number is None:
        file = options.get("__config_file", default_config_file)
        if not os.path.isfile(file):
            return None
        try:
            number = load_config_from_file(file).num_processes
        except (ValueError, KeyError, TypeError, OSError):
            return None
    return int(number) if str(number).isdigit() else None


def _launch_options(command: list[str]) -> dict[str, str] | None:
    """The options of `accelerate launch`, as `__name`, with the word behind each; `None` for another command."""
    names = [Path(word).name for word in command]
    if "launch" not in command or not any(name in ("accelerate", "accelerate.exe") for name in names):
        return None
    own = command[command.index("launch") + 1 :]
    options: dict[str, str] = {}
    for at, word in enumerate(own):
        name, _, value = word.partition("=")
        options.setdefault(name.replace("-", "_"), value or (own[at + 1] if at + 1 < len(own) else ""))
    return options
