"""Statistics of clouds of codes, and the Gaussian that is fitted to one."""

from __future__ import annotations

import pytest
import torch

from hf_arae.evaluation.latent_codes import CodeGaussian, code_statistics, sample_codes


def test_statistics_are_mean_norms_and_traces():
    codes = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    found = code_statistics(codes, torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    assert found["code_norm"] == 2.5
    assert found["code_variance"] == pytest.approx(4.5 + 8.0)  # of 3, 0 and of 4, 0
    assert found["drawn_norm"] == 1.0
    assert found["drawn_variance"] == pytest.approx(1.0 + 1 / 3)
    assert code_statistics(codes).keys() == {"code_norm", "code_variance"}


def test_the_trace_is_that_of_the_covariance():
    codes = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    assert code_statistics(codes)["code_variance"] == pytest.approx(codes.T.cov().trace().item(), rel=1e-5)


def test_one_code_has_no_variance():
    with pytest.raises(ValueError, match="at least two"):
        code_statistics(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="at least two"):
        CodeGaussian.fit(torch.zeros(1, 3))


def test_a_fitted_gaussian_draws_codes_with_the_same_moments():
    source = torch.Generator().manual_seed(0)
    codes = torch.randn(4000, 3, generator=source) @ torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 2.0]])
    codes += torch.tensor([1.0, -2.0, 0.0])
    drawn = CodeGaussian.fit(codes).draw(40_000, seed=1)
    assert drawn.dtype == torch.float32
    # Standard errors: 2 / sqrt(40000) of a mean, about 4 * sqrt(2 / 40000) of a variance.
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), codes.T.cov(), atol=0.15, rtol=0)


def test_a_gaussian_of_few_codes_is_flat_and_can_be_drawn_from():
    codes = torch.tensor([[1.0, 0.0, 2.0], [3.0, 0.0, 2.0]])
    drawn = CodeGaussian.fit(codes).draw(100)
    torch.testing.assert_close(drawn[:, 1:], torch.tensor([0.0, 2.0]).expand(100, 2), atol=1e-5, rtol=0)
    assert drawn[:, 0].std() > 0.5


def test_draws_repeat_with_their_seed(transfer_model):
    gaussian = CodeGaussian.fit(torch.randn(20, 4))
    assert torch.equal(gaussian.draw(5, seed=3), gaussian.draw(5, seed=3))
    assert not torch.equal(gaussian.draw(5, seed=3), gaussian.draw(5, seed=4))
    torch.manual_seed(0)
    first = sample_codes(transfer_model, 5, seed=2)
    torch.manual_seed(1)
    assert torch.equal(first, sample_codes(transfer_model, 5, seed=2)) and first.shape == (5, 8)
