"""What a checkpoint holds beside the weights: optimizers, random generators, the log's sums and the progress.

A schedule's state is the step alone, and so is the position in data that are held in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from hf_arae.storage.files import read_json, write_json

TRAINING_FILE = "training_state.safetensors"
PROGRESS_FILE = "trainer_state.json"


def optimizer_tensors(optimizers: dict[str, Optimizer]) -> dict[str, Tensor]:
    """Flattens the optimizers' state: `optimizer.<player>.<parameter number>.<name>` to tensor."""
    flat = {}
    for player, optimizer in optimizers.items():
        for number, state in optimizer.state_dict()["state"].items():
            for name, value in state.items():
                if value is not None:
                    flat[f"optimizer.{player}.{number}.{name}"] = torch.as_tensor(value).contiguous()
    return flat


def restore_optimizers(optimizers: dict[str, Optimizer], flat: dict[str, Tensor]) -> None:
    """Puts the state of `optimizer_tensors` back."""
    for player, optimizer in optimizers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in under(f"optimizer.{player}.", flat).items():
            number, name = key.split(".", 1)
            state.setdefault(int(number), {})[name] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def of_each_process(accelerator: Accelerator, prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns what each process has under these names: `<prefix>.<rank>.<name>` to tensor. All must call it."""
    gathered = {}
    for name, value in tensors.items():
        own = value.to(accelerator.device).reshape(1, -1)
        for rank, part in enumerate(accelerator.gather(own).cpu()):
            gathered[f"{prefix}.{rank}.{name}"] = part.reshape(value.shape).clone()
    return gathered


def random_tensors(generators: dict[str, torch.Generator]) -> dict[str, Tensor]:
    """Returns the generators' states."""
    return {name: generator.get_state() for name, generator in generators.items()}


def restore_random(generators: dict[str, torch.Generator], states: dict[str, Tensor]) -> None:
    """Puts the states of `random_tensors` back. A generator that has none there stays as it is."""
    for name, state in states.items():
        if name in generators:
            generators[name].set_state(state)


def save_training_state(folder: Path, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
    """Writes the tensors and the progress."""
    save_file(tensors, folder / TRAINING_FILE)
    write_json(folder / PROGRESS_FILE, progress)


def load_training_state(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Returns what `save_training_state` wrote."""
    return load_file(folder / TRAINING_FILE), read_json(folder / PROGRESS_FILE)


def under(prefix: str, flat: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns what stands under a prefix, named without it."""
    return {key.removeprefix(prefix): value for key, value in flat.items() if key.startswith(prefix)}
