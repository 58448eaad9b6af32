"""ARAE: shapes, invariances, the signs of the objective, and what its verbs promise."""

from __future__ import annotations

import copy

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from testing_mixins import TextAutoencoderTests
from torch.nn import functional as F
from transformers import AutoModel

import hf_arae  # noqa: F401 (registers the Auto classes)
from hf_arae.losses.wasserstein import gradient_penalty
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments

SIZES = {"vocab_size": 30, "embedding_size": 8, "hidden_size": 12, "code_size": 10, "latent_size": 6}


def transfer_config(**changes) -> AraeConfig:
    return AraeConfig(**(SIZES | {"num_attributes": 2, "id2label": {0: "negative", 1: "positive"}} | changes))


# The critic's loss is a difference of its outputs (and a gradient of one), so a constant added to them cancels.
CRITIC_OFFSET = frozenset({"critic.layers.4.bias"})


class TestTransferArae(TextAutoencoderTests):
    attributes = 2
    never_moved = CRITIC_OFFSET
    stops = (2, 3, 4)

    def build_model(self):
        return AraeModel(transfer_config())

    def build_objective(self, model):
        return AraeObjective(model, AraeObjectiveArguments(critic_steps=2))


class TestPlainArae(TextAutoencoderTests):
    never_moved = CRITIC_OFFSET

    def build_model(self):
        return AraeModel(AraeConfig(**SIZES))

    def build_objective(self, model):
        return AraeObjective(model, AraeObjectiveArguments(lipschitz="weight_clipping", critic_steps=2))


class TestMaskedSharedArae(TextAutoencoderTests):
    """The example's default: one table, hidden attribute words, Adam."""

    attributes = 2
    never_moved = CRITIC_OFFSET

    def build_model(self):
        model = AraeModel(transfer_config(share_embeddings=True, mask_attribute_words=True, initialization="scaled"))
        model.attribute_log_odds[7:12, 1] = 3.0
        return model

    def build_objective(self, model):
        return AraeObjective(
            model, AraeObjectiveArguments(autoencoder_optimizer="adam", autoencoder_learning_rate=2e-3)
        )


class TestAmplifiedArae(TextAutoencoderTests):
    """The default for captions: critic and generator at the scale of one a coordinate, a shortcut in the generator."""

    never_moved = CRITIC_OFFSET

    def build_model(self):
        return AraeModel(AraeConfig(**SIZES, amplify_code=True, amplify_adversary=True, generator_shortcut=True))

    def build_objective(self, model):
        return AraeObjective(model, AraeObjectiveArguments(gradient_penalty=10, adversary_schedule="linear"))


class TestThreeAttributes(TextAutoencoderTests):
    attributes, batch_size = 3, 15
    never_moved = CRITIC_OFFSET

    def build_model(self):
        return AraeModel(transfer_config(num_attributes=3, id2label={0: "a", 1: "b", 2: "c"}))

    def build_objective(self, model):
        return AraeObjective(model, AraeObjectiveArguments(critic_steps=1))


@pytest.fixture(scope="module")
def model() -> AraeModel:
    torch.manual_seed(0)
    return AraeModel(transfer_config()).eval()


IDS = torch.tensor([[1, 9, 8, 7, 2], [1, 6, 2, 0, 0], [1, 2, 0, 0, 0]])


def test_codes_lie_on_the_unit_sphere(model):
    codes = model.encode(IDS)
    assert codes.shape == (3, 10)
    assert torch.allclose(codes.norm(dim=1), torch.ones(3), atol=1e-6)


def test_each_sentence_is_decoded_by_its_own_decoder(model):
    code = model.encode(IDS)
    mixed, _ = model.decoder_states(code, IDS, torch.tensor([1, 0, 1]))
    for value in (0, 1):
        alone, _ = model.decoder_states(code, IDS, torch.full((3,), value))
        rows = torch.tensor([1, 0, 1]) == value
        assert torch.allclose(mixed[rows], alone[rows], atol=1e-6)
        assert not torch.allclose(mixed[~rows], alone[~rows], atol=1e-3)


