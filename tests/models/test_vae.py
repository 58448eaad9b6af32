"""VAE: the bound and its estimates, what keeps the code in use, and what its verbs promise."""

from __future__ import annotations

import math

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from testing_mixins import TextAutoencoderTests
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from hf_arae import VaeConfig, VaeModel
from hf_arae.models.vae.objective_vae import VaeObjective, VaeObjectiveArguments

SIZES = {"vocab_size": 30, "embedding_size": 8, "hidden_size": 12, "code_size": 6, "max_sequence_length": 8}
IDS = torch.tensor([[1, 9, 8, 7, 2], [1, 6, 2, 0, 0], [1, 2, 0, 0, 0]])
BATCH = {"input_ids": IDS, "attention_mask": (IDS != 0).long()}


def make_model(spread: float = 1.0, **changes) -> VaeModel:
    """A model in evaluation mode; `spread` makes sentences' posteriors differ, which are nearly one at first."""
    torch.manual_seed(0)
    model = VaeModel(VaeConfig(**(SIZES | changes))).eval()
    model.posterior_head.mean.weight.data.mul_(spread)
    return model


def objective_at(step: int, model: VaeModel | None = None, **settings) -> VaeObjective:
    objective = VaeObjective(model or make_model(), VaeObjectiveArguments(**settings))
    objective.begin_iteration(step, seed=1)
    return objective


class TestVae(TextAutoencoderTests):
    """Bowman's: annealing and word dropout."""

    def build_model(self):
        return VaeModel(VaeConfig(**SIZES))

    def build_objective(self, model):
        return VaeObjective(model, VaeObjectiveArguments(annealing="linear", beta_start=0.1))


class TestBatchNormVae(TextAutoencoderTests):
    """With one table."""

    def build_model(self):
        return VaeModel(VaeConfig(**SIZES, posterior="batch_norm", share_embeddings=True))

    def build_objective(self, model):
        return VaeObjective(model, VaeObjectiveArguments(annealing="none", optimizer="sgd", learning_rate=0.1))


class TestBalancedVae(TextAutoencoderTests):
    """With every further term of the loss."""

    def build_model(self):
        return VaeModel(VaeConfig(**SIZES, posterior="balanced", bag_of_words_sizes=[7]))

    def build_objective(self, model):
        settings = {"annealing": "cyclical", "annealing_steps": 3, "free_bits": 0.5, "word_dropout": 0.0}
        return VaeObjective(model, VaeObjectiveArguments(bag_of_words_weight=0.5, mmd_weight=2.0, **settings))


# The model


