"""From an encoder's state to a Gaussian posterior of codes, free or kept away from the prior."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

from hf_arae.nn.batch_norm import BatchNorm

# Of batch norm. Means of an untrained encoder differ little between sentences: a larger one would keep them small.
_EPSILON = 1e-8


class GaussianPosterior(nn.Module):
    """q(z | x) = N(mean, variance) by two linear layers (Kingma and Welling 2014), in the parameters' precision.

    Args:
        encoder_size: width of the encoder's LSTM.
        code_size: width of the code.
        mean_bias, log_variance_bias: whether the layers have one.

    Shapes: states `(batch, encoder_size)` to mean and log-variance, each `(batch, code_size)`.
    """

    def __init__(self, encoder_size: int, code_size: int, mean_bias: bool = True, log_variance_bias: bool = True):
        super().__init__()
        self.mean = nn.Linear(encoder_size, code_size, mean_bias)
        self.log_variance = nn.Linear(encoder_size, code_size, log_variance_bias)

    def reset_parameters(self) -> None:
        """Initialises what a subclass adds to the layers."""

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(states.device.type, enabled=False):
            states = states.to(self.mean.weight.dtype)
            return self.constrain(self.mean(states), self.log_variance(states))

    def constrain(self, mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
        """Maps what the layers give to mean and log-variance."""
        return mean, log_variance


class BatchNormPosterior(GaussianPosterior):
    """BN-VAE (Zhu et al. 2020, algorithm 1): means are batch-normalised, times a fixed scale, plus a learned offset.

    The mean over a batch of the KL to N(0, I) is then at least `code_size * scale^2 / 2 + |offset|^2 / 2`.

    Args:
        encoder_size, code_size: see `GaussianPosterior`.
        scale: gamma, above 0.
    """

    def __init__(self, encoder_size: int, code_size: int, scale: float):
        super().__init__(encoder_size, code_size, mean_bias=False)  # batch norm takes any offset away again
        self.norm = BatchNorm(code_size, eps=_EPSILON, affine=False)
        self.offset = nn.Parameter(torch.zeros(code_size))
        self.scale = scale

    def reset_parameters(self) -> None:
        init.zeros_(self.offset)

    def constrain(self, mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
        return self.scale * self.norm(mean) + self.offset, log_variance


class BalancedPosterior(GaussianPosterior):
    """The extension of BN-VAE: means and deviations are batch-normalised, without offsets.

    Their scales are gamma_mean^2 = tau + (1 - tau) sigmoid(theta) and gamma_deviation^2 = (1 - tau) sigmoid(-theta),
    theta learned for each coordinate. The codes of all data then have mean 0 and variance 1, as the prior has, and the
    mean KL over a batch is at least `code_size * tau / 2`. A deviation's sign does not matter.

    Args:
        encoder_size, code_size: see `GaussianPosterior`.
        min_mean_variance: tau, in (0, 1).
    """

    def __init__(self, encoder_size: int, code_size: int, min_mean_variance: float):
        super().__init__(encoder_size, code_size, mean_bias=False, log_variance_bias=False)
        self.mean_norm = BatchNorm(code_size, eps=_EPSILON, affine=False)
        self.deviation_norm = BatchNorm(code_size, eps=_EPSILON, affine=False)
        self.balance = nn.Parameter(torch.zeros(code_size))
        self.min_mean_variance = min_mean_variance

    def reset_parameters(self) -> None:
        init.zeros_(self.balance)

    def constrain(self, mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
        share = (1 - self.min_mean_variance) * self.balance.sigmoid()
        variance = (1 - self.min_mean_variance - share) * self.deviation_norm(log_variance).square()
        return (self.min_mean_variance + share).sqrt() * self.mean_norm(mean), (variance + 1e-6).log()


class DeltaPosterior(GaussianPosterior):
    """delta-VAE for a standard normal prior (Razavi et al. 2019; as trained by Zhu et al. 2020).

    Deviations lie between the two at which N(0, deviation^2) is `rate` nats away from the prior, and
    mean^2 = 2 rate + 1 + log variance - variance + max(0, m): no coordinate's KL is below `rate`.

    Args:
        encoder_size, code_size: see `GaussianPosterior`.
        rate: delta, nats a coordinate, above 0.
    """

    def __init__(self, encoder_size: int, code_size: int, rate: float):
        super().__init__(encoder_size, code_size)
        self.rate = rate
        self.bounds = tuple(variance**0.5 for variance in delta_variances(rate))

    def constrain(self, mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
        low, high = self.bounds
        log_variance = 2 * (low + (high - low) * log_variance.sigmoid()).log()
        missing = (2 * self.rate + 1 + log_variance - log_variance.exp()).clamp(min=0)  # below 0 by rounding alone
        return (missing + F.relu(mean) + 1e-6).sqrt(), log_variance


def delta_variances(rate: float) -> tuple[float, float]:
    """The variances v below and above 1 with KL(N(0, v) || N(0, 1)) = rate, that is v - 1 - log v = 2 rate."""

    def root(inside: float, outside: float) -> float:
        for _ in range(200):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if middle - 1 - math.log(middle) < 2 * rate else (inside, middle)
        return inside

    return root(1.0, math.exp(-1 - 2 * rate)), root(1.0, 4 + 4 * rate)
