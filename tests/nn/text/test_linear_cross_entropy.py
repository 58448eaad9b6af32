import pytest
import torch
from torch.nn import functional as F

from hf_arae.nn.text import linear_cross_entropy as module
from hf_arae.nn.text.linear_cross_entropy import linear_cross_entropy

VOCABULARY, WIDTH = 13, 5


def make_operands(rows, dtype=torch.float64, scale=1.0):
    torch.manual_seed(rows)
    shapes = ((rows, WIDTH), (VOCABULARY, WIDTH), (VOCABULARY,))
    operands = [(scale * torch.randn(shape, dtype=dtype)).requires_grad_() for shape in shapes]
    return operands, torch.randint(VOCABULARY, (rows,))


def by_torch(operands, targets, ignore_index=-100):
    hidden, weight, bias = operands
    logits = F.linear(hidden, weight, bias).flatten(0, -2)
    return F.cross_entropy(logits, targets.flatten(), ignore_index=ignore_index, reduction="sum")


def assert_equal_to_torch(operands, targets, **arguments):
    total, count = linear_cross_entropy(*operands, targets, **arguments)
    expected = by_torch(operands, targets, **arguments)
    assert count == (targets != arguments.get("ignore_index", -100)).sum()
    torch.testing.assert_close(total, expected)
    # A factor on the loss, such as 1 / count, must reach the gradients.
    ours, theirs = (torch.autograd.grad(0.3 * loss, operands) for loss in (total, expected))
    for name, one, other in zip(("hidden", "weight", "bias"), ours, theirs, strict=True):
        torch.testing.assert_close(one, other, msg=lambda text, name=name: f"gradient of {name}: {text}")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_and_gradients_equal_torch(dtype):
    assert_equal_to_torch(*make_operands(37, dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_table_in_half_precision_has_gradients_in_it(dtype):
    operands, targets = make_operands(37, torch.float32)
    low = [one.detach().to(dtype).requires_grad_() for one in operands]
    loss, _ = module.linear_cross_entropy(*low, targets)
    expected, _ = module.linear_cross_entropy(*operands, targets)
    assert loss.dtype == torch.float32  # a sum over many positions is no number for half precision
    torch.testing.assert_close(loss, expected, rtol=0.02, atol=0)
    gradients = (torch.autograd.grad(one, parts) for one, parts in ((loss, low), (expected, operands)))
    for ours, theirs in zip(*gradients, strict=True):
        assert ours.dtype == dtype
        assert (ours - theirs).norm() < 0.05 * theirs.norm()


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 15, 16, 17, 31])
def test_boundaries_of_the_chunks(monkeypatch, rows):
    monkeypatch.setattr(module, "CHUNK_ROWS", 8)
    assert_equal_to_torch(*make_operands(rows))


def test_more_rows_than_a_real_chunk():
    assert_equal_to_torch(*make_operands(2 * module.CHUNK_ROWS + 3))


def test_leading_dimensions():
    operands, targets = make_operands(12)
    hidden = operands[0].detach().view(3, 4, WIDTH).requires_grad_()
    assert_equal_to_torch([hidden, *operands[1:]], targets.view(3, 4))


@pytest.mark.parametrize("ignore_index", [-100, 0])
def test_ignored_positions_do_not_count(ignore_index):
    operands, targets = make_operands(20)
    targets[::3] = ignore_index
    assert_equal_to_torch(operands, targets, ignore_index=ignore_index)
    total, _ = linear_cross_entropy(*operands, targets, ignore_index=ignore_index)
    (gradient,) = torch.autograd.grad(total, operands[0])
    assert not gradient[targets == ignore_index].any()


def test_nothing_counted_is_zero_with_zero_gradients():
    operands, targets = make_operands(4)
    total, count = linear_cross_entropy(*operands, torch.full_like(targets, -100))
    assert (total.item(), count) == (0.0, 0)
    assert all(not gradient.any() for gradient in torch.autograd.grad(total, operands))


def test_large_logits_stay_finite():
    assert_equal_to_torch(*make_operands(9, torch.float32, scale=100.0))


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_gradient_of_one_operand_alone(wanted):
    operands, targets = make_operands(9)
    chosen = [operand if place == wanted else operand.detach() for place, operand in enumerate(operands)]
    (ours,) = torch.autograd.grad(linear_cross_entropy(*chosen, targets)[0], operands[wanted])
    (theirs,) = torch.autograd.grad(by_torch(operands, targets), operands[wanted])
    torch.testing.assert_close(ours, theirs)


def test_without_gradients():
    operands, targets = make_operands(9)
    expected = by_torch(operands, targets)
    with torch.no_grad():
        total, _ = linear_cross_entropy(*operands, targets)
    assert not total.requires_grad
    torch.testing.assert_close(total, expected)
    total, _ = linear_cross_entropy(*(operand.detach() for operand in operands), targets)
    assert not total.requires_grad
    torch.testing.assert_close(total, expected)


def test_no_gradient_is_made_under_no_grad(monkeypatch):
    operands, targets = make_operands(9)
    needs = []
    forward = module._LinearCrossEntropy.forward
    monkeypatch.setattr(
        module._LinearCrossEntropy,
        "forward",
        staticmethod(lambda ctx, *rest: (needs.append(ctx.needs_input_grad[:3]), forward(ctx, *rest))[1]),
    )
    with torch.no_grad():
        linear_cross_entropy(*operands, targets)
    linear_cross_entropy(*operands, targets)
    assert needs == [(False, False, False), (True, True, True)]


def test_autocast_is_within_the_tolerance_of_bfloat16():
    operands, targets = make_operands(200, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        total, count = linear_cross_entropy(*operands, targets)
    expected = by_torch(operands, targets)
    assert total.dtype == torch.float32 and count == 200
    torch.testing.assert_close(total, expected, rtol=0.01, atol=0)
    ours, theirs = torch.autograd.grad(total, operands), torch.autograd.grad(expected, operands)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 0.02 * other.norm()


def test_autocast_takes_bfloat16_states():
    operands, targets = make_operands(9, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = F.linear(operands[0], torch.eye(WIDTH))
        assert hidden.dtype == torch.bfloat16
        total, _ = linear_cross_entropy(hidden, *operands[1:], targets)
    (gradient,) = torch.autograd.grad(total, operands[0])
    assert torch.isfinite(gradient).all() and gradient.any()


def test_a_target_outside_the_vocabulary_is_refused():
    operands, targets = make_operands(4)
    targets[2] = VOCABULARY
    with pytest.raises(RuntimeError, match="out of bounds"):
        linear_cross_entropy(*operands, targets)
