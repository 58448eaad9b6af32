"""A ladder network (Rasmus et al. 2015): a noisy encoder, and a decoder that sees each of its layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_arae.nn.across_processes import moments_over_processes
from hf_arae.nn.batch_norm import BatchNorm
from hf_arae.nn.image.networks import with_std


class LadderPass(NamedTuple):
    """What an encoder's pass leaves.

    Args:
        laterals: z of each layer, the input first, `(rows, width)`.
        hidden: what the top layer reads, `(rows, width)`.
        logits: of the labels, `(rows, labels)`.
        sums: before normalisation, of each layer above the input, `(rows, width)`.
    """

    laterals: list[Tensor]
    hidden: Tensor
    logits: Tensor
    sums: list[Tensor]


class Combinator(nn.Module):
    """Guesses a layer's clean z from the noisy one and from what the layer above says: (z - mu) v + mu.

    For each unit mu(u) = a1 s(a2 u + a3) + a4 u + a5 and v(u) = a6 s(a7 u + a8) + a9 u + a10, with the sigmoid s
    (Rasmus et al. 2015, section 3.3).

    Args:
        width: units of the layer.

    Shapes: `(rows, width)` twice to `(rows, width)`.
    """

    def __init__(self, width: int):
        super().__init__()
        # a1 to a5 and a6 to a10, each pair side by side, so that mu and v are computed together
        self.weights = nn.Parameter(self.initial(torch.empty(5, 2, 1, width)))

    @staticmethod
    def initial(weights: Tensor) -> Tensor:
        """First values of such weights: a2 = a7 = 1, and 0."""
        values = torch.zeros_like(weights)
        values[1] = 1
        return values

    def forward(self, lateral: Tensor, above: Tensor) -> Tensor:
        outer, slope, shift, direct, offset = self.weights.unbind()
        curves = torch.addcmul(shift, slope, above).sigmoid()  # (2, rows, width)
        mean, gain = torch.addcmul(torch.addcmul(offset, direct, above), outer, curves).unbind()
        return torch.lerp(mean, lateral.to(mean.dtype), gain)  # under autocast only one of them is in bfloat16


class LadderNetwork(nn.Module):
    """Encoder and decoder of vectors, with a connection from each layer to its like.

    While training, each group of rows (labelled ones, say, and generated ones) is normalised by statistics of its own.
    Running statistics, which evaluation uses, follow `track` alone.

    Args:
        input_size: numbers of an input.
        sizes: of the hidden layers.
        num_labels: of the top layer.
        noise_std: deviation of the noise on the input and on each normalised layer.
    """

    def __init__(self, input_size: int, sizes: Sequence[int], num_labels: int, noise_std: float):
        super().__init__()
        self.noise_std = noise_std
        widths = [input_size, *sizes, num_labels]
        pairs = list(pairwise(widths))
        self.up = nn.ModuleList(_unit_linear(below, above) for below, above in pairs)
        self.up_norms = nn.ModuleList(BatchNorm(width, affine=False) for width in widths[1:])
        self.shifts = nn.ParameterList(torch.zeros(width) for width in widths[1:])
        self.scale = nn.Parameter(torch.ones(num_labels))
        self.down = nn.ModuleList(_unit_linear(above, below) for below, above in pairs)
        self.down_norms = nn.ModuleList(BatchNorm(width, affine=False) for width in widths)
        self.combinators = nn.ModuleList(Combinator(width) for width in widths)
        for norm in (*self.up_norms, *self.down_norms):
            norm.tracking = False

    def encode(
        self, inputs: Tensor, noise: Callable[[Tensor], Tensor] | None = None, groups: Sequence[int] | None = None
    ) -> LadderPass:
        """Runs the encoder: z = norm(W h) with noise on it, h = relu(z + beta), at the top gamma (z + beta).

        Args:
            inputs: `(rows, input_size)`.
            noise: gives standard normal numbers of its argument's shape; `None`: a clean pass.
            groups: numbers of rows that follow one another, each group normalised by itself; `None`: all are one.
        """
        hidden = self._noisy(inputs, noise)
        laterals, sums, last = [hidden], [], len(self.up) - 1
        for layer, (linear, norm, shift) in enumerate(zip(self.up, self.up_norms, self.shifts, strict=True)):
            sums.append(linear(hidden))
            z = self._noisy(_normalized(norm, sums[-1], groups), noise)
            laterals.append(z)
            if layer == last:
                return LadderPass(laterals, hidden, self.scale * (z + shift), sums)
            hidden = F.relu(z + shift)
        raise AssertionError("a ladder has a top layer")

    def decode(self, laterals: Sequence[Tensor], logits: Tensor, groups: Sequence[int] | None = None) -> list[Tensor]:
        """Guesses of the clean z of each layer, the input first, from noisy ones and from the top's probabilities.

        Args:
            laterals, logits: as `encode` left them.
            groups: as in `encode`.
        """
        above = _normalized(self.down_norms[-1], logits.softmax(1), groups)
        guesses = [self.combinators[-1](laterals[-1], above)]
        for layer in reversed(range(len(self.down))):
            above = _normalized(self.down_norms[layer], self.down[layer](guesses[-1]), groups)
            guesses.append(self.combinators[layer](laterals[layer], above))
        return guesses[::-1]

    def reconstruct(self, inputs: Tensor) -> Tensor:
        """What a pass without noise makes of inputs."""
        clean = self.encode(inputs)
        return self.decode(clean.laterals, clean.logits)[0]

    @torch.no_grad()
    def track(self, inputs: Tensor, momentum: float) -> None:
        """Moves the running statistics towards those of a pass without noise, by `momentum` of the way."""
        norms = [*self.up_norms, *self.down_norms]
        for norm in norms:
            norm.tracking, norm.momentum = True, momentum
        try:
            self.reconstruct(inputs)
        finally:
            for norm in norms:
                norm.tracking = False

    def _noisy(self, values: Tensor, noise: Callable[[Tensor], Tensor] | None) -> Tensor:
        return values if noise is None else torch.add(values, noise(values), alpha=self.noise_std)


def layer_costs(guesses: Sequence[Tensor], clean: LadderPass) -> list[Tensor]:
    """Mean squared errors of the guesses at each layer above the input, scalars (Rasmus et al. 2015, equation 3).

    A guess is first normalised by mean and deviation of the clean pass's sums: else both could shrink together.

    Args:
        guesses: of `LadderNetwork.decode`, the input's first.
        clean: pass of the same rows without noise.
    """
    costs = []
    for guess, wanted, sums in zip(guesses[1:], clean.laterals[1:], clean.sums, strict=True):
        mean, variance = moments_over_processes(sums)
        costs.append(((guess - mean) * (variance + 1e-5).rsqrt() - wanted).square().mean())
    return costs


def _normalized(norm: BatchNorm, values: Tensor, groups: Sequence[int] | None) -> Tensor:
    if groups is None or len(groups) == 1 or not norm.training:
        return norm(values)
    return torch.cat([norm(part) for part in values.split(list(groups))])


def _unit_linear(inputs: int, outputs: int) -> nn.Linear:
    return with_std(nn.Linear(inputs, outputs, bias=False), inputs**-0.5)


__all__ = ["Combinator", "LadderNetwork", "LadderPass", "layer_costs"]
