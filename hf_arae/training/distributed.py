"""Training on several processes, without a wrapper around the model, as on one with all their rows."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch import distributed as dist


@atexit.register
def _leave_the_others() -> None:
    """Ends gloo's threads before the interpreter does, which would abort the process in the middle of them."""
    if dist.is_available() and dist.is_initialized() and dist.get_backend() == "gloo":
        dist.destroy_process_group()


def average_gradients(accelerator: Accelerator, gradients: list[Tensor]) -> list[Tensor]:
    """Returns the mean of each gradient over all processes, in one all-reduce of one flat tensor.

    With no wrapper around the model, several forwards a step, gradient penalties and calls of submodules are safe.
    """
    if accelerator.num_processes == 1:
        return gradients
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    flat = accelerator.reduce(flat, reduction="mean")
    parts = flat.split([gradient.numel() for gradient in gradients])
    return [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)]


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
