"""A moving average of a model's weights, which is evaluated and saved in their place (Polyak and Juditsky, 1992)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The exponential moving average of all weights that a model saves, while training goes on with the weights.

    After iteration t, counted from 1, it is `d * average + (1 - d) * weights` with `d = min(decay, t / (9 + t))`, so
    that the weights of the beginning do not stay in it for long. Floating-point buffers that are saved (running
    statistics, say) are averaged like parameters; one that does not change stays exactly as it is. All else that is
    saved, such as counts, is that of the weights.

    Args:
        model: whose weights.
        decay: in [0, 1); 0: there is no average, and nothing here does anything.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.model, self.decay = model, decay
        self.averages: dict[str, Tensor] = {}

    def begin(self) -> None:
        """Starts with the weights as they are."""
        if self.decay:
            self.averages = {name: value.clone() for name, value in self._weights().items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes the weights into the average, after iteration `step`, the first one being 1."""
        if not self.averages:
            return
        weights = self._weights()
        averages = [self.averages[name] for name in weights]
        torch._foreach_lerp_(averages, list(weights.values()), 1 - min(self.decay, step / (9 + step)))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within, the model has the averages, and afterwards its weights again."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def end(self) -> None:
        """Leaves the averages in the model; there is no further one."""
        self._swap()
        self.averages = {}

    def weights(self) -> dict[str, Tensor]:
        """Returns the weights that training goes on with, for a checkpoint whose model file holds the averages."""
        return dict(self._weights()) if self.averages else {}

    @torch.no_grad()
    def restore(self, weights: dict[str, Tensor]) -> None:
        """Takes the model's weights, read from a checkpoint, as the averages, and puts `weights` in their place.

        Args:
            weights: what `weights` was then; empty where there was no average, which then starts with the model's.
        """
        self.begin()
        own = self._weights()
        for name, value in weights.items():
            own[name].copy_(value)

    def _weights(self) -> dict[str, Tensor]:
        """The floating-point tensors that are saved, each once, whatever names it has."""
        found: dict[tuple[int, torch.Size], tuple[str, Tensor]] = {}
        for name, value in self.model.state_dict().items():
            if value.is_floating_point() and value.numel():
                found.setdefault((value.data_ptr(), value.shape), (name, value))
        return dict(found.values())

    @torch.no_grad()
    def _swap(self) -> None:
        if not self.averages:
            return
        for name, value in self._weights().items():
            own = value.clone()
            value.copy_(self.averages[name])
            self.averages[name].copy_(own)
        torch.clear_autocast_cache()  # under a caller's autocast it would hold the weights of before
