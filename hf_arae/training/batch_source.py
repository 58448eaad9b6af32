"""What the loop takes its batches from: one contract for data in memory, for streams and for what is made of both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from torch import Tensor


class BatchSource(Protocol):
    """Batches without an end, which from a position on are always the same."""

    def updates(self, epochs: float) -> int:
        """How many batches so many passes are. Raises a ValueError if that is not known."""

    def set_position(self, step: int, saved: dict[str, Any] | None) -> None:
        """The next `iter()` begins with batch `step` of the run; `saved` is what `position` was there."""

    def position(self) -> dict[str, Any] | None:
        """What a checkpoint must keep beside the number of batches to go on after the last one; JSON."""

    def fingerprint(self) -> dict[str, Any]:
        """Names and values that a run's course depends on; JSON."""

    def __iter__(self) -> Iterator[dict[str, Tensor]]: ...


class TrainDataset(Protocol):
    """Data that hand over their batches: how they are drawn, collated and loaded is their own affair."""

    def batches(self, batch_size: int, seed: int, rank: int, world_size: int) -> BatchSource:
        """Returns the batches of one process.

        Args:
            batch_size: rows in a batch on each process.
            seed: of the order, and of all else that is drawn.
            rank, world_size: this process's place. Together the processes have the batches of one process with
                `world_size * batch_size` rows.

        Raises:
            ValueError: the data cannot be cut into such batches.
        """
