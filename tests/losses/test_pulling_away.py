"""The pulling-away term on codes made by hand."""

from __future__ import annotations

import pytest
import torch

from hf_arae.losses.pulling_away import pulling_away


def test_orthogonal_parallel_and_repeated_codes():
    assert pulling_away(torch.eye(5, 8)).item() == 0.0
    parallel = torch.tensor([[1.0, 2, 3]]) * torch.tensor([[1.0], [2], [-0.5], [7]])
    assert pulling_away(parallel).item() == pytest.approx(1.0)
    for copies in (1, 2, 5):
        codes = torch.eye(2, 3).repeat(copies, 1)
        assert pulling_away(codes).item() == pytest.approx((copies - 1) / (2 * copies - 1))


def test_it_is_the_formula():
    codes = torch.randn(6, 4, dtype=torch.float64)
    total = sum(
        (codes[i] @ codes[j] / (codes[i].norm() * codes[j].norm())) ** 2 for i in range(6) for j in range(6) if i != j
    )
    torch.testing.assert_close(pulling_away(codes), total / 30)


def test_scale_and_order_of_rows_change_nothing():
    codes = torch.randn(6, 4)
    for other in (codes[torch.randperm(6)], codes * torch.tensor([[1e-3], [1], [5], [70], [-2], [1e3]]), 9 * codes):
        torch.testing.assert_close(pulling_away(other), pulling_away(codes))


def test_a_code_of_zeros_is_orthogonal_to_all():
    codes = torch.tensor([[0.0, 0], [1, 0], [1, 0]], requires_grad=True)
    loss = pulling_away(codes)
    assert loss.item() == pytest.approx(1 / 3)
    loss.backward()
    assert torch.isfinite(codes.grad).all()
    assert pulling_away(torch.zeros(4, 3)).item() == 0.0


def test_its_gradient_spreads_codes():
    codes = torch.nn.Parameter(torch.ones(4, 8) + 0.1 * torch.randn(4, 8))
    optimizer = torch.optim.SGD([codes], 1.0)
    for _ in range(200):
        optimizer.zero_grad()
        pulling_away(codes).backward()
        optimizer.step()
    assert pulling_away(codes).item() < 0.01


def test_one_image_has_no_pair():
    with pytest.raises(ValueError, match="at least 2, got 1"):
        pulling_away(torch.ones(1, 3))
