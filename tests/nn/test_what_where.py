"""Pooling that keeps what and where: its limits, what comes back, and where gradients go."""

from __future__ import annotations

import pytest
import torch

from hf_arae.nn.image.what_where import pool, unpool


def maps(rows: int = 2, size: int = 6, seed: int = 0) -> torch.Tensor:
    """Positive numbers, no two of them alike."""
    source = torch.Generator().manual_seed(seed)
    return torch.randperm(rows * 3 * size * size, generator=source).view(rows, 3, size, size) / 50.0 + 0.1


def places(switches: torch.Tensor, width: int, size: int) -> torch.Tensor:
    """Switches as coordinates in their square, as phases are: `(rows, maps, 2, height, width)` in [-1, 1]."""
    row, column = switches // width % size, switches % width % size
    return torch.stack([column, row], 2).float() * 2 / (size - 1) - 1


@pytest.mark.parametrize("size", [2, 3])
def test_a_large_beta_is_maximum_and_switches(size):
    given = maps()
    what, where = pool(given, size, "switches")
    soft, phase = pool(given, size, "phase", beta=1e4)
    torch.testing.assert_close(soft, what)
    torch.testing.assert_close(phase, places(where, 6, size))
    torch.testing.assert_close(
        unpool(soft, phase, size, "phase", (6, 6)), unpool(what, where, size, "switches", (6, 6))
    )


@pytest.mark.parametrize("size", [2, 3])
def test_a_beta_of_0_is_mean_and_middle(size):
    what, where = pool(maps(), size, "phase", beta=0.0)
    torch.testing.assert_close(what, torch.nn.functional.avg_pool2d(maps(), size))
    torch.testing.assert_close(where, torch.zeros_like(where))