def test_special_tokens_are_never_written(model):
    written = model.sample(64, attribute=1, seed=3, do_sample=True, max_new_tokens=12)
    inside = written[:, 1:]
    assert not torch.isin(inside[inside != 0], torch.tensor([1, 3, 4])).any()
    assert torch.equal(written, model.sample(64, attribute=1, seed=3, do_sample=False, max_new_tokens=12)) is False


def test_hidden_words_do_not_reach_the_code():
    masked = AraeModel(transfer_config(mask_attribute_words=True)).eval()
    masked.attribute_log_odds[[8, 9], [0, 1]] = 2.0
    good, bad, other = torch.tensor([[1, 6, 8, 2]]), torch.tensor([[1, 6, 9, 2]]), torch.tensor([[1, 7, 9, 2]])
    assert torch.equal(masked.encode(good), masked.encode(bad))
    assert not torch.equal(masked.encode(bad), masked.encode(other))


def test_the_critic_rates_real_codes_higher_and_the_generator_answers(model):
    """On two fixed clouds the critic's estimate grows; a generator step makes it fall."""
    torch.manual_seed(0)
    trained = AraeModel(transfer_config(initialization="published"))
    objective = AraeObjective(trained, AraeObjectiveArguments(gradient_penalty=1.0))
    cloud = F.normalize(torch.randn(64, 10) * 0.1 + torch.eye(10)[0], dim=1)
    objective.shared["codes"] = cloud
    critic = torch.optim.Adam(trained.critic.parameters(), 1e-2)
    distances = []
    for _ in range(60):
        terms = objective.criticise({})
        critic.zero_grad()
        terms["loss"].backward()
        critic.step()
        distances.append(terms["wasserstein_distance"].item())
    assert distances[-1] > distances[0] + 0.1
    generator = torch.optim.Adam(trained.generator.parameters(), 1e-2)
    batch = {"input_ids": torch.zeros(64, 1)}
    for _ in range(30):
        generator.zero_grad()
        objective.imitate(batch)["loss"].backward()
        generator.step()
    assert objective.criticise({})["wasserstein_distance"].item() < distances[-1] - 0.1


def test_the_penalty_pulls_each_examples_gradient_norm_to_one():
    """For a linear critic w.c the gradient norm is |w| for every example, whatever the batch size."""
    trained = AraeModel(transfer_config(critic_sizes=[]))
    with torch.no_grad():
        trained.critic.layers[0].weight.copy_(torch.full((1, 10), 3.0 / 10**0.5))
    for rows in (2, 64):
        penalty = gradient_penalty(trained.critic, torch.randn(rows, 10), torch.randn(rows, 10), torch.rand(rows, 1))
        assert torch.allclose(penalty, torch.tensor(4.0), atol=1e-4)


def test_concealing_moves_codes_toward_the_other_label():
    torch.manual_seed(0)
    trained = AraeModel(transfer_config())
    objective = AraeObjective(trained, AraeObjectiveArguments(critic_scale=0.0))
    batch = {"input_ids": IDS, "attention_mask": (IDS != 0).long(), "attribute": torch.tensor([0, 1, 0])}
    with torch.no_grad():
        trained.classifier.layers[-1].weight.mul_(20)
    optimizer = torch.optim.SGD(trained.encoder.parameters(), 5.0)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        terms = objective.conceal(batch)
        terms["loss"].backward()
        optimizer.step()
        losses.append(terms["adversarial_loss"].item())
    assert losses[-1] < losses[0]


def test_the_noise_decays_every_hundred_steps():
    objective = AraeObjective(AraeModel(transfer_config()), AraeObjectiveArguments(noise_std=0.2, noise_decay=0.5))
    stds = []
    for objective.step in (0, 99, 100, 250):
        stds.append(objective.noise_std())
    assert stds == [0.2, 0.2, 0.1, 0.05]


