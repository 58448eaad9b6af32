"""The frozen predictor's graphs of a batch, computed once however often they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from hf_arae.nn.graph_mixer import LayerGraphs


class GraphCache:
    """Keeps the graphs of the batch that was asked for last.

    Several mixers of a model, and several calls on the same units, then have them for one price; while no batch comes
    back, the price is the memory of one batch's graphs.

    Args:
        keep: whether anything is kept at all. Without, graphs are computed anew whenever they are gone through, a
            layer at a time.
    """

    def __init__(self, keep: bool = True):
        self.keep = keep
        self.clear()

    def clear(self) -> None:
        """Forgets the graphs."""
        self._known: tuple[Tensor, ...] = ()
        self._weights: tuple[tuple[int, int], ...] = ()
        self._layers: list[Tensor] = []

    def graphs(self, predictor: nn.Module, make: Callable[..., Iterator[Tensor]], *units: Tensor) -> Iterable[Tensor]:
        """The graphs of a batch, which can be gone through again.

        Args:
            predictor: whose parameters the graphs depend on.
            make: gives an iterator of the layers' graphs from `units`.
            units: what else they depend on.
        """

        @torch.no_grad()
        def layers() -> Iterator[Tensor]:
            yield from make(*units)

        if not self.keep:
            return LayerGraphs(layers)
        weights = tuple((one.data_ptr(), one._version) for one in predictor.parameters())
        same = len(units) == len(self._known) and all(map(_equal, units, self._known))
        if not same or weights != self._weights:
            self.clear()  # before the new ones come
            self._layers, self._weights = list(layers()), weights
            self._known = tuple(one.clone() for one in units)  # a caller may change its own
        return self._layers

    def __deepcopy__(self, memo: dict) -> GraphCache:
        return GraphCache(self.keep)

    def __reduce__(self) -> tuple:
        return GraphCache, (self.keep,)


def _equal(one: Tensor, other: Tensor) -> bool:
    same_kind = one.device == other.device and one.dtype == other.dtype
    return same_kind and one.shape == other.shape and torch.equal(one, other)


__all__ = ["GraphCache"]
