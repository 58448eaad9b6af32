"""EBGAN, its rivals and ladders: the games, whose gradients go where, and what a ladder computes."""

from __future__ import annotations

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from image_mixins import SIZE, ImageFamilyTests, image_rows
from testing_mixins import FamilyTests
from torch.nn import functional as F

from hf_arae import (
    EbganConfig,
    EbganForImageClassification,
    EbganLadderObjective,
    EbganLadderObjectiveArguments,
    EbganModel,
    EbganObjective,
    EbganObjectiveArguments,
)
from hf_arae.losses.pulling_away import pulling_away
from hf_arae.models.ebgan.margin import estimate_margin
from hf_arae.nn.batch_norm import still_statistics

CONV = {
    "image_size": SIZE,
    "latent_size": 5,
    "backbone": "conv",
    "generator_layers": "(8)3c-(1)4c2s",
    "discriminator_layers": "(4)4c2s-(6)3c",
    "discriminator_batch_norm": True,
}
DENSE = {"image_size": SIZE, "latent_size": 5, "generator_layers": "12-10", "discriminator_layers": "8"}
LADDER = DENSE | {"backbone": "ladder", "discriminator_layers": "9-7", "num_labels": 3}
GAMES = ("gan", "lsgan", "wgan_gp")


def make_model(**changes) -> EbganModel:
    torch.manual_seed(0)
    return EbganModel(EbganConfig(**(DENSE | changes)))


def make_objective(model: EbganModel, **settings) -> EbganObjective:
    objective = EbganObjective(model, EbganObjectiveArguments(**settings))
    objective.begin_iteration(0, 3)
    return objective


def buffers(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.named_buffers()}