def test_posteriors_do_not_see_padding_and_the_code_is_their_mean():
    model = make_model()
    mean, log_variance = model.posterior(IDS)
    assert mean.shape == log_variance.shape == (3, 6)
    assert torch.equal(model.encode(IDS), mean)
    wide = F.pad(IDS, (0, 4))
    for one, other in zip(model.posterior(wide, (wide != 0).long()), (mean, log_variance), strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(model.posterior(torch.tensor([[1, 6, 2]]))[0][0], mean[1])


@torch.no_grad()
def test_the_bound_is_the_mean_loss_and_torch_s_divergence():
    model = make_model(spread=5.0)
    mean, log_variance = model.posterior(IDS)
    source = torch.Generator().manual_seed(4)
    codes = [mean + (0.5 * log_variance).exp() * torch.randn(3, 6, generator=source) for _ in range(2)]
    losses = [
        [model.reconstruction_loss(code[row : row + 1], IDS[row : row + 1])[0] for row in range(3)] for code in codes
    ]
    reconstruction, divergence = model.elbo(IDS, samples=2, seed=4)
    torch.testing.assert_close(reconstruction, torch.tensor(losses).mean(0))
    posterior = Normal(mean, (0.5 * log_variance).exp())
    torch.testing.assert_close(divergence, kl_divergence(posterior, Normal(0.0, 1.0)).sum(1))
    assert torch.equal(model.elbo(IDS, seed=4)[0], model.elbo(IDS, seed=4)[0])
    assert not torch.equal(model.elbo(IDS, seed=4)[0], model.elbo(IDS, seed=5)[0])


@pytest.mark.parametrize("changes", [{}, {"prior_sparsity": 0.5, "prior_spike_std": 0.3}], ids=["normal", "sparse"])
@torch.no_grad()
def test_the_likelihood_is_that_of_numerical_integration(changes):
    model = make_model(code_size=1, **changes)
    for decoder in model.decoders:
        decoder.lstm.weight_ih_l0[:, -1] *= 5  # codes that matter
    grid = torch.linspace(-8, 8, 4001).unsqueeze(1)
    joint = torch.stack([model.log_probability(grid, row.expand(len(grid), -1)) for row in IDS])
    exact = (joint + model.prior.log_density(grid).sum(1)).logsumexp(1) + math.log(16 / 4000)
    torch.testing.assert_close(model.log_likelihood(IDS, samples=2000, seed=0), exact, atol=0.02, rtol=0)


@torch.no_grad()
def test_more_samples_make_a_higher_likelihood_than_the_bound():
    model, rows = make_model(spread=3.0), IDS[:1].expand(4000, -1)
    bound = [model.log_likelihood(rows, samples=samples, seed=1).mean() for samples in (1, 5, 25)]
    assert bound[0] < bound[1] < bound[2]
    reconstruction, divergence = model.elbo(rows, seed=2)
    assert bound[0] == pytest.approx(-(reconstruction + divergence).mean().item(), abs=0.3)


def test_the_bound_can_be_differentiated():
    model = make_model(bag_of_words_sizes=[])
    sum(part.sum() for part in model.elbo(IDS)).backward()
    missing = {name for name, value in model.named_parameters() if value.grad is None}
    assert missing == {"bag_of_words.layers.0.weight", "bag_of_words.layers.0.bias"}


def test_the_bag_of_words_loss_counts_each_word():
    model = make_model(bag_of_words_sizes=[4])
    code = torch.randn(3, 6)
    shares = model.bag_of_words(code).log_softmax(1)
    words = [(0, 9), (0, 8), (0, 7), (0, 2), (1, 6), (1, 2), (2, 2)]
    torch.testing.assert_close(model.bag_of_words_loss(code, IDS), -sum(shares[row, word] for row, word in words))


def test_samples_are_the_prior_s_and_repeat_with_their_seed():
    model = make_model(prior_sparsity=0.9, prior_spike_std=0.01)
    codes = model.sample_codes(500, torch.Generator().manual_seed(0))
    assert codes.shape == (500, 6) and (codes.abs() < 0.05).float().mean() == pytest.approx(0.9, abs=0.03)
    torch.manual_seed(1)
    first = model.sample(4, seed=5)
    torch.manual_seed(2)
    assert torch.equal(first, model.sample(4, seed=5))
    assert torch.equal(first, model.decode(model.sample_codes(4, torch.Generator().manual_seed(5))))


# The objective


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"annealing": "none", "beta": 0.4}, {0: 0.4, 10**9: 0.4}),
        ({"annealing": "linear", "beta_start": 0.1, "annealing_steps": 100}, {0: 0.1, 50: 0.55, 100: 1.0, 500: 1.0}),
        ({"annealing": "sigmoid", "annealing_steps": 100, "beta": 2.0}, {0: 0.0134, 50: 1.0, 100: 1.9866, 10**9: 2.0}),
        (
            {"annealing": "cyclical", "annealing_steps": 100, "cycles": 2, "rising_share": 0.5},
            {0: 0.0, 25: 0.5, 50: 1.0, 99: 1.0, 100: 0.0, 125: 0.5, 175: 1.0, 200: 1.0, 10**9: 1.0},
        ),
    ],
)
def test_the_weight_of_the_divergence_follows_its_schedule(settings, expected):
    found = {step: objective_at(step, **settings).kl_weight() for step in expected}
    assert found == pytest.approx(expected, abs=1e-4)


def test_the_loss_is_the_sum_of_its_weighted_parts():
    model = make_model(bag_of_words_sizes=[5])
    objective = objective_at(50, model, annealing_steps=100, bag_of_words_weight=0.3, mmd_weight=7.0, beta=0.8)
    terms = objective.bound(BATCH)
    parts = terms["reconstruction"] + 0.4 * terms["kl"] + 0.3 * terms["bag_of_words"] + 7 * terms["mmd"]
    torch.testing.assert_close(terms["loss"], parts)
    assert terms["kl_weight"] == pytest.approx(0.4)
    mean, log_variance = model.posterior(IDS)
    torch.testing.assert_close(
        terms["kl"], kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(1).mean()
    )
    torch.testing.assert_close(terms["reconstruction"] * 3, terms["reconstruction_per_token"] * 7)
    (phase,) = objective.phases()
    assert phase.player == "autoencoder" and phase.max_grad_norm == 5


