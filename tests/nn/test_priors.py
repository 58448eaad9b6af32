"""Gaussians, priors and the MMD against torch's distributions and formulas written out."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, Normal, kl_divergence

from hf_arae.losses import mmd
from hf_arae.losses.gaussian import draw_gaussian, gaussian_log_density, kl_to_standard_normal
from hf_arae.losses.mmd import SCALES, maximum_mean_discrepancy
from hf_arae.nn.priors import FixedPrior

SPARSE = FixedPrior(0.8, 0.05)


def sparse_by_torch(size: int) -> MixtureSameFamily:
    shares = torch.tensor([0.2, 0.8]).expand(size, 2)
    return MixtureSameFamily(Categorical(shares), Normal(torch.zeros(size, 2), torch.tensor([1.0, 0.05])))


def drawn(prior: FixedPrior, rows: int, size: int = 4, seed: int = 0) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    return prior.draw(
        torch.empty(rows, size),
        lambda like: torch.randn(like.shape, generator=source),
        lambda like: torch.rand(like.shape, generator=source),
    )


def test_densities_and_divergences_are_torch_s():
    torch.manual_seed(0)
    mean, log_variance, values = torch.randn(3, 5, 4).unbind()
    gaussian = Normal(mean, (0.5 * log_variance).exp())
    torch.testing.assert_close(gaussian_log_density(values, mean, log_variance), gaussian.log_prob(values))
    torch.testing.assert_close(
        kl_to_standard_normal(mean, log_variance), kl_divergence(gaussian, Normal(torch.zeros(4), torch.ones(4)))
    )
    torch.testing.assert_close(SPARSE.log_density(values), sparse_by_torch(4).log_prob(values))
    torch.testing.assert_close(FixedPrior().log_density(values), Normal(0.0, 1.0).log_prob(values))


def test_draws_follow_the_prior():
    normal, sparse = drawn(FixedPrior(), 20_000), drawn(SPARSE, 20_000)
    assert normal.mean().abs() < 0.02 and normal.std() == pytest.approx(1, abs=0.02)
    # P(|z| < 0.15) is 0.997 of the spike's share and 0.119 of the slab's.
    assert (sparse.abs() < 0.15).float().mean() == pytest.approx(0.8 * 0.997 + 0.2 * 0.119, abs=0.01)
    assert torch.equal(sparse, drawn(SPARSE, 20_000)) and not torch.equal(sparse, drawn(SPARSE, 20_000, seed=1))


def test_the_sparse_divergence_is_right_in_the_mean():
    mean, log_variance = torch.tensor([[0.5, -1.0, 0.0]]), torch.tensor([[-1.0, 0.3, -6.0]])
    torch.manual_seed(0)
    wide = (mean.expand(200_000, -1), log_variance.expand(200_000, -1))
    codes = draw_gaussian(*wide, torch.randn(200_000, 3))
    estimate = SPARSE.kl(*wide, codes).mean(0)
    # By the trapezoidal rule.
    gaussian = Normal(mean[0], (0.5 * log_variance[0]).exp())
    grid = torch.linspace(-8, 8, 400_001, dtype=torch.float64).unsqueeze(1)
    density = gaussian.log_prob(grid)
    exact = (density.exp() * (density - sparse_by_torch(3).log_prob(grid))).sum(0) * 16 / 400_000
    torch.testing.assert_close(estimate.double(), exact, atol=0.02, rtol=0)


def mmd_written_out(first, second):
    def kernel(x, y):
        return sum(2 * s / (2 * s + (x - y) ** 2) for s in SCALES).sum()

    n, m = len(first), len(second)
    within = sum(kernel(first[i], first[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    other = sum(kernel(second[i], second[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within + other - 2 * sum(kernel(x, y) for x in first for y in second) / (n * m)


def test_mmd_is_the_formula_and_its_gradient(monkeypatch):
    torch.manual_seed(0)
    first, second = torch.randn(6, 3, dtype=torch.float64, requires_grad=True), torch.randn(4, 3, dtype=torch.float64)
    value = maximum_mean_discrepancy(first, second)
    expected = mmd_written_out(first, second)
    torch.testing.assert_close(value, expected)
    monkeypatch.setattr(mmd, "_PAIRS_AT_ONCE", 1)  # a coordinate at a time
    piecewise = maximum_mean_discrepancy(first, second)
    torch.testing.assert_close(piecewise, expected)
    wanted = torch.autograd.grad(expected, first)[0]
    for one in (value, piecewise):
        torch.testing.assert_close(torch.autograd.grad(one, first)[0], wanted)


def test_mmd_is_near_zero_for_equal_distributions_and_above_for_others():
    same = torch.stack(
        [maximum_mean_discrepancy(drawn(SPARSE, 100, seed=s), drawn(SPARSE, 100, seed=s + 50)) for s in range(20)]
    )
    assert same.mean().abs() < 0.02 and same.min() < 0 < same.max()  # unbiased
    assert maximum_mean_discrepancy(drawn(SPARSE, 100), drawn(FixedPrior(), 100, seed=9)) > 0.5
    assert maximum_mean_discrepancy(drawn(FixedPrior(), 100), drawn(FixedPrior(), 100, seed=9) + 1) > 0.5
    with pytest.raises(ValueError, match="two rows"):
        maximum_mean_discrepancy(torch.randn(1, 3), torch.randn(4, 3))
