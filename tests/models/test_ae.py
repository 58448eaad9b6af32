"""The plain autoencoder: what it lacks, and its noise on codes and on words."""

from __future__ import annotations

import pytest
import torch
from testing_mixins import TextAutoencoderTests

from hf_arae import AeConfig, AeModel, AeObjective, AeObjectiveArguments

SIZES = {"vocab_size": 30, "embedding_size": 8, "hidden_size": 12, "code_size": 6, "max_sequence_length": 8}


class TestAe(TextAutoencoderTests):
    attributes, samples = 2, False

    def build_model(self):
        return AeModel(AeConfig(**SIZES, encoder_size=10, num_attributes=2))

    def build_objective(self, model):
        return AeObjective(model, AeObjectiveArguments(word_deletion=0.3, shuffle_distance=2))

    def test_it_draws_no_codes(self, model):
        assert not model.draws_codes
        for call in (model.sample, model.sample_codes):
            with pytest.raises(ValueError, match="AeModel draws no codes"):
                call(2)

    def test_noise_on_codes_falls_and_moves_the_loss(self):
        model, batch = self.build_model().eval(), self.batch()
        losses = {}
        for noise in (0.0, 1.0):
            objective = AeObjective(model, AeObjectiveArguments(noise_std=noise, noise_decay=0.5, noise_decay_steps=2))
            objective.begin_iteration(4)
            assert objective.noise_std() == noise / 4
            losses[noise] = objective.reconstruct(batch)["loss"]
        clean = model(batch["input_ids"], labels=batch["input_ids"], attribute=batch["attribute"]).loss
        torch.testing.assert_close(losses[0.0], clean)
        assert not torch.isclose(losses[1.0], clean)


@pytest.mark.parametrize(
    "wrong",
    [{"noise_std": -1.0}, {"word_deletion": 1.0}, {"shuffle_distance": -1}, {"autoencoder_schedule": "step"}],
    ids=str,
)
def test_wrong_settings_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AeObjectiveArguments(**wrong)
