"""Checkpoint folders: complete or absent, loadable with `from_pretrained`, and without pickle."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

TRAINING_FILE = "training_state.safetensors"
PROGRESS_FILE = "trainer_state.json"
_NAME = re.compile(r"checkpoint-(\d+)")


def list_checkpoints(output_dir: str | os.PathLike) -> list[Path]:
    """Returns the complete checkpoints of a run, oldest first. A folder without its last-written file is left out."""
    folder = Path(output_dir)
    found = [path for path in folder.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    complete = [path for path in found if (path / PROGRESS_FILE).is_file()]
    return sorted(complete, key=lambda path: int(_NAME.fullmatch(path.name).group(1)))


def find_checkpoint(wanted: str, output_dir: str | os.PathLike) -> Path | None:
    """Resolves `resume_from_checkpoint`: `"last"` is the newest one in `output_dir`, or `None` if there is none.

    Raises:
        FileNotFoundError: `wanted` is a path that is no checkpoint.
    """
    if wanted == "last":
        checkpoints = list_checkpoints(output_dir)
        return checkpoints[-1] if checkpoints else None
    path = Path(wanted)
    if not (path / PROGRESS_FILE).is_file() or not (path / TRAINING_FILE).is_file():
        raise FileNotFoundError(
            f"{wanted} is not a training checkpoint: it needs {PROGRESS_FILE} and {TRAINING_FILE}. Accepted: 'last' "
            f"or a folder checkpoint-N of an earlier run."
        )
    return path


def write_atomically(folder: Path, write) -> None:
    """Calls `write(temporary folder)`, then gives the folder its name: readers see all of it or nothing.

    Whatever goes wrong, a folder that stood there before is intact and the half-written one is removed.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        write(temporary)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def rotate(output_dir: str | os.PathLike, keep: int, spare: Path | None) -> None:
    """Removes all but the newest `keep` checkpoints, never `spare` (the best one)."""
    for path in list_checkpoints(output_dir)[:-keep]:
        if spare is None or path.name != spare.name:
            shutil.rmtree(path)


def optimizer_tensors(optimizers: dict[str, Optimizer]) -> dict[str, Tensor]:
    """Flattens the optimizers' state: `<player>.<parameter number>.<name>` to tensor."""
    flat = {}
    for player, optimizer in optimizers.items():
        for number, state in optimizer.state_dict()["state"].items():
            for name, value in state.items():
                if value is not None:
                    flat[f"{player}.{number}.{name}"] = torch.as_tensor(value).contiguous()
    return flat


def restore_optimizers(optimizers: dict[str, Optimizer], flat: dict[str, Tensor]) -> None:
    """Puts the state of `optimizer_tensors` back."""
    for player, optimizer in optimizers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in flat.items():
            owner, number, name = key.split(".", 2)
            if owner == player:
                state.setdefault(int(number), {})[name] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def random_tensors() -> dict[str, Tensor]:
    """Returns the states of torch's generators (the loop draws from no other)."""
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["random.cuda"] = torch.cuda.get_rng_state()
    return states


def restore_random(flat: dict[str, Tensor]) -> None:
    """Puts the generators' states of `random_tensors` back."""
    torch.set_rng_state(flat["random.cpu"])
    if torch.cuda.is_available() and "random.cuda" in flat:
        torch.cuda.set_rng_state(flat["random.cuda"])


def save_training_state(folder: Path, optimizers: dict[str, Optimizer], progress: dict[str, Any]) -> None:
    """Writes optimizer and generator states, and last the progress, whose presence marks the folder complete."""
    save_file({**optimizer_tensors(optimizers), **random_tensors()}, folder / TRAINING_FILE)
    (folder / PROGRESS_FILE).write_text(json.dumps(progress, indent=2))


def load_training_state(folder: Path, optimizers: dict[str, Optimizer]) -> dict[str, Any]:
    """Restores optimizers and generators from a checkpoint; returns its progress.

    Raises:
        ValueError: a file is damaged, or the state is of other parameters.
    """
    try:
        progress = json.loads((folder / PROGRESS_FILE).read_text())
        flat = load_file(folder / TRAINING_FILE)
        restore_optimizers(optimizers, {k: v for k, v in flat.items() if not k.startswith("random.")})
        restore_random(flat)
    except (SafetensorError, json.JSONDecodeError, KeyError, ValueError) as error:
        raise ValueError(
            f"{folder} cannot be resumed from: its training state is damaged or foreign ({error})"
        ) from error
    return progress
