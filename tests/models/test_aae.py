"""AAE: the two sides of its game, and the noise of its denoising variant."""

from __future__ import annotations

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from testing_mixins import TextAutoencoderTests
from torch.nn import functional as F

from hf_arae import AaeConfig, AaeModel, AaeObjective, AaeObjectiveArguments
from hf_arae.models.recurrent.disturbed_words import disturb_words

SIZES = {"vocab_size": 30, "embedding_size": 8, "hidden_size": 12, "code_size": 6, "max_sequence_length": 8}
IDS = torch.tensor([[1, 9, 8, 7, 2], [1, 6, 2, 0, 0], [1, 2, 0, 0, 0]])
BATCH = {"input_ids": IDS, "attention_mask": (IDS != 0).long()}


def make_model(**changes) -> AaeModel:
    torch.manual_seed(0)
    return AaeModel(AaeConfig(**SIZES, discriminator_sizes=[16], **changes))


def make_objective(model: AaeModel, **settings) -> AaeObjective:
    objective = AaeObjective(model, AaeObjectiveArguments(**settings))
    objective.begin_iteration(0, 3)
    return objective


class TestAae(TextAutoencoderTests):
    def build_model(self):
        return make_model(prior_sparsity=0.5, share_embeddings=True)

    def build_objective(self, model):
        return make_objective(model, discriminator_steps=2, word_deletion=0.3, shuffle_distance=3)


def test_the_discriminator_learns_to_tell_codes_from_draws_and_the_encoder_to_be_taken_for_one():
    """On fixed sides: against a cloud far from the prior the discriminator wins; then the encoder's codes move."""
    model = make_model().eval()
    model.code_head.layers[0].bias.data.fill_(3.0)
    objective = make_objective(model, adversarial_weight=1.0)
    ids = torch.cat([torch.ones(64, 1), torch.randint(5, 30, (64, 6)), torch.full((64, 1), 2)], 1).long()
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    discriminator = torch.optim.Adam(model.discriminator.parameters(), 0.01)
    for step in range(100):
        objective.begin_iteration(step)
        discriminator.zero_grad()
        won = objective.discriminate(batch)
        won["loss"].backward(inputs=list(model.discriminator.parameters()))
        discriminator.step()
    assert won["accuracy"] > 0.95 and won["loss"] < 0.4
    head = torch.optim.Adam(model.code_head.parameters(), 0.02)
    confusion = []
    for step in range(100):
        objective.begin_iteration(step)
        head.zero_grad()
        terms = objective.reconstruct(batch)
        terms["adversarial_loss"].backward()
        head.step()
        confusion.append(terms["adversarial_loss"].item())
    assert confusion[-1] < 0.2 * confusion[0]
    objective.begin_iteration(100)
    assert objective.discriminate(batch)["accuracy"] < 0.6


def test_the_losses_are_the_cross_entropies_of_the_discriminator():
    model = make_model().eval()
    objective = make_objective(model)
    codes = model.encode(IDS)
    logits, drawn = model.discriminator(codes).squeeze(1), model.discriminator(objective.randn(codes)).squeeze(1)
    objective.begin_iteration(0, 3)
    expected = F.binary_cross_entropy_with_logits(torch.cat([drawn, logits]), torch.tensor([1.0] * 3 + [0.0] * 3))
    torch.testing.assert_close(objective.discriminate(BATCH)["loss"], 2 * expected)
    terms = objective.reconstruct(BATCH)
    torch.testing.assert_close(terms["adversarial_loss"], F.binary_cross_entropy_with_logits(logits, torch.ones(3)))
    total, count = model.reconstruction_loss(codes, IDS)
    torch.testing.assert_close(terms["reconstruction"], total / 3)
    torch.testing.assert_close(terms["reconstruction_per_token"], total / count)
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + 10 * terms["adversarial_loss"])
    alone = make_objective(model, adversarial_weight=0.0)
    assert [phase.name for phase in alone.phases() if phase.enabled] == ["autoencoder"]
    torch.testing.assert_close(alone.reconstruct(BATCH)["loss"], terms["reconstruction"])


def test_the_encoder_reads_disturbed_words_and_the_clean_sentence_is_reconstructed():
    model, rebuilt = make_model().eval(), []
    objective = make_objective(model, word_deletion=0.5, shuffle_distance=2)
    ids = torch.tensor([[1, 9, 8, 7, 6, 5, 10, 2, 0], [1, 6, 11, 2, 0, 0, 0, 0, 0]]).repeat(50, 1)
    batch = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    noised, mask = disturb_words(objective, *batch.values(), 0.5, 2)
    assert torch.equal(mask, noised != 0)
    words = [set(row.tolist()) - {0, 1, 2} for row in ids]
    left = [[word for word in row.tolist() if word > 2] for row in noised]
    assert all(set(kept) <= whole and len(set(kept)) == len(kept) > 0 for kept, whole in zip(left, words, strict=True))
    assert any(sorted(kept, key=ids[0].tolist().index) != kept for kept in left[::2])  # the order changed
    assert 100 < sum(map(len, left)) < 300
    loss = model.reconstruction_loss(model.encode(noised, mask), ids)[0] / 100
    objective.begin_iteration(0, 3)  # the same noise
    for _ in range(2):  # the discriminator's update and the encoder's read one disturbed batch
        rebuilt.append(objective.codes(batch))
    assert rebuilt[0] is rebuilt[1]
    torch.testing.assert_close(objective.reconstruct(batch)["reconstruction"], loss)
    objective.begin_iteration(1, 3)
    assert not torch.equal(disturb_words(objective, *batch.values(), 0.5, 2)[0], noised)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AaeConfig(discriminator_sizes=[0]), "discriminator_sizes"),
        (lambda: AaeConfig(prior_sparsity=-0.1), r"prior_sparsity must lie in \[0, 1\), got -0.1"),
        (lambda: AaeConfig(initialization="normal"), "initialization"),
        (lambda: AaeConfig(discriminator_size=[3]), "Did you mean discriminator_sizes"),
        (lambda: AaeObjectiveArguments(word_deletion=1.0), r"word_deletion must lie in \[0, 1\), got 1.0"),
        (lambda: AaeObjectiveArguments(shuffle_distance=-1), "shuffle_distance must lie"),
        (lambda: AaeObjectiveArguments(adversarial_weight=-1.0), "adversarial_weight must lie"),
        (lambda: AaeObjectiveArguments(discriminator_steps=0), "discriminator_steps must lie"),
        (lambda: AaeObjectiveArguments(optimizer="lion"), "optimizer must be one of adam"),
        (lambda: AaeObjectiveArguments(schedule="step"), "schedule must be one of constant"),
    ],
)
def test_wrong_input_is_refused_with_what_is_accepted(call, message):
    with pytest.raises((ValueError, StrictDataclassClassValidationError), match=message):
        call()
