"""Fixed priors of codes: the standard normal, and a sparse one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hf_arae.losses.gaussian import gaussian_log_density, kl_to_standard_normal


@dataclass(frozen=True)
class FixedPrior:
    """p(z) = prod_d (1 - gamma) N(z_d; 0, 1) + gamma N(z_d; 0, sigma_0^2) (Mathieu et al. 2019, section 5.3).

    A share gamma of the coordinates of a draw are near 0, other ones in each draw. gamma = 0 is the standard normal.

    Args:
        sparsity: gamma, in [0, 1).
        spike_std: sigma_0, above 0.
    """

    sparsity: float = 0.0
    spike_std: float = 0.05

    def draw(self, like: Tensor, normal: Callable[[Tensor], Tensor], uniform: Callable[[Tensor], Tensor]) -> Tensor:
        """Draws codes of the shape, dtype and device of `like`.

        Args:
            normal, uniform: give standard normal numbers, and uniform ones in [0, 1), like a tensor.
        """
        codes = normal(like)
        if not self.sparsity:
            return codes
        return torch.where(uniform(like) < self.sparsity, self.spike_std * codes, codes)

    def log_density(self, codes: Tensor) -> Tensor:
        """log p(z_d) of each coordinate of `codes`, in nats; of the same shape."""
        zero = torch.zeros_like(codes)
        slab = gaussian_log_density(codes, zero, zero)
        if not self.sparsity:
            return slab
        spike = gaussian_log_density(codes, zero, torch.full_like(codes, 2 * math.log(self.spike_std)))
        return torch.logaddexp(slab + math.log(1 - self.sparsity), spike + math.log(self.sparsity))

    def kl(self, mean: Tensor, log_variance: Tensor, codes: Tensor) -> Tensor:
        """KL(q(z_d) || p(z_d)) of each coordinate, in nats, for q = N(mean, variance); of the shape of `mean`.

        Exact for the standard normal. Else it is estimated by log q(z_d) - log p(z_d) at one draw, and can be
        below 0.

        Args:
            codes: the draw, from q.
        """
        if not self.sparsity:
            return kl_to_standard_normal(mean, log_variance)
        return gaussian_log_density(codes, mean, log_variance) - self.log_density(codes)
