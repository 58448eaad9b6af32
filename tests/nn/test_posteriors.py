"""Posteriors that cannot fall onto the prior keep their bounds on the KL."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from hf_arae.losses.gaussian import kl_to_standard_normal
from hf_arae.nn.posteriors import BalancedPosterior, BatchNormPosterior, DeltaPosterior, delta_variances


def small(head: nn.Module, size: float) -> nn.Module:
    """The head with weights of the given size, those of an encoder that tells its sentences hardly apart."""
    torch.manual_seed(0)
    for layer in (head.mean, head.log_variance):
        for parameter in layer.parameters():
            nn.init.normal_(parameter, 0.0, size)
    return head


@pytest.mark.parametrize("size", [1e-3, 1.0])
def test_batch_norm_holds_the_means_square_and_with_it_the_kl(size):
    head = small(BatchNormPosterior(16, 5, scale=0.7), size)
    with torch.no_grad():
        head.offset.copy_(torch.linspace(-1, 1, 5))
    mean, log_variance = head(torch.randn(64, 16) + 3)
    expected = 0.7**2 + head.offset.square()
    torch.testing.assert_close(mean.square().mean(0), expected, rtol=0.02, atol=0)
    assert kl_to_standard_normal(mean, log_variance).sum(1).mean() >= 0.99 * expected.sum() / 2
    assert {name for name, _ in head.named_parameters()} == {
        "mean.weight",
        "log_variance.weight",
        "log_variance.bias",
        "offset",
    }


@pytest.mark.parametrize("size", [1e-3, 1.0])
@pytest.mark.parametrize("theta", [-3.0, 0.0, 3.0])
def test_balanced_codes_have_the_prior_s_mean_and_variance(size, theta):
    head = small(BalancedPosterior(16, 5, min_mean_variance=0.4), size)
    with torch.no_grad():
        head.balance.fill_(theta)
    mean, log_variance = head(torch.randn(64, 16) + 3)
    total = mean.square().mean(0) + log_variance.exp().mean(0)
    torch.testing.assert_close(total, torch.ones(5), rtol=0.03, atol=0)
    torch.testing.assert_close(mean.mean(0), torch.zeros(5), rtol=0, atol=1e-3)
    share = 0.4 + 0.6 / (1 + math.exp(-theta))
    torch.testing.assert_close(mean.square().mean(0), torch.full((5,), share), rtol=0.03, atol=0)
    assert kl_to_standard_normal(mean, log_variance).sum(1).mean() >= 0.99 * 5 * 0.4 / 2


@pytest.mark.parametrize("rate", [0.01, 0.15, 2.0])
def test_no_coordinate_is_nearer_to_the_prior_than_its_delta_rate(rate):
    low, high = delta_variances(rate)
    for variance in (low, high):
        assert (variance - 1 - math.log(variance)) / 2 == pytest.approx(rate)
    assert low < 1 < high
    for size in (0.0, 0.1, 3.0):
        head = small(DeltaPosterior(16, 5, rate), size)
        mean, log_variance = head(torch.randn(200, 16))
        assert kl_to_standard_normal(mean, log_variance).min() >= 0.999 * rate
        assert ((log_variance.exp() > 0.999 * low) & (log_variance.exp() < 1.001 * high)).all()


def test_in_evaluation_a_posterior_does_not_depend_on_the_batch():
    states = torch.randn(64, 16)
    for head in (BatchNormPosterior(16, 5, 0.7), BalancedPosterior(16, 5, 0.5)):
        for _ in range(200):  # of training, in which the statistics are learned
            head.train()(states)
        whole, part = head.eval()(states), head(states[:1])
        for one, other in zip(whole, part, strict=True):
            torch.testing.assert_close(one[:1], other)
        assert whole[0].square().mean(0).min() > 0.9 * (0.7**2 if isinstance(head, BatchNormPosterior) else 0.75)