def test_equations_of_the_soft_maximum_by_hand():
    given, beta = maps(1), 0.7
    what, where = pool(given, 3, "phase", beta)
    for row, column in ((0, 0), (1, 1), (0, 1)):
        square = given[0, 2, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
        shares = (beta * square).exp() / (beta * square).exp().sum()
        side = torch.tensor([-1.0, 0.0, 1.0])
        torch.testing.assert_close(what[0, 2, row, column], (square * shares).sum())
        torch.testing.assert_close(where[0, 2, 0, row, column], (shares * side).sum())
        torch.testing.assert_close(where[0, 2, 1, row, column], (shares * side[:, None]).sum())


@pytest.mark.parametrize("size", [2, 3, 4])
def test_what_comes_back_of_a_phase_sums_to_the_what(size):
    given = maps(size=12)
    what, where = pool(given, size, "phase", beta=0.3)
    back = unpool(what, where, size, "phase", (12, 12))
    sums = back.unflatten(3, (12 // size, size)).unflatten(2, (12 // size, size)).sum((3, 5))
    torch.testing.assert_close(sums, what)


@pytest.mark.parametrize("where", ["switches", "phase"])
def test_one_pixel_a_square_comes_back_as_it_was(where):
    given = torch.zeros(1, 1, 6, 6)
    for row, column in ((0, 1), (1, 5), (3, 3), (5, 4)):
        given[0, 0, row, column] = 1.0 + row
    back = unpool(*pool(given, 2, where, beta=1e4), 2, where, (6, 6))
    torch.testing.assert_close(back, given)


def test_without_a_where_the_value_is_everywhere():
    what, where = pool(maps(), 3, "none")
    assert where is None
    torch.testing.assert_close(what, pool(maps(), 3, "switches")[0])
    back = unpool(what, None, 3, "none", (6, 6))
    torch.testing.assert_close(back, what.repeat_interleave(3, 2).repeat_interleave(3, 3))


@pytest.mark.parametrize("where", ["switches", "phase", "none"])
def test_rows_and_columns_left_over_are_dropped_and_come_back_as_nothing(where):
    given = maps(size=7)
    what, found = pool(given, 3, where)
    assert what.shape[-2:] == (2, 2)
    changed = given.clone()
    changed[..., 6:, :] = changed[..., 6:] = 1e3
    torch.testing.assert_close(pool(changed, 3, where)[0], what)
    back = unpool(what, found, 3, where, (7, 7))
    assert back.shape == given.shape and not back[..., 6:, :].any() and not back[..., 6:].any()
    assert back[..., :6, :6].any()


def test_of_equal_values_the_first_is_kept():
    _, where = pool(torch.ones(1, 2, 4, 4), 2, "switches")
    assert where.tolist() == [[[[0, 2], [8, 10]]] * 2]
    # The same where channels lie side by side in memory, as on the way through a network.
    _, other = pool(torch.ones(1, 2, 4, 4).contiguous(memory_format=torch.channels_last), 2, "switches")
    assert torch.equal(where, other)


def plain_phases(given: torch.Tensor, size: int, beta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Equations 6.3 and 6.4, whose gradients autograd finds."""
    height, width = (side // size for side in given.shape[2:])
    squares = given[..., : height * size, : width * size].unflatten(3, (width, size)).unflatten(2, (height, size))
    squares = squares.permute(0, 1, 2, 4, 3, 5).flatten(4)
    shares = (beta * squares).softmax(4)
    side = torch.linspace(-1, 1, size, dtype=given.dtype)
    where = [(shares * one).sum(4) for one in (side.repeat(size), side.repeat_interleave(size))]
    return (squares * shares).sum(4), torch.stack(where, 2)


@pytest.mark.parametrize(("size", "height", "width"), [(2, 4, 6), (3, 7, 8), (4, 4, 4)])
def test_gradients_go_through_value_and_place(size, height, width):
    given = torch.randn(2, 3, height, width, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda one: pool(one, size, "phase", 0.5), (given,))
    what, where = (one.detach().requires_grad_() for one in pool(given, size, "phase", 0.5))
    assert torch.autograd.gradcheck(lambda *one: unpool(*one, size, "phase", (height, width)), (what, where))
    unpool(what, where, size, "phase", (height, width)).square().sum().backward()
    assert what.grad.abs().min() > 0 and where.grad.abs().max() > 0


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_phases_and_their_gradients_are_those_of_the_equations(layout, kind):
    source, exact = torch.Generator().manual_seed(0), torch.float64
    given = torch.randn(2, 3, 8, 9, generator=source).to(kind, memory_format=layout).requires_grad_()
    plain = given.detach().to(exact).requires_grad_()
    found, wanted = pool(given, 4, "phase", 3.0), plain_phases(plain, 4, 3.0)
    assert found[0].dtype == kind and found[1].dtype == (exact if kind == exact else torch.float32)
    near = {"rtol": 2e-2, "atol": 2e-2} if kind.itemsize == 2 else {"rtol": 1e-4, "atol": 1e-5}
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.to(exact), other, **near)
    weights = [torch.randn(one.shape, generator=source).to(one.dtype) for one in found]
    (slope,) = torch.autograd.grad(found, given, weights)
    (plain_slope,) = torch.autograd.grad(wanted, plain, [one.to(exact) for one in weights])
    torch.testing.assert_close(slope.to(exact), plain_slope, **near)


def test_a_gradient_of_the_value_or_of_the_place_alone_is_found():
    given = maps(1, 4).requires_grad_()
    for place in (0, 1):
        (slope,) = torch.autograd.grad(pool(given, 2, "phase", 0.5)[place].sum(), given)
        (plain,) = torch.autograd.grad(plain_phases(given, 2, 0.5)[place].sum(), given)
        torch.testing.assert_close(slope, plain)


@pytest.mark.parametrize("where", ["switches", "phase", "none"])
def test_maps_stay_in_the_layout_in_which_networks_are_fast(where):
    given = maps(size=7).contiguous(memory_format=torch.channels_last).requires_grad_()
    what, found = pool(given, 2, where)
    back = unpool(what, found, 2, where, (7, 7))
    (slope,) = torch.autograd.grad(back.sum(), given)
    for one in (what, back, slope):
        assert one.is_contiguous(memory_format=torch.channels_last)


def test_a_pooling_larger_than_its_map_is_refused():
    with pytest.raises(ValueError, match="larger"):
        pool(maps(), 7, "switches")
