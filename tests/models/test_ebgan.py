"""EBGAN and its rivals: the games, whose gradients go where, and networks from layer strings."""

from __future__ import annotations

import pytest
import torch
from ebgan_models import CONV, DENSE, LADDER, buffers, make_model, make_objective, moved, some_images
from huggingface_hub.errors import StrictDataclassClassValidationError
from image_mixins import ImageFamilyTests
from testing_mixins import FamilyTests
from torch.nn import functional as F

from hf_arae import EbganConfig, EbganModel, EbganObjectiveArguments
from hf_arae.losses.energy import highest_energy, reconstruction_energy
from hf_arae.losses.pulling_away import pulling_away
from hf_arae.models.ebgan.margin import estimate_margin
from hf_arae.nn.batch_norm import still_statistics

GAMES = ("gan", "lsgan", "wgan_gp")


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


# The game of energies


def test_the_losses_are_those_of_the_equations():
    model, images = make_model().train(), some_images(6)
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
    batch = {"pixel_values": some_images(1)}
    with pytest.raises(ValueError, match="at least 2"):
        make_objective(make_model().eval()).generate(batch)
    make_objective(make_model().eval(), pulling_away_weight=0.0).generate(batch)


def test_energies_of_each_kind_and_verbs():
    images = some_images(3)
    for kind in ("norm", "squared", "mean_squared"):
        model = make_model(energy=kind).eval()
        square = (model.reconstruct(images) - images).square().flatten(1)
        expected = {"norm": square.sum(1).sqrt(), "squared": square.sum(1), "mean_squared": square.mean(1)}[kind]
        torch.testing.assert_close(model.energy(images), expected)
        output = model(images)
        torch.testing.assert_close(output.energy, expected)
        torch.testing.assert_close(output.loss, expected.mean())


def test_a_margin_is_estimated_by_the_discriminator_alone():
    images, model = some_images(64), make_model(discriminator_layers="20")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    margin = estimate_margin(model, images, learning_rate=3e-3, batch_size=16, max_epochs=30)
    assert 0 < margin < 0.8 * model.eval().energy(images).mean().item()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    normed = make_model(discriminator_layers="8-8", discriminator_batch_norm=True)
    assert estimate_margin(normed, images[:17], batch_size=16, max_epochs=1) > 0  # one image is left over
    with pytest.raises(ValueError, match="critic"):
        estimate_margin(make_model(discriminator="critic"), images)
    for wrong in ({"batch_size": 1}, {"max_epochs": 0}, {"images": images[:1]}, {"images": 255 * images}):
        with pytest.raises(ValueError):
            estimate_margin(model, **({"images": images} | wrong))


@pytest.mark.parametrize(
    ("energy", "margin", "reached"),
    [("norm", 5.9, True), ("norm", 6.0, False), ("squared", 35.0, True), ("mean_squared", 10.0, False)],
)
def test_a_margin_that_no_energy_reaches_is_named(energy, margin, reached, warnings):
    """Six by six pixels in [0, 1] differ by a norm of 6 at most."""
    make_objective(make_model(energy=energy), margin=margin)
    assert ("out of reach" in warnings.text) != reached
    worst = reconstruction_energy(torch.zeros(1, 36), torch.ones(1, 36), energy)
    torch.testing.assert_close(worst, torch.tensor([highest_energy(energy, 36, 1.0)]))


# The rivals


@pytest.mark.parametrize("game", GAMES)
def test_a_rivals_losses(game):
    model, images = make_model(discriminator="critic").eval(), some_images(6)
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
    model, images = make_model(discriminator="critic").eval(), some_images(2)
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
        (lambda: make_model(discriminator_layers=8), "discriminator_layers: layers are written as a string"),
        (lambda: make_model(dropout=1.0), "dropout"),
        (lambda: make_model(backbone="lstm"), "backbone must be one of mlp"),
        (lambda: make_model(energy="l1"), "energy must be one of norm"),
        (lambda: EbganObjectiveArguments(margin=0.0), "margin must lie"),
        (lambda: EbganObjectiveArguments(margin=-1.0), "margin must lie"),
        (lambda: EbganObjectiveArguments(pulling_away_weight=-0.1), "pulling_away_weight must lie"),
        (lambda: EbganObjectiveArguments(game="began"), "game must be one of ebgan"),
        (lambda: make_objective(make_model(), game="gan"), "whose discriminator is 'critic'"),
        (lambda: make_objective(make_model(generator_layers=None)), "without a generator"),
        (
            lambda: make_objective(make_model(discriminator="critic", discriminator_batch_norm=True), game="wgan_gp"),
            "discriminator_batch_norm=False",
        ),
        (lambda: make_model(generator_layers=None).images_from_z(torch.zeros(1, 5)), "without a generator"),
    ],
)
def test_wrong_input_is_refused_with_what_is_accepted(call, message):
    with pytest.raises((ValueError, StrictDataclassClassValidationError), match=message):
        call()
