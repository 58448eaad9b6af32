"""Mutual information and active units of known posteriors, and the statistics of a model."""

from __future__ import annotations

import math

import pytest
import torch
from testing_mixins import made_up_sentences

from hf_arae import VaeConfig, VaeModel
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.evaluation.posterior import active_units, mutual_information, posterior_statistics


def test_posteriors_that_are_all_one_hold_no_information():
    mean, log_variance = torch.randn(1, 6).expand(50, -1), torch.randn(1, 6).expand(50, -1)
    assert mutual_information(mean, log_variance) == pytest.approx(0, abs=1e-9)
    assert active_units(mean) == 0


def test_posteriors_apart_from_one_another_tell_which_sentence_it_is():
    mean, log_variance = 100.0 * torch.arange(50.0).unsqueeze(1).expand(-1, 3), torch.zeros(50, 3)
    assert mutual_information(mean, log_variance) == pytest.approx(math.log(50))


def test_mutual_information_is_that_of_a_gaussian_channel():
    """z = m + n with m ~ N(0, 1), n ~ N(0, v): I = log(1 + 1 / v) / 2 a coordinate."""
    torch.manual_seed(0)
    mean, variance = torch.randn(3000, 2), 0.5
    estimate = mutual_information(mean, torch.full_like(mean, math.log(variance)))
    assert estimate == pytest.approx(math.log(1 + 1 / variance), abs=0.05)


def test_active_units_vary_over_sentences():
    torch.manual_seed(0)
    assert active_units(torch.randn(500, 4) * torch.tensor([1.0, 0.2, 0.05, 0.0]) + 3) == 2
    assert active_units(torch.randn(500, 4) * 0.2, active_variance=0.1) == 0


@pytest.fixture(scope="module")
def model() -> VaeModel:
    torch.manual_seed(0)
    model = VaeModel(VaeConfig(vocab_size=30, embedding_size=6, hidden_size=8, code_size=5)).train()
    model.posterior_head.mean.weight.data.mul_(20)  # sentences that can be told apart
    return model


def test_statistics_are_means_of_the_model_s_bounds(model):
    rows = made_up_sentences(40, attributes=1)
    found = posterior_statistics(model, rows, samples=20, batch_size=16)
    assert model.training and set(found) == {"nll", "reconstruction_nll", "kl", "mi", "au"}
    assert found == posterior_statistics(model, TokenArrays(rows, 0), samples=20, batch_size=16)
    assert found["nll"] < found["reconstruction_nll"] + found["kl"]
    batch = TokenArrays(rows, 0).__getitems__(range(40))
    reconstruction, divergence = model.elbo(batch["input_ids"], samples=50, seed=0)
    assert found["kl"] == pytest.approx(divergence.mean().item(), rel=1e-5)
    assert found["reconstruction_nll"] == pytest.approx(reconstruction.mean().item(), rel=0.05)
    assert found["au"] == active_units(model.encode(batch["input_ids"]))
    assert 0.3 < found["mi"] < math.log(40)
    with pytest.raises(ValueError, match="two sentences or more, got 1"):
        posterior_statistics(model, rows.select([0]))
