"""`metrics.json`, what a finished run says of itself: how it was started, with what settings, and what came out."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from hf_arae.storage.files import write_json
from hf_arae.storage.run_files import REPORT_FILE, read_report
from hf_arae.utils.places import repository_names


def write_report(
    output_dir: str | os.PathLike,
    metrics: Mapping[str, Any],
    settings: Sequence[Any] = (),
    base: str | os.PathLike | None = None,
) -> dict[str, Any]:
    """Writes a run's report into its folder, and returns it. In the file, numbers that are not finite are `null`.

    Args:
        output_dir: the run's folder.
        metrics: numbers of its last evaluation, and what else is known: `seed`, `updates`, `minutes`.
        settings: the dataclasses that the command line was read into.
        base: folder of the run that this one went on from; its report, if it has one, becomes part of this one.
    """
    report: dict[str, Any] = {"command": f"python {shlex.join(sys.argv)}", **metrics}
    report["hardware"] = describe_hardware()
    report["settings"] = {name: value for part in settings for name, value in asdict(part).items()}
    report["repositories"] = repository_names(report["settings"])  # told from folders while the run is where it began
    if base is not None:
        before = read_report(base)
        if before:
            report["base"] = before
    write_json(Path(output_dir, REPORT_FILE), report)
    return report


def describe_hardware() -> str:
    """What this process computes on, for people: "NVIDIA H100", say, or "CPU (2 threads), torch 2.13.0"."""
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        device = f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s)"
    return f"{device}, torch {torch.__version__}"