def test_without_noise_the_reconstruction_is_that_of_forward():
    model = make_model()
    model.posterior_head.log_variance.bias.data.fill_(-50.0)  # no deviation
    terms = objective_at(0, model, word_dropout=0.0).bound(BATCH)
    torch.testing.assert_close(terms["reconstruction_per_token"], model(**BATCH, labels=IDS).loss)


@pytest.mark.parametrize("changes", [{"posterior": "delta"}, {"prior_sparsity": 0.8}], ids=["delta", "sparse"])
def test_every_parameter_is_trained(changes):
    model = make_model(**changes)
    objective_at(5, model).bound(BATCH)["loss"].backward()
    assert not {name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()}


def test_free_bits_make_what_is_below_them_free():
    divergence = torch.tensor([[0.1, 0.3, 0.0, 3.0], [1.0, 0.6, 0.5, 0.7]], requires_grad=True)
    by_coordinate = objective_at(0, free_bits=2.0).charged(divergence)
    assert by_coordinate.tolist() == pytest.approx([0.5 + 0.5 + 0.5 + 3.0, 1.0 + 0.6 + 0.5 + 0.7])
    (gradient,) = torch.autograd.grad(by_coordinate.sum(), divergence)
    assert gradient[0].tolist() == [0, 0, 0, 1] and gradient[1, [0, 1, 3]].tolist() == [1, 1, 1]
    whole = objective_at(0, free_bits=3.0, free_bits_scope="code").charged(divergence)
    assert whole.tolist() == pytest.approx([3.4, 3.0])
    (gradient,) = torch.autograd.grad(whole.sum(), divergence)
    assert gradient.tolist() == [[1] * 4, [0] * 4]
    torch.testing.assert_close(objective_at(0).charged(divergence), divergence.sum(1))


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_words_before_are_dropped_at_the_rate(rate):
    objective = objective_at(0, word_dropout=rate)
    ids = torch.tensor([[1, 9, 8, 7, 6, 2, 0]]).expand(3000, -1)
    given = objective.given_words(ids)
    assert given.shape == (3000, 6) and (given[:, 0] == 1).all() and (given[:, 5] == 2).all()
    dropped = given[:, 1:5] == 3
    assert torch.equal(given[:, 1:5][~dropped], ids[:, 1:5][~dropped])
    assert dropped.float().mean() == pytest.approx(rate, abs=0.02)
    assert objective_at(0, word_dropout=0.0).given_words(ids) is None


def test_a_code_cannot_be_told_from_words_that_are_all_dropped():
    """With every previous word dropped, the loss depends on the words through the code and the targets alone."""
    model = make_model()
    code = torch.randn(1, 6)
    objective = objective_at(0, model, word_dropout=1.0)
    first, second = torch.tensor([[1, 9, 8, 7, 2]]), torch.tensor([[1, 9, 5, 7, 2]])
    given = [objective.given_words(ids) for ids in (first, second)]
    assert torch.equal(*given)
    losses = [
        model.reconstruction_loss(code, ids, None, words)[0] for ids, words in zip((first, second), given, strict=True)
    ]
    assert not torch.isclose(*losses)
    assert torch.equal(
        model.reconstruction_loss(code, first)[0], model.reconstruction_loss(code, first, None, first[:, :-1])[0]
    )


def test_the_mmd_pulls_codes_to_the_prior():
    torch.manual_seed(0)
    model = make_model(prior_sparsity=0.8)
    model.posterior_head.mean.bias.data.fill_(2.0)
    objective = objective_at(0, model, mmd_weight=1.0)
    ids = torch.cat([torch.ones(64, 1), torch.randint(5, 30, (64, 6)), torch.full((64, 1), 2)], 1).long()
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    optimizer, found = torch.optim.Adam(model.posterior_head.parameters(), 0.05), []
    for step in range(60):
        objective.begin_iteration(step, 0)
        optimizer.zero_grad()
        found.append(objective.bound(batch)["mmd"])
        found[-1].backward()
        optimizer.step()
    assert found[0] > 5 and found[-1] < 0.2 * found[0]


