"""Training on several processes, without a wrapper around the model, as on one with all their rows."""

from __future__ import annotations

import atexit
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch import distributed as dist


@atexit.register
def _leave_the_others() -> None:
    """Ends gloo's threads before the interpreter does, which would abort the process in the middle of them."""
    if dist.is_available() and dist.is_initialized() and dist.get_backend() == "gloo":
        dist.destroy_process_group()


def average_gradients(
    accelerator: Accelerator, parameters: Sequence[Tensor], gradients: Sequence[Tensor | None], loss: Tensor
) -> tuple[list[Tensor | None], Tensor]:
    """Returns the mean of each gradient, and of the loss, over all processes, in one all-reduce of one flat tensor.

    A loss may reach other parameters on each process (those of the labels in its batch, say), so there is room for
    all of them, and a flag for each that says whether anybody used it. What one process did not use counts as 0 there;
    what no process used stays `None`.

    With no wrapper around the model, several forwards a step, gradient penalties and calls of submodules are safe.

    Args:
        parameters: the player's, in the same order on each process.
        gradients: of each parameter, or `None`.
        loss: one number, `(1,)`.
    """
    if accelerator.num_processes == 1:
        return list(gradients), loss
    flags = loss.new_tensor([gradient is not None for gradient in gradients])
    filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)]
    flat = torch.cat([part.reshape(-1) for part in (*filled, loss, flags)])
    flat = accelerator.reduce(flat, reduction="mean")
    *parts, loss, flags = flat.split([*(part.numel() for part in filled), 1, len(flags)])
    averaged = [
        part.view_as(gradient).to(gradient.dtype) if used else None
        for part, gradient, used in zip(parts, filled, (flags > 0).tolist(), strict=True)
    ]
    return averaged, loss


def same_on_all(accelerator: Accelerator, values: dict[str, Any]) -> None:
    """Makes sure that each process was told the same: those that differ wait for one another until a time-out.

    Args:
        values: names and values, ready for JSON.

    Raises:
        ValueError: some differ. Names them, with the value of each process.
    """
    processes = accelerator.num_processes
    if processes == 1:
        return
    # A digest first, whose size is the same on all: nothing that differs can hold this comparison up.
    text = json.dumps(values, sort_keys=True, default=str).encode()
    own = torch.tensor(list(hashlib.sha256(text).digest()), device=accelerator.device)
    if (accelerator.gather(own).view(processes, -1) == own).all(1).logical_not().any().item():
        everyone: list = [None] * processes
        dist.all_gather_object(everyone, json.loads(text))
        lines = []
        for name in sorted({name for one in everyone for name in one}):
            told = [one.get(name) for one in everyone]
            if any(value != told[0] for value in told):
                lines.append(f"  {name}: " + ", ".join(f"{v!r} on process {rank}" for rank, v in enumerate(told)))
        raise ValueError("all processes must have the same data and arguments, and these differ:\n" + "\n".join(lines))


def share_weights(model: nn.Module) -> None:
    """Gives every process the weights of the main one: a model may have been made from another seed on each."""
    if place()[1] == 1:
        return
    with torch.no_grad():
        for tensor in model.state_dict().values():
            weights = tensor.contiguous()
            dist.broadcast(weights, 0)
            tensor.copy_(weights)


def place() -> tuple[int, int]:
    """Returns this process's rank and the number of processes."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else (0, 1)


def mean_over_processes(values: Tensor) -> Tensor:
    """Returns the mean of numbers that each process has its own of."""
    processes = place()[1]
    if processes == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / processes


def rows_of_this_process(count: int) -> range:
    """Returns which of `count` rows this process works on; no row is on two processes."""
    rank, processes = place()
    return range(rank, count, processes)


def gather_rows(mine: list, count: int) -> list:
    """Returns all rows in order, on every process, from each one's results for `rows_of_this_process`."""
    processes = place()[1]
    if processes == 1:
        return mine
    parts: list = [None] * processes
    dist.all_gather_object(parts, mine)
    rows: list = [None] * count
    for rank, part in enumerate(parts):
        rows[rank::processes] = part
    return rows


def from_main(make: Callable[[], Any]) -> Any:
    """Returns what `make` returns on the main process, on every process."""
    rank, processes = place()
    made = [make() if rank == 0 else None]
    if processes > 1:
        dist.broadcast_object_list(made)
    return made[0]


class SharedRandom:
    """Random numbers for rows that are divided over processes: process r holds every r-th of all rows.

    Every process draws the numbers of all rows from one seed and keeps its own.

    Args:
        seed, step: what the numbers depend on; draws follow one another.
    """

    def __init__(self, seed: int, step: int):
        self.seed, self.step = seed, step
        self.sources: dict[torch.device, torch.Generator] = {}

    def draw(self, fill: Callable[..., Tensor], like: Tensor) -> Tensor:
        """Fills a tensor of the shape, dtype and device of `like` by `fill(tensor, generator=...)`."""
        if like.device not in self.sources:
            words = np.random.SeedSequence((self.seed, self.step)).generate_state(1, np.uint64)
            self.sources[like.device] = torch.Generator(like.device).manual_seed(int(words[0] >> np.uint64(1)))
        rank, processes = place()
        everyone = like.new_empty(len(like) * processes, *like.shape[1:])
        return fill(everyone, generator=self.sources[like.device])[rank::processes]