def test_half_precision_is_a_storage_format(tmp_path, model):
    copy.deepcopy(model).half().save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < 2.5 * loaded.num_parameters() + 10_000
    assert loaded.dtype == torch.float32
    assert torch.allclose(loaded.encode(IDS), model.encode(IDS), atol=2e-3)
    assert AutoModel.from_pretrained(tmp_path, dtype=torch.float16).dtype == torch.float16


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.transfer(IDS, target=2), "0..1"),
        (lambda m: m.transfer(IDS), "target is needed"),
        (lambda m: m.transfer(IDS, target=torch.tensor([0, -1, 0])), "0..1"),
        (lambda m: m.sample(0), "at least 1"),
        (lambda m: m.decoder_states(m.encode(IDS), IDS), "attribute is needed"),
        (lambda m: AraeModel(AraeConfig(**SIZES)).transfer(IDS, target=1), "without attributes"),
        (lambda m: AraeConfig(embeding_size=3), "Did you mean embedding_size"),
        (lambda m: AraeConfig(hidden_size=0), "hidden_size"),
        (lambda m: transfer_config(num_attributes=3), "names 2 attribute values"),
        (lambda m: AraeConfig(mask_attribute_words=True), "num_attributes of at least 2"),
        (lambda m: AraeObjectiveArguments(lipschitz="none"), "gradient_penalty, weight_clipping"),
        (lambda m: AraeObjectiveArguments(adversary_schedule="up"), "constant, linear, cosine"),
    ],
)
def test_wrong_input_is_refused_with_what_is_accepted(model, call, message):
    with pytest.raises((ValueError, StrictDataclassClassValidationError), match=message):
        call(model)


def test_scaled_codes_differ_from_the_start_and_generated_ones_lie_inside_the_sphere():
    torch.manual_seed(0)
    ids = torch.randint(5, 30, (32, 8))
    similarity = {}
    for name in ("published", "scaled"):
        fresh = AraeModel(transfer_config(initialization=name, code_size=64, embedding_size=32)).eval()
        codes = fresh.encode(ids)
        similarity[name] = (codes @ codes.T).mean().item()
        assert fresh.train().generator(torch.randn(32, 6)).norm(dim=1).mean() < 3
    assert similarity["scaled"] < 0.4 < 0.9 < similarity["published"]


def test_a_frozen_autoencoder_leaves_critic_and_generator_to_train():
    model = AraeModel(transfer_config())
    names = {True: ["critic", "generator"], False: ["autoencoder", "critic", "classifier", "generator", "encoder"]}
    for frozen, expected in names.items():
        objective = AraeObjective(model, AraeObjectiveArguments(freeze_autoencoder=frozen))
        assert [phase.name for phase in objective.phases() if phase.enabled] == expected
        ids = torch.tensor([[1, 7, 8, 2], [1, 9, 2, 0]])
        objective.encode_batch({"input_ids": ids, "attention_mask": (ids != 0).long()})
        assert objective.shared["codes"].requires_grad is not frozen


class TestNarrowArae(TextAutoencoderTests):
    """A narrow code, a linear map of a wider state, and a decoder with dropout."""

    never_moved = CRITIC_OFFSET

    def build_model(self):
        sizes = SIZES | {"code_size": 3, "encoder_size": 10}
        return AraeModel(AraeConfig(**sizes, dropout=0.2, draw_noise=0.3, initialization="scaled"))

    def build_objective(self, model):
        return AraeObjective(model, AraeObjectiveArguments(critic_steps=2))


@torch.no_grad()
def test_drawn_codes_are_as_noisy_as_the_config_says():
    torch.manual_seed(0)
    model = AraeModel(AraeConfig(**SIZES, draw_noise=0.5)).eval()
    noisy = model.sample_codes(2000, torch.Generator().manual_seed(1))
    model.config.draw_noise = 0.0
    plain = model.sample_codes(2000, torch.Generator().manual_seed(1))
    assert (noisy - plain).std() == pytest.approx(0.5, rel=0.05)
    assert (noisy - plain).mean() == pytest.approx(0, abs=0.02)
    with pytest.raises(StrictDataclassClassValidationError, match="draw_noise"):
        AraeConfig(draw_noise=-1)


def test_dropout_is_for_training_only():
    torch.manual_seed(0)
    model = AraeModel(AraeConfig(**SIZES, dropout=0.5))
    ids, code = torch.tensor([[1, 7, 8, 9, 2]]), torch.randn(1, 10)
    model.train()
    assert model.reconstruction_loss(code, ids)[0] != model.reconstruction_loss(code, ids)[0]
    model.eval()
    assert model.reconstruction_loss(code, ids)[0] == model.reconstruction_loss(code, ids)[0]
