"""ARAE of images: its players, its settings, and the published ones."""

from __future__ import annotations

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from image_mixins import SIZE, ImageFamilyTests

from hf_arae import (
    AeImageObjectiveArguments,
    AraeImageConfig,
    AraeImageModel,
    AraeImageObjective,
    AraeImageObjectiveArguments,
)

SIZES = {"image_size": SIZE, "encoder_sizes": [12, 8], "decoder_sizes": [8, 12], "code_size": 5}
SIZES |= {"latent_size": 3, "generator_sizes": [6], "critic_sizes": [7, 6]}
# A constant added to the critic's outputs cancels in their difference.
CRITIC_OFFSET = frozenset({"critic.layers.4.bias"})


class TestAraeImage(ImageFamilyTests):
    never_moved = CRITIC_OFFSET

    def build_model(self):
        return AraeImageModel(AraeImageConfig(**SIZES))

    def build_objective(self, model):
        return AraeImageObjective(model, AraeImageObjectiveArguments(critic_steps=2, encoder_steps=2))


class TestPublishedAraeImage(ImageFamilyTests):
    """Weight clipping, batch norm in the critic, nothing amplified, signed values."""

    never_moved = frozenset({"critic.layers.5.bias"})

    def build_model(self):
        settings = {"critic_batch_norm": True, "amplify_code": False, "amplify_adversary": False}
        return AraeImageModel(AraeImageConfig(**SIZES, **settings, value_range="signed", adversary_init_std=0.02))

    def build_objective(self, model):
        settings = {"lipschitz": "weight_clipping", "weight_clip": 0.05, "critic_steps": 2, "adversary_beta1": 0.9}
        settings |= {"encoder_learning_rate": 0.0}  # the encoder's own updates are the autoencoder's optimizer's
        return AraeImageObjective(model, AraeImageObjectiveArguments(**settings, noise_std=0.4, noise_decay=0.99))


def test_the_encoder_s_own_phase_leaves_the_decoder_alone(tmp_path):
    """Momentum of the reconstruction would move it, if the phase made an update of the whole autoencoder."""
    trainer = TestAraeImage().trainer(tmp_path)
    batch = TestAraeImage().batch()
    phases = {phase.name: phase for phase in trainer.phases}
    for name in ("autoencoder", "critic"):
        trainer.run_phase(phases[name], batch)
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.run_phase(phases["encoder"], batch)
    moved = {name for name, value in trainer.model.named_parameters() if not torch.equal(value, before[name])}
    assert moved and all(name.startswith("encoder.") for name in moved)


@torch.no_grad()
def test_generated_codes_are_bounded_and_decoded_as_they_are():
    model = TestAraeImage().build_model().eval()
    z = 100 * torch.randn(8, 3)
    codes = model.generate_codes(z)
    assert codes.abs().max() <= 1
    torch.testing.assert_close(model.images_from_z(z), model.decode(codes))


def test_a_gradient_penalty_is_refused_for_a_critic_with_batch_norm():
    model = AraeImageModel(AraeImageConfig(**SIZES, critic_batch_norm=True))
    with pytest.raises(ValueError, match="critic_batch_norm"):
        AraeImageObjective(model)


def test_the_first_weights_of_the_adversary_are_as_told():
    torch.manual_seed(0)
    model = AraeImageModel(AraeImageConfig(image_size=SIZE, adversary_init_std=0.02))
    for part in (model.critic, model.generator):
        assert part.layers[0].weight.std().item() == pytest.approx(0.02, rel=0.1)
        assert not part.output_layer.bias.any()
    assert model.encoder.layers[0].weight.std() > 0.05


@pytest.mark.parametrize("wrong", [{"latent_size": 0}, {"critic_sizes": [0]}, {"adversary_init_std": 0.0}], ids=str)
def test_wrong_sizes_are_refused_by_name(wrong):
    with pytest.raises(StrictDataclassClassValidationError, match=next(iter(wrong))):
        AraeImageConfig(**SIZES | wrong)


@pytest.mark.parametrize("wrong", [{"encoder_steps": 0}, {"adversary_beta1": 1.0}, {"critic_scale": -1.0}], ids=str)
def test_wrong_settings_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AraeImageObjectiveArguments(**wrong)


def test_the_autoencoder_is_trained_as_the_plain_one():
    ours, plain = AraeImageObjectiveArguments(), AeImageObjectiveArguments()
    assert {name: getattr(ours, name) for name in vars(plain)} == vars(plain)
