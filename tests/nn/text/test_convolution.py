"""Convolutional sequence-to-sequence layers: what a place may see, and what padding may not change."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hf_arae.nn.text.convolution import ConvolutionalDecoder, ConvolutionalEncoder, GatedConvolution, attend
from hf_arae.nn.text.token_log_probs import token_log_probs

WIDTH = 6


def depends_on(function, inputs: torch.Tensor) -> torch.Tensor:
    """Which output places of `(1, places, width)` change with which input places: `(outputs, inputs)` bool."""
    inputs = inputs.clone().requires_grad_()
    outputs = function(inputs)
    rows = [
        torch.autograd.grad(outputs[0, place].sum(), inputs, retain_graph=True)[0] for place in range(len(outputs[0]))
    ]
    return torch.stack([row[0].abs().sum(-1) > 1e-9 for row in rows])


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("causal", [True, False])
def test_a_block_sees_its_kernel(kernel, causal):
    torch.manual_seed(0)
    seen = depends_on(lambda x: GatedConvolution(WIDTH, kernel, causal)(x).square(), torch.randn(1, 9, WIDTH))
    before, after = (kernel - 1, 0) if causal else ((kernel - 1) // 2, kernel // 2)
    for place in range(9):
        expected = [place - before <= other <= place + after for other in range(9)]
        assert seen[place].tolist() == expected


def make(layers=3):
    torch.manual_seed(0)
    return ConvolutionalEncoder(WIDTH, layers, 4).eval(), ConvolutionalDecoder(WIDTH, layers, 3).eval()


def test_the_decoder_never_looks_ahead():
    encoder, decoder = make()
    summary, mask = torch.randn(1, 5, WIDTH), torch.ones(1, 5, dtype=torch.bool)
    seen = depends_on(lambda x: decoder(x, *encoder(summary, mask), mask).square(), torch.randn(1, 8, WIDTH))
    assert torch.equal(seen.triu(1), torch.zeros(8, 8, dtype=torch.bool))
    assert seen.diagonal().all() and seen.diagonal(-1).all()


def test_padding_of_either_side_changes_nothing():
    encoder, decoder = make()
    summary, source = torch.randn(2, 5, WIDTH), torch.randn(2, 8, WIDTH)
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    states = decoder(source, *encoder(summary, mask), mask)
    wide = decoder(
        F.pad(source, (0, 0, 0, 2), value=9.0),
        *encoder(F.pad(summary, (0, 0, 0, 4), value=7.0), F.pad(mask, (0, 4))),
        F.pad(mask, (0, 4)),
    )
    torch.testing.assert_close(wide[:, :8], states)
    alone = torch.ones(1, 3, dtype=torch.bool)
    torch.testing.assert_close(decoder(source[1:], *encoder(summary[1:, :3], alone), alone), states[1:])


def test_attention_is_a_weighted_mean_of_what_is_not_masked():
    torch.manual_seed(0)
    queries, keys, values = torch.randn(2, 3, 4), torch.randn(2, 5, 4), torch.randn(2, 5, 7)
    mask = torch.arange(5) < torch.tensor([[5], [2]])
    read, weights = attend(queries, keys, values, mask)
    by_hand = (queries[1] @ keys[1, :2].T / 2).softmax(-1)
    torch.testing.assert_close(weights[1, :, :2], by_hand)
    assert not weights[1, :, 2:].any()
    torch.testing.assert_close(read[1], by_hand @ values[1, :2])


def test_signals_keep_their_size_through_many_layers():
    encoder, _ = make(layers=12)
    keys, _ = encoder(torch.randn(4, 9, WIDTH), torch.ones(4, 9, dtype=torch.bool))
    assert 0.5 < keys.std() < 2


def test_log_probs_of_words_and_their_gradients(monkeypatch):
    monkeypatch.setattr("hf_arae.nn.text.token_log_probs.CHUNK_ROWS", 3)
    torch.manual_seed(0)
    states, weight, bias = (torch.randn(*shape, requires_grad=True) for shape in ((2, 4, 5), (11, 5), (11,)))
    targets = torch.randint(11, (2, 4))
    targets[1, 2:] = -100
    expected = F.linear(states, weight, bias).log_softmax(-1).gather(2, targets.clamp(min=0).unsqueeze(2)).squeeze(2)
    expected = expected * (targets != -100)
    found = token_log_probs(states, weight, bias, targets)
    torch.testing.assert_close(found, expected)
    by_row = torch.tensor([2.0, -1.0])
    operands = (states, weight, bias)
    gradients = [torch.autograd.grad((value.sum(1) * by_row).sum(), operands) for value in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        torch.testing.assert_close(token_log_probs(states, weight, bias, targets), expected)
