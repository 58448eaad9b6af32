"""The game of a critic and a generator for the Wasserstein distance between two distributions."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn


class Critic(Protocol):
    """What rates points `(batch, ...)` by one number each, as [`hf_arae.nn.mlp.Mlp`] does those of `(batch, size)`."""

    def mean_difference(self, first: Tensor, second: Tensor) -> Tensor:
        """Mean rating of `first` less that of `second`, a scalar."""

    def input_gradient(self, inputs: Tensor) -> Tensor:
        """Gradient of the rating by each row of `inputs`, of their shape, differentiable by the parameters."""


def wasserstein_distance(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """mean f(real) - mean f(fake), a scalar; at the best f of slope 1 it is W (Arjovsky et al. 2017, equation 2).

    The critic raises it. A generator of `fake` lowers it by minimising `-mean f(fake)`.

    Args:
        real, fake: `(batch, ...)`.
    """
    return critic.mean_difference(real, fake)


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Mean over examples of (|grad f| - 1)^2 between real and generated points (Gulrajani et al. 2017, equation 3).

    Args:
        real, fake: `(batch, ...)`: codes or images.
        share: of each real point in the point between the two, uniform in [0, 1), `(batch, 1, ...)`.
    """
    between = fake + share * (real - fake)
    return (critic.input_gradient(between).flatten(1).norm(dim=1) - 1).square().mean()


@torch.no_grad()
def clip_weights(critic: nn.Module, bound: float) -> None:
    """Keeps a critic's parameters in [-bound, bound], after each update (Arjovsky et al. 2017, algorithm 1)."""
    for parameter in critic.parameters():
        parameter.clamp_(-bound, bound)
