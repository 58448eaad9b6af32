"""What `accelerate launch` was asked for, where it started something else without a word."""

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


def _parent_command() -> list[str]:
    try:
        return psutil.Process(os.getppid()).cmdline()
    except (psutil.Error, OSError):
        return []


def _wanted_processes(command: list[str]) -> int | None:
    """The number of processes that a command line, or the configuration it uses, asks `accelerate launch` for."""
    names = [Path(word).name for word in command]
    if "launch" not in command or not any(name in ("accelerate", "accelerate.exe") for name in names):
        return None
    own = command[command.index("launch") + 1 :]
    options = {}
    for at, word in enumerate(own):
        name, _, value = word.partition("=")
        options.setdefault(name.replace("-", "_"), value or (own[at + 1] if at + 1 < len(own) else ""))
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
