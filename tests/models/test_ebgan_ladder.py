"""Ladders of EBGAN-LN, alone and against a generator: what one computes, learns and says of labels."""

from __future__ import annotations

import pytest
import torch
from ebgan_models import (
    DENSE,
    LADDER,
    LadderRows,
    buffers,
    ladder_objective,
    make_model,
    make_objective,
    moved,
    some_images,
)
from huggingface_hub.errors import StrictDataclassClassValidationError
from testing_mixins import FamilyTests
from torch.nn import functional as F

from hf_arae import EbganConfig, EbganForImageClassification, EbganLadderObjectiveArguments, EbganModel


class TestLadder(FamilyTests):
    """The full ladder against a generator."""

    def build_model(self):
        model = EbganForImageClassification(EbganConfig(**LADDER))
        for combinator in model.ladder.combinators:  # at their first values, nothing from above comes through
            torch.nn.init.normal_(combinator.weights, std=0.3)
        return model

    def build_objective(self, model):
        return ladder_objective(model, denoising_cost=[50.0, 1.0, 0.1, 0.1], adversarial_weight=5.0, margin=0.5)

    def data(self, rows: int = 64):
        return LadderRows(some_images(rows))


@torch.no_grad()
def test_a_ladder_by_hand():
    """Two layers, by the formulas; with noise, and each group normalised by itself."""
    tests = TestLadder()
    model = tests.build_model().train()
    ladder, source = model.ladder, torch.Generator().manual_seed(1)
    labelled, images = tests.data().images[:5].flatten(1), tests.data().images[5:13].flatten(1)
    drawn = []

    def noise(like):
        drawn.append(torch.randn(like.shape, generator=source))
        return drawn[-1]

    noisy = ladder.encode(torch.cat([labelled, images]), noise, [5, 8])
    guesses = ladder.decode([one[5:] for one in noisy.laterals], noisy.logits[5:], [8])

    def norm(values):
        return (values - values.mean(0)) / (values.var(0, correction=0) + 1e-5).sqrt()

    laterals = [torch.cat([labelled, images]) + 0.3 * drawn[0]]
    hidden = laterals[0]
    for layer in range(3):
        product = hidden @ ladder.up[layer].weight.T
        z = torch.cat([norm(product[:5]), norm(product[5:])]) + 0.3 * drawn[layer + 1]
        laterals.append(z)
        hidden = (z + ladder.shifts[layer]).relu()
    logits = ladder.scale * (laterals[-1] + ladder.shifts[-1])
    torch.testing.assert_close(noisy.logits, logits)
    above = norm(logits[5:].softmax(1))
    for layer in (3, 2, 1, 0):
        a = ladder.combinators[layer].weights[:, :, 0]  # (5, 2, width): a1 to a5, and a6 to a10
        mean, gain = (a[0] * (a[1] * above[:, None] + a[2]).sigmoid() + a[3] * above[:, None] + a[4]).unbind(1)
        guess = (laterals[layer][5:] - mean) * gain + mean
        torch.testing.assert_close(guesses[layer], guess, atol=1e-4, rtol=1e-4)
        if layer:
            above = norm(guess @ ladder.down[layer - 1].weight.T)


def test_a_ladders_loss_is_the_sum_of_its_parts():
    tests = TestLadder()
    model, batch = tests.build_model().train(), tests.batch()
    objective = ladder_objective(model, denoising_cost=[5.0], adversarial_weight=7.0, margin=9.0)
    terms = objective.discriminate(batch)
    expected = terms["cross_entropy"] + 5 * terms["real_energy"] + 7 * (9 - terms["fake_energy"])
    torch.testing.assert_close(terms["loss"], expected)


def test_the_margin_falls_to_nothing_and_the_generator_rests():
    model = TestLadder().build_model()
    objective = ladder_objective(model, adversarial_weight=5.0, margin=0.4, margin_decay_steps=8)
    margins = []
    for step in range(10):
        objective.begin_iteration(step)
        margins.append(objective.margin())
    assert margins == pytest.approx([0.4 - 0.05 * step for step in range(8)] + [0, 0])
    discriminator, generator = objective.phases()
    assert [generator.runs_at(step) for step in (0, 7, 8, 9)] == [True, True, False, False]
    assert discriminator.runs_at(9) and "fake_energy" not in objective.discriminate(TestLadder().batch())


def test_a_ladder_learns_the_same_with_a_generator_that_has_no_margin():
    """First weights and noise are those of the ladder alone, so that the two can be compared pair by pair."""
    alone, beside = (seeded_ladder(layers) for layers in (None, "12"))
    batch = TestLadder().batch()
    first = ladder_objective(alone.train())
    other = ladder_objective(beside.train(), adversarial_weight=1.0, margin_decay_steps=1)
    for objective in (first, other):
        objective.begin_iteration(1, 3)
    torch.testing.assert_close(first.discriminate(batch)["loss"], other.discriminate(batch)["loss"], rtol=0, atol=0)


def seeded_ladder(generator_layers: str | None) -> EbganModel:
    torch.manual_seed(0)
    return EbganModel(EbganConfig(**(LADDER | {"generator_layers": generator_layers})))


@torch.no_grad()
def test_running_statistics_come_to_those_of_clean_passes():
    tests = TestLadder()
    model, images = tests.build_model().train(), tests.data().images.flatten(1)
    for number in range(1, 5):
        model.ladder.track(images, 1 / number)
    whole = model.ladder.encode(images).logits
    torch.testing.assert_close(model.eval().ladder.encode(images).logits, whole, rtol=0.05, atol=0.05)
    before = buffers(model)
    model.train().ladder.encode(images, torch.randn_like)
    assert not moved(model, before)


@torch.no_grad()
def test_a_ladder_classifies_and_rebuilds():
    model, images = TestLadder().build_model().eval(), TestLadder().data().images[:4]
    labels = torch.tensor([0, 2, 1, 0])
    output = model(pixel_values=images, labels=labels)
    torch.testing.assert_close(output.loss, F.cross_entropy(output.logits, labels))
    assert output.logits.shape == (4, 3)
    assert model.reconstruct(images).shape == images.shape
    torch.testing.assert_close(model.energy(images), (model.reconstruct(images) - images).square().mean((1, 2, 3)))
    with pytest.raises(ValueError, match="each layer"):
        model.decode(model.encode(images))


# Wrong input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_model(backbone="ladder", discriminator="critic"), "cannot be a critic"),
        (lambda: make_model(backbone="ladder", dropout=0.1), "and dropout alone"),
        (lambda: make_model(backbone="ladder", num_labels=1), "at least 2, got 1"),
        (lambda: EbganForImageClassification(EbganConfig(**DENSE)), "backbone must be 'ladder'"),
        (lambda: make_objective(TestLadder().build_model()), "EbganLadderObjective"),
        (lambda: ladder_objective(make_model()), "backbone must be 'ladder'"),
        (lambda: ladder_objective(TestLadder().build_model()), "adversarial_weight"),
        (
            lambda: ladder_objective(TestLadder().build_model(), adversarial_weight=1.0, denoising_cost=[1.0, 2.0]),
            "one for each of 4 layers, got 2",
        ),
        (lambda: EbganLadderObjectiveArguments(margin=0.0), "margin must lie"),
        (lambda: EbganLadderObjectiveArguments(denoising_cost=[]), "denoising_cost"),
    ],
)
def test_wrong_input_is_refused_with_what_is_accepted(call, message):
    with pytest.raises((ValueError, StrictDataclassClassValidationError), match=message):
        call()