def test_batch_norm_keeps_the_divergence_where_it_vanishes_without():
    """A heavy weight on the divergence takes a free posterior to the prior, a batch-normalised one to its bound."""
    left = {}
    for posterior in ("gaussian", "batch_norm"):
        model = make_model(posterior=posterior, batch_norm_scale=0.7).train()
        objective = objective_at(0, model, annealing="none", beta=50.0)
        ids = torch.cat([torch.ones(32, 1), torch.randint(5, 30, (32, 6)), torch.full((32, 1), 2)], 1).long()
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        for step in range(80):
            objective.begin_iteration(step, 0)
            optimizer.zero_grad()
            terms = objective.bound(batch)
            terms["loss"].backward()
            optimizer.step()
        left[posterior] = terms["kl"].item()
    assert left["gaussian"] < 0.2
    assert left["batch_norm"] > 0.99 * 6 * 0.7**2 / 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: VaeConfig(posterior="normal"), "posterior must be one of gaussian, batch_norm, balanced, delta"),
        (lambda: VaeConfig(posterior="balanced", prior_sparsity=0.5), "prior_sparsity=0"),
        (lambda: VaeConfig(batch_norm_scale=0), "batch_norm_scale"),
        (lambda: VaeConfig(min_mean_variance=1.0), r"min_mean_variance must lie in \(0, 1\), got 1"),
        (lambda: VaeConfig(delta_rate=-1.0), "delta_rate"),
        (lambda: VaeConfig(bag_of_words_sizes=[0]), "bag_of_words_sizes"),
        (lambda: VaeConfig(prior_sparsity=1), r"prior_sparsity must lie in \[0, 1\), got 1"),
        (lambda: VaeConfig(prior_spike_std=1.0), r"prior_spike_std must lie in \(0, 1\)"),
        (lambda: VaeConfig(code_size=0), "code_size"),
        (lambda: VaeConfig(latent_size=3), "does not know latent_size"),
        (lambda: VaeConfig(num_attributes=2), "does not know num_attributes"),
        (
            lambda: VaeObjectiveArguments(annealing="cosine"),
            "annealing must be one of none, linear, sigmoid, cyclical",
        ),
        (lambda: VaeObjectiveArguments(free_bits_scope="batch"), "free_bits_scope must be one of coordinate, code"),
        (lambda: VaeObjectiveArguments(optimizer="lion"), "optimizer must be one of adam"),
        (lambda: VaeObjectiveArguments(word_dropout=1.1), r"word_dropout must lie in \[0, 1\], got 1.1"),
        (lambda: VaeObjectiveArguments(learning_rate=0.0), r"learning_rate must lie in \(0, inf\), got 0.0"),
        (lambda: VaeObjectiveArguments(beta=math.nan), r"beta must lie in \[0, inf\), got nan"),
        (lambda: VaeObjectiveArguments(annealing_steps=0), "annealing_steps must lie"),
        (lambda: VaeObjectiveArguments(rising_share=0.0), r"rising_share must lie in \(0, 1\]"),
        (lambda: VaeObjectiveArguments(mmd_weight=-1.0), "mmd_weight must lie"),
        (lambda: objective_at(0, bag_of_words_weight=1.0), "bag_of_words_sizes in the model's config"),
        (lambda: objective_at(0, make_model(unk_token_id=None)), "word_dropout needs unk_token_id"),
        (lambda: objective_at(0, make_model(prior_sparsity=0.5), free_bits=1.0), "free_bits needs prior_sparsity=0"),
        (lambda: make_model().log_likelihood(IDS, samples=0), "samples must be at least 1, got 0"),
        (lambda: make_model().sample(0), "num_samples must be at least 1"),
        (lambda: make_model().generate(), "give input_ids"),
    ],
)
def test_wrong_input_is_refused_with_what_is_accepted(call, message):
    with pytest.raises((ValueError, StrictDataclassClassValidationError), match=message):
        call()
