"""Points of a latent space, whatever the model reads and writes: the ways between them, and their checks.

A point is a *code*, which the encoder gives and the decoder reads, or, for a model that draws, a *z*: the noise that
it makes something new of. The thesis works on z (sections 4.6.3 and 4.8); what is real has codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

from hf_arae.latent.paths import interpolation, random_walk

SPACES = ("code", "z")


class LatentPoints:
    """Base of the latent spaces of texts and of images.

    A subclass says how what the model reads becomes codes (`encode`, `_read`), how points become what it writes
    (`decode`), which draws there are (`draw`), and how results are put together (`_grouped`, `_neighbour`).
    """

    model: PreTrainedModel
    batch_size: int
    item, one = "text", "a sentence"  # what the model reads and writes

    # What a subclass says

    @property
    def has_generator(self) -> bool:
        """Whether the model has z beside codes."""
        raise NotImplementedError

    def encode(self, given: Any) -> Tensor:
        """Returns the codes of what the model reads, `(rows, code size)`, on the model's device."""
        raise NotImplementedError

    def decode(self, points: Tensor, space: str = "code", **arguments: Any) -> list:
        """Makes a text or an image of each row of `points`, `(rows, width)`."""
        raise NotImplementedError

    def _read(self, given: Any, name: str) -> Tensor:
        """Codes of what was given as the argument `name`."""
        raise NotImplementedError

    def _drawing(self, seed: int | None) -> dict[str, Any]:
        """The arguments of `decode` that a seed is for."""
        return {}

    def _grouped(self, made: list, size: int) -> list[list]:
        """Cuts a list into lists of `size` parts."""
        return [made[start : start + size] for start in range(0, len(made), size)]

    def _neighbour(self, item: Any, similarity: float, row: int) -> tuple:
        """A neighbour as `nearest` returns it."""
        raise NotImplementedError

    # Spaces

    @property
    def native_space(self) -> str:
        """Where what is new comes from: "z" for a model that has it, else "code"."""
        return "z" if self.has_generator else "code"

    def width(self, space: str = "code") -> int:
        """The width of codes or of z.

        Raises:
            ValueError: the space is unknown, or z is asked of a model that has none.
        """
        if space not in SPACES:
            raise ValueError(f"space must be one of {', '.join(map(repr, SPACES))}; got {space!r}")
        if space == "z" and not self.has_generator:
            raise ValueError(f"a {type(self.model).__name__} has no generator, so it has no z: give space='code'")
        return self.model.config.code_size if space == "code" else self.model.config.latent_size

    @torch.no_grad()
    def to_codes(self, z: Tensor) -> Tensor:
        """Maps z `(rows, latent_size)` to codes `(rows, code_size)` by the model's generator."""
        parts = self._points(z, "z", "z").split(self.batch_size)
        return torch.cat([self._codes(part, "z") for part in parts]) if len(z) else self._codes(z, "z")

    # What lies between and around points

    def interpolate(
        self,
        a: Any,
        b: Any,
        steps: int = 7,
        method: str = "linear",
        space: str = "code",
        **arguments: Any,
    ) -> list[list]:
        """Makes what lies on the way from each row of `a` to the same row of `b` (Figure 4.3).

        Args:
            a, b: what the model reads, or points, as many of each, or one of either for all of the other.
            steps: points on each way, at least 2: both ends are among them.
            method: "linear" (the thesis) or "spherical", see [`~hf_arae.latent.paths.interpolation`].
            space: "code" or "z".
            arguments: see `decode`.

        Returns:
            `steps` texts or images for each pair.
        """
        a, b = self._points(a, space, "a"), self._points(b, space, "b")
        points = interpolation(a, b, steps, method)
        return self._grouped(self.decode(points.flatten(0, 1), space, **arguments), steps)

    def walk(
        self,
        start: Any,
        steps: int = 10,
        angle: float = 0.3,
        space: str = "code",
        seed: int | None = 0,
        **arguments: Any,
    ) -> list[list]:
        """Makes what a random walk from each row of `start` passes, see [`~hf_arae.latent.paths.random_walk`].

        Args:
            start: what the model reads, or points.
            steps: points on each walk, the one at its start included; at least 2.
            angle: turn at each step, in radians.
            space: "code" or "z".
            seed: of the walk, and of what `decode` draws.
            arguments: see `decode`.
        """
        points = random_walk(self._points(start, space, "start"), steps, angle, seed)
        return self._grouped(self.decode(points.flatten(0, 1), space, **self._drawing(seed), **arguments), steps)

    def nearest(self, given: Any, among: Sequence[Any], k: int = 5, codes: Tensor | None = None) -> list[list]:
        """Finds what has the largest cosine of its code with each given one's, nearest first.

        Args:
            given: what the model reads, or codes.
            among: what is searched. What is both given and searched is its own first neighbour.
            k: neighbours of each, from 1 to `len(among)`.
            codes: those of `among`, `(len(among), code_size)`, if they are known.
        """
        if not 1 <= k <= len(among):
            raise ValueError(f"k must lie in 1..{len(among)}, the number of {self.item}s searched; got {k}")
        codes = self._read(among, "among") if codes is None else self._points(codes, "code", "codes")
        if len(codes) != len(among):
            raise ValueError(f"codes has {len(codes)} rows for {len(among)} {self.item}s")
        codes, found = F.normalize(codes, dim=1), []
        for part in F.normalize(self._points(given, "code", f"{self.item}s"), dim=1).split(64):
            similarities, rows = (part @ codes.T).topk(k, dim=1)
            for pairs in zip(similarities.tolist(), rows.tolist(), strict=True):
                found += [self._neighbour(among[row], cosine, row) for cosine, row in zip(*pairs, strict=True)]
        return self._grouped(found, k)

    def offset(self, minus: Any, plus: Any, space: str = "code") -> Tensor:
        """The mean of the points `plus` less that of the points `minus`, `(width,)` (section 4.8).

        Args:
            minus, plus: what the model reads, or points, of one class each, such as sentences with "sleeping" and
                those with "walking" as their verb, or images of "1" and of "7".

        Raises:
            ValueError: a class is empty.
        """
        means = []
        for name, given in (("minus", minus), ("plus", plus)):
            points = self._points(given, space, name)
            if not len(points):
                raise ValueError(f"{name} is empty: a mean needs at least one {self.item}")
            means.append(points.double().mean(0))
        return (means[1] - means[0]).to(self.model.dtype)

    # Inside

    def _is_points(self, given: Any) -> bool:
        return isinstance(given, Tensor)

    def _points(self, given: Any, space: str, name: str) -> Tensor:
        """Rows of the space's width, of the model's dtype and on its device."""
        width = self.width(space)
        if not self._is_points(given):
            if space == "z":
                raise ValueError(
                    f"{name} must be a tensor of z, (rows, {width}): {self.one} has a code, but no z is known for it"
                )
            return self._read(given, name)
        if given.ndim != 2 or given.shape[1] != width:
            hint = ""
            if self.has_generator and given.shape[-1:] == (self.width("z" if space == "code" else "code"),):
                hint = "; space says which of the two it is, 'code' or 'z'"
            kind = "codes" if space == "code" else "z"
            raise ValueError(f"{name} must be {kind} of shape (rows, {width}), got {tuple(given.shape)}{hint}")
        if not given.is_floating_point():
            raise ValueError(f"{name} must hold floating-point numbers, got {given.dtype}")
        if not given.isfinite().all():
            row = int((~given.isfinite()).any(1).nonzero()[0])
            raise ValueError(f"{name} holds a value that is not finite, in row {row}")
        return given.to(self.model.device, self.model.dtype)

    def _codes(self, points: Tensor, space: str) -> Tensor:
        return points if space == "code" else self.model.generate_codes(points)


__all__ = ["LatentPoints"]