def moved(module: torch.nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return any(not torch.equal(value, before[name]) for name, value in module.named_buffers())


class TestEbgan(ImageFamilyTests):
    def build_model(self):
        return EbganModel(EbganConfig(**CONV))

    def build_objective(self, model):
        return make_objective(model, margin=3.0, discriminator_steps=2)

    def narrow_config(self, auto_class=None, **changes):
        return EbganConfig(**((LADDER if auto_class == "AutoModelForImageClassification" else CONV) | changes))

    def test_a_run_goes_on_exactly_with_averaged_weights(self, tmp_path):
        straight = self.trainer(tmp_path / "straight", ema_decay=0.9)
        straight.train()
        self.trainer(tmp_path / "stopped", ema_decay=0.9, max_steps=2).train()
        settings = {"resume_from_checkpoint": "last", "resume_with_changes": True}
        resumed = self.trainer(tmp_path / "stopped", ema_decay=0.9, **settings)
        resumed.train()
        for name, value in straight.model.state_dict().items():
            assert torch.equal(value, resumed.model.state_dict()[name]), name
        assert any(not torch.equal(value, straight.model.state_dict()[name]) for name, value in first_weights(self))

    def test_statistics_of_batch_norm_move_in_their_own_phase_alone(self):
        model, batch = self.build_model().train(), self.batch()
        objective = make_objective(model, margin=3.0)
        objective.discriminate(batch)
        own, others = buffers(model.encoder) | buffers(model.decoder), buffers(model.generator)
        fresh = self.build_model()
        assert moved(model.encoder, buffers(fresh.encoder)) and not moved(model.generator, buffers(fresh.generator))
        objective.generate(batch)
        assert moved(model.generator, others) and not moved(model.encoder, own)
        # They are those of the real images alone.
        expected = fresh.train()
        expected.rate(batch["pixel_values"])
        for name, value in expected.encoder.named_buffers():
            torch.testing.assert_close(value, model.encoder.get_buffer(name))


def first_weights(tests: FamilyTests) -> list[tuple[str, torch.Tensor]]:
    torch.manual_seed(0)
    return list(tests.build_model().state_dict().items())


class TestCritic(ImageFamilyTests):
    never_moved = frozenset({"head.bias"})  # a difference of ratings does not have it

    def build_model(self):
        return EbganModel(EbganConfig(**DENSE, num_channels=3, value_range="signed", discriminator="critic"))

    def build_objective(self, model):
        return make_objective(model, game="wgan_gp", discriminator_steps=2)


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
        images = TestEbgan().images(rows)
        return LadderRows(images)


class LadderRows:
    """Images, of which those of a batch's second half are the labelled ones too."""

    def __init__(self, images: torch.Tensor):
        self.images = images

    def batches(self, *arguments):
        source = image_rows(self.images, labels=[row % 3 for row in range(len(self.images))]).batches(*arguments)
        load = source.load

        def with_labels(number: int, rows: list[int]) -> dict[str, torch.Tensor]:
            batch = load(number, rows)
            half = len(batch["labels"]) // 2
            return batch | {
                "labelled_pixel_values": batch["pixel_values"][half:],
                "labels": batch["labels"][half:],
            }

        source.load = with_labels
        return source


def ladder_objective(model: EbganModel, **settings) -> EbganLadderObjective:
    objective = EbganLadderObjective(model, EbganLadderObjectiveArguments(**settings))
    objective.begin_iteration(0, 3)
    return objective


# The game of energies


def test_the_losses_are_those_of_the_equations():
    model, images = make_model().train(), TestEbgan().images(6)
    objective = make_objective(model, margin=4.0, pulling_away_weight=0.7)
    with torch.no_grad(), still_statistics(model.generator):
        fake = model.generator(objective.draw_z(images))
        real_energy, fake_energy = (
            (model.decoder(model.encoder(part)) - part).flatten(1).norm(dim=1) for part in (images, fake)
        )
        expected = (real_energy + (4.0 - fake_energy).clamp(min=0)).mean()
    objective.begin_iteration(0, 3)
    torch.testing.assert_close(objective.discriminate({"pixel_values": images})["loss"], expected)
    objective.begin_iteration(0, 3)
    terms = objective.generate({"pixel_values": images})
    torch.testing.assert_close(terms["pulling_away"], pulling_away(model.encoder(fake)))
    torch.testing.assert_close(terms["loss"], fake_energy.mean() + 0.7 * terms["pulling_away"])


def test_the_generators_gradient_goes_through_both_places():
    model = make_model().eval()
    fake = model.generator(torch.randn(4, 5)).detach().requires_grad_()
    through = torch.autograd.grad(model.rate(fake)[1].sum(), fake)[0]
    rebuilt = model.decoder(model.encoder(fake))
    parts = [
        (rebuilt - fake.detach()).flatten(1).norm(dim=1).sum(),
        (rebuilt.detach() - fake).flatten(1).norm(dim=1).sum(),
    ]
    both = [torch.autograd.grad(part, fake, retain_graph=True)[0] for part in parts]
    assert all(part.abs().max() > 1e-3 for part in both)
    torch.testing.assert_close(through, both[0] + both[1])


def test_the_pulling_away_weight_follows_the_margin_and_the_game():
    assert EbganObjectiveArguments(margin=20.0).weight_of_pulling_away() == pytest.approx(6.0)
    assert EbganObjectiveArguments(pulling_away_weight=0.1).weight_of_pulling_away() == 0.1
    assert EbganObjectiveArguments(game="gan").weight_of_pulling_away() == 0.0


def test_a_batch_of_one_has_no_pair():
    batch = {"pixel_values": TestEbgan().images(1)}
    with pytest.raises(ValueError, match="at least 2"):
        make_objective(make_model().eval()).generate(batch)
    make_objective(make_model().eval(), pulling_away_weight=0.0).generate(batch)


def test_energies_of_each_kind_and_verbs():
    images = TestEbgan().images(3)
    for kind in ("norm", "squared", "mean_squared"):
        model = make_model(energy=kind).eval()
        square = (model.reconstruct(images) - images).square().flatten(1)
        expected = {"norm": square.sum(1).sqrt(), "squared": square.sum(1), "mean_squared": square.mean(1)}[kind]
        torch.testing.assert_close(model.energy(images), expected)
        output = model(images)
        torch.testing.assert_close(output.energy, expected)
        torch.testing.assert_close(output.loss, expected.mean())


def test_a_margin_is_estimated_by_the_discriminator_alone():
    images, model = TestEbgan().images(64), make_model(discriminator_layers="20")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    margin = estimate_margin(model, images, learning_rate=3e-3, batch_size=16, max_epochs=30)
    assert 0 < margin < 0.8 * model.eval().energy(images).mean().item()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(ValueError, match="critic"):
        estimate_margin(make_model(discriminator="critic"), images)


# The rivals


@pytest.mark.parametrize("game", GAMES)
def test_a_rivals_losses(game):
    model, images = make_model(discriminator="critic").eval(), TestEbgan().images(6)
    objective = make_objective(model, game=game)
    with torch.no_grad():
        fake = model.generator(objective.draw_z(images))
    real_f, fake_f = (model.head(model.encoder(part)).squeeze(1) for part in (images, fake))
    torch.testing.assert_close(model.energy(fake), -fake_f)
    if game == "gan":
        ones = torch.ones(6)
        expected = F.binary_cross_entropy_with_logits(real_f, ones)
        expected = expected + F.binary_cross_entropy_with_logits(fake_f, 0 * ones)
        generators = F.binary_cross_entropy_with_logits(fake_f, ones)
    elif game == "lsgan":
        expected = 0.5 * ((real_f - 1).square().mean() + fake_f.square().mean())
        generators = 0.5 * (fake_f - 1).square().mean()
    else:
        share = objective.rand(images[:, :1, :1, :1])
        between = (share * images + (1 - share) * fake).requires_grad_()
        slope = torch.autograd.grad(model.head(model.encoder(between)).sum(), between)[0].flatten(1).norm(dim=1)
        expected = fake_f.mean() - real_f.mean() + 10 * (slope - 1).square().mean()
        generators = -fake_f.mean()
    objective.begin_iteration(0, 3)
    torch.testing.assert_close(objective.discriminate({"pixel_values": images})["loss"], expected)
    objective.begin_iteration(0, 3)
    torch.testing.assert_close(objective.generate({"pixel_values": images})["loss"], generators)


def test_a_critic_has_no_reconstructions():
    model, images = make_model(discriminator="critic").eval(), TestEbgan().images(2)
    assert model(images).reconstruction is None and not model.rebuilds_images
    with pytest.raises(ValueError, match="critic"):
        model.reconstruct(images)


# Networks


@pytest.mark.parametrize(
    ("size", "generator", "discriminator", "code"),
    [
        (28, "(32)7c-(16)4c2s-(3)4c2s", "(8)4c2s-(16)4c2s", 16 * 49),
        (32, "(32)4c-(16)4c2s-(8)4c2s-(3)4c2s", "(4)4c2s-(8)4c2s", 8 * 64),
        (64, "(16)4c-(8)4c2s-(8)4c2s-(8)4c2s-(3)4c2s", "(8)4c2s-(8)4c2s-(16)4c2s", 16 * 64),
        (128, "(8)4c-(8)4c2s-(8)4c2s-(8)4c2s-(8)4c2s-(4)4c2s-(3)3c", "(4)4c2s-(4)4c2s-(4)4c2s-(8)4c2s", 8 * 64),
        (256, "(8)4c-(8)4c2s-(4)4c2s-(4)4c2s-(4)4c2s-(4)4c2s-(4)4c2s-(3)3c", "(4)4c2s-(4)4c2s-(4)4c2s-(8)4c2s", 2048),
    ],
)
@torch.no_grad()
def test_layer_strings_of_all_sizes(size, generator, discriminator, code):
    sizes = {"image_size": size, "num_channels": 3, "value_range": "signed", "backbone": "conv"}
    model = make_model(**sizes, generator_layers=generator, discriminator_layers=discriminator).eval()
    images = model.sample(2, seed=0)
    assert images.shape == (2, 3, size, size)
    assert model.encode(images).shape == (2, code) and code == model.code_size
    assert model.reconstruct(images).shape == images.shape


def test_published_first_weights():
    model = make_model(**CONV | {"generator_layers": "(400)3c-(1)4c2s", "discriminator_layers": "(64)4c2s-(90)3c"})
    for module, std in ((model.generator, 0.02), (model.encoder, 0.002), (model.decoder, 0.002)):
        for layer in module:
            if hasattr(layer, "weight") and layer.weight.dim() == 4:
                assert layer.weight.std().item() == pytest.approx(std, rel=0.2)
                assert layer.bias is None or not layer.bias.any()


# The ladder


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
        (lambda: make_model(backbone="conv"), "layer 1 of '8' is '8'"),
        (lambda: make_model(**CONV | {"generator_layers": "(8)3c-(1)4c2x"}), r"layer 2 of .* is '\(1\)4c2x'"),
        (lambda: make_model(**CONV | {"generator_layers": "(8)3c-(1)4c3s"}), "makes 1 x 9 x 9"),
        (lambda: make_model(**CONV | {"generator_layers": "(8)3c2s-(1)4c2s"}), r"layer 1, \(8\)3c2s"),
        (lambda: make_model(**CONV | {"discriminator_layers": "(4)4c2s-(6)4c2s"}), r"layer 2, \(6\)4c2s, gets 3 x 3"),
        (lambda: make_model(**CONV | {"discriminator_layers": "(4)4c"}), r"layer 1, \(4\)4c, cannot"),
        (lambda: make_model(discriminator_layers="8-x"), "layer 2 of '8-x' is 'x'"),
        (lambda: make_model(generator_layers="(8)4c2s"), "generator_layers: layer 1"),
        (lambda: make_model(dropout=1.0), "dropout"),
        (lambda: make_model(backbone="lstm"), "backbone must be one of mlp"),
        (lambda: make_model(energy="l1"), "energy must be one of norm"),
        (lambda: make_model(backbone="ladder", discriminator="critic"), "cannot be a critic"),
        (lambda: make_model(backbone="ladder", dropout=0.1), "and dropout alone"),
        (lambda: EbganForImageClassification(EbganConfig(**DENSE)), "backbone must be 'ladder'"),
        (lambda: EbganObjectiveArguments(margin=0.0), "margin must lie"),
        (lambda: EbganObjectiveArguments(margin=-1.0), "margin must lie"),
        (lambda: EbganObjectiveArguments(pulling_away_weight=-0.1), "pulling_away_weight must lie"),
        (lambda: EbganObjectiveArguments(game="began"), "game must be one of ebgan"),
        (lambda: make_objective(make_model(), game="gan"), "whose discriminator is 'critic'"),
        (lambda: make_objective(make_model(generator_layers=None)), "without a generator"),
        (lambda: make_objective(TestLadder().build_model()), "EbganLadderObjective"),
        (
            lambda: make_objective(make_model(discriminator="critic", discriminator_batch_norm=True), game="wgan_gp"),
            "discriminator_batch_norm=False",
        ),
        (lambda: make_model(generator_layers=None).images_from_z(torch.zeros(1, 5)), "without a generator"),
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
