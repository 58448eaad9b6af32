"""Diagonal Gaussians by mean and log-variance: draws, densities and divergences, a coordinate at a time."""

from __future__ import annotations

import math

from torch import Tensor


def draw_gaussian(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """mean + deviation * noise, for standard normal noise; differentiable by mean and log-variance."""
    return mean + (0.5 * log_variance).exp() * noise


def gaussian_log_density(values: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(value; mean, variance) of each coordinate, in nats; all of one shape."""
    squared = (values - mean).square() * (-log_variance).exp()
    return -0.5 * (squared + log_variance + math.log(2 * math.pi))


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) of each coordinate, in nats (Kingma and Welling 2014, appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
