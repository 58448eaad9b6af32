import math

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from testing_mixins import TextFamilyTests
from torch.nn import functional as F

from hf_arae import RnnLmConfig, RnnLmForCausalLM
from hf_arae.models.rnn_lm.objective_rnn_lm import RnnLmObjective, RnnLmObjectiveArguments
from hf_arae.nn.text.recurrent_cache import RecurrentCache

PAD, BOS, EOS, UNK, MASK = range(5)
NEVER_WRITTEN = [PAD, BOS, UNK, MASK]


def make_model(seed=0, spread=1.0, **settings):
    """A model in evaluation mode; `spread` sharpens its distributions, which are near uniform at first."""
    torch.manual_seed(seed)
    sizes = {"vocab_size": 12, "embedding_size": 6, "hidden_size": 8, "num_layers": 2, "max_sequence_length": 7}
    model = RnnLmForCausalLM(RnnLmConfig(**{**sizes, **settings})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(spread)
    return model


def sentences():
    return torch.tensor([[BOS, 5, 6, 7, 8, EOS], [BOS, 9, 10, EOS, PAD, PAD], [BOS, EOS, PAD, PAD, PAD, PAD]])


@pytest.mark.parametrize("share_embeddings", [False, True])
def test_shapes(share_embeddings):
    model = make_model(share_embeddings=share_embeddings)
    output = model(sentences(), labels=sentences(), use_cache=True)
    assert output.logits.shape == (3, 6, 12)
    assert output.loss.shape == ()
    assert [part.shape for part in output.cache.state] == [(2, 3, 8), (2, 3, 8)]
    assert output.cache.get_seq_length() == 6
    plain = model(sentences())
    assert plain.loss is None and plain.cache is None
    (logits,) = model(sentences(), return_dict=False)
    assert torch.equal(logits, plain.logits)


def test_sharing_saves_the_second_table():
    sizes = {share: sum(p.numel() for p in make_model(share_embeddings=share).parameters()) for share in (False, True)}
    assert sizes[False] - sizes[True] == 12 * 8 - 6 * 8


def test_initial_weights_are_small_and_padding_is_zero():
    model = make_model()
    for name, parameter in model.named_parameters():
        assert parameter.abs().max() <= 0.1, name
    assert not model.projection.bias.any() and not model.embeddings.weight[PAD].any()


@pytest.mark.parametrize("share_embeddings", [False, True])
def test_loss_is_the_cross_entropy_of_the_logits(share_embeddings):
    model, ids = make_model(spread=10, share_embeddings=share_embeddings), sentences()
    output = model(ids, labels=ids)
    by_hand = [
        -output.logits[row, place].log_softmax(-1)[ids[row, place + 1]]
        for row in range(3)
        for place in range(5)
        if ids[row, place + 1] != PAD
    ]
    assert len(by_hand) == 9
    torch.testing.assert_close(output.loss, torch.stack(by_hand).mean())
    total, count = model.token_loss(ids)
    assert count == 9
    torch.testing.assert_close(total, torch.stack(by_hand).sum())
    masked = model(ids, labels=ids.masked_fill(ids == PAD, -100))
    torch.testing.assert_close(masked.loss, output.loss)


def test_both_losses_have_the_same_gradients():
    model, ids = make_model(share_embeddings=True), sentences()
    parameters = list(model.parameters())
    total, count = model.token_loss(ids)
    for one, other in zip(
        torch.autograd.grad(total / count, parameters),
        torch.autograd.grad(model(ids, labels=ids).loss, parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_nothing_to_predict_is_a_loss_of_zero():
    model, ids = make_model(), torch.tensor([[BOS, PAD], [BOS, PAD]])
    assert model(ids, labels=ids).loss == 0
    total, count = model.token_loss(ids)
    assert (total.item(), count) == (0, 0)


def test_padding_changes_nothing():
    model, ids = make_model(spread=10), sentences()
    padded = F.pad(ids, (0, 3), value=PAD)
    torch.testing.assert_close(model(padded, attention_mask=padded != PAD).logits[:, :6], model(ids).logits)
    torch.testing.assert_close(model(padded, labels=padded).loss, model(ids, labels=ids).loss)
    alone = model(ids[1:2, :4])
    torch.testing.assert_close(alone.logits, model(ids).logits[1:2, :4])


def test_reading_in_pieces_equals_reading_at_once():
    model, ids = make_model(spread=10), sentences()
    cache = RecurrentCache()
    pieces = [model(part, cache=cache, use_cache=True).logits for part in ids.split([1, 3, 2], dim=1)]
    torch.testing.assert_close(torch.cat(pieces, 1), model(ids).logits)
    assert cache.get_seq_length() == 6


def test_dropout_is_for_training_alone():
    model = make_model(dropout=0.5)
    assert torch.equal(model(sentences()).logits, model(sentences()).logits)
    model.train()
    assert not torch.equal(model(sentences()).logits, model(sentences()).logits)


@pytest.mark.parametrize("arguments", [{}, {"num_beams": 3}, {"do_sample": True, "top_k": 0}])
def test_cached_generation_equals_uncached(arguments):
    model, prompts = make_model(spread=20), torch.tensor([[BOS, 5], [BOS, 8], [BOS, 11]])
    written = []
    for use_cache in (True, False):
        torch.manual_seed(3)
        written.append(model.generate(prompts, attention_mask=prompts > 0, use_cache=use_cache, **arguments))
    assert torch.equal(*written)
    assert written[0].shape[1] > 3


def test_greedy_generation_is_the_argmax_at_each_step():
    model = make_model(spread=20)
    expected = torch.tensor([[BOS]])
    while expected.shape[1] < 9 and expected[0, -1] != EOS:
        logits = model(expected).logits[:, -1]
        logits[:, NEVER_WRITTEN] = -math.inf
        expected = torch.cat([expected, logits.argmax(1, keepdim=True)], 1)
    assert torch.equal(model.generate(torch.tensor([[BOS]])), expected)


def test_generation_goes_on_from_a_given_state():
    model, prompt = make_model(spread=20), torch.tensor([[BOS, 5, 6, 7]])
    cache = model(prompt[:, :2], use_cache=True).cache
    assert torch.equal(model.generate(prompt, cache=cache), model.generate(prompt))


@pytest.mark.parametrize("seed", range(5))
def test_a_full_beam_is_at_least_as_probable_as_greedy(seed):
    model = make_model(seed, spread=15)
    arguments = {"max_new_tokens": 3, "min_new_tokens": 3, "length_penalty": 0.0}

    def score(ids):
        log_probabilities = model(ids).logits.log_softmax(-1)[:, :-1]
        return log_probabilities.gather(2, ids[:, 1:, None]).sum().item()

    begin = torch.tensor([[BOS]])
    greedy = model.generate(begin, **arguments)
    beam = model.generate(begin, num_beams=80, **arguments)
    assert score(beam) >= score(greedy) - 1e-5
    # 80 beams hold every prefix of two of the 7 words, so the best sentence is found.
    words = torch.cartesian_prod(*[torch.arange(5, 12)] * 3)
    everything = torch.cat([torch.full((len(words), 1), BOS), words], 1)
    scores = model(everything).logits.log_softmax(-1)[:, :-1].gather(2, everything[:, 1:, None]).sum((1, 2))
    assert score(beam) == pytest.approx(scores.max().item(), abs=1e-4)


def test_samples_follow_the_distribution():
    model, draws = make_model(spread=10), 20_000
    ids = model.sample(draws, seed=1, max_new_tokens=2)
    assert ids.shape == (draws, 3) and (ids[:, 0] == BOS).all()

    def statistic(counts, logits):
        logits = logits.clone()
        logits[NEVER_WRITTEN] = -math.inf
        expected = logits.softmax(-1) * counts.sum()
        possible = expected > 0
        assert not counts[~possible].any()
        return ((counts - expected)[possible] ** 2 / expected[possible]).sum().item()

    # The 99.9 % point of chi-square with 7 degrees of freedom (8 tokens) is 24.3.
    first = model(ids[:1, :1]).logits[0, -1]
    assert statistic(ids[:, 1].bincount(minlength=12), first) < 24.3
    frequent = ids[:, 1][ids[:, 1] > EOS].mode().values
    second = model(torch.tensor([[BOS, frequent]])).logits[0, -1]
    assert statistic(ids[ids[:, 1] == frequent, 2].bincount(minlength=12), second) < 24.3


def test_a_seed_repeats_the_sample_and_leaves_the_generator_alone():
    model = make_model()
    before = torch.get_rng_state()
    first, second, other = (model.sample(8, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(first, second)
    assert first.shape != other.shape or not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
    model.sample(8)
    assert not torch.equal(torch.get_rng_state(), before)


def test_samples_end_in_time():
    ids = make_model().sample(50, seed=0)
    assert ids.shape[1] <= 1 + 7 + 1
    after_end = (ids == EOS).cumsum(1) - (ids == EOS).long() > 0
    assert (ids[after_end] == PAD).all()


@pytest.mark.parametrize("share_embeddings", [False, True])
def test_saved_and_loaded_is_the_same(tmp_path, share_embeddings):
    model = make_model(spread=10, share_embeddings=share_embeddings)
    with torch.no_grad():
        model.embeddings.weight[PAD] = 1.0  # as an output table, the padding's row is trained too
    model.save_pretrained(tmp_path)
    loaded = RnnLmForCausalLM.from_pretrained(tmp_path)
    assert not loaded.training
    assert {**loaded.config.to_dict(), "_name_or_path": ""} == {**model.config.to_dict(), "_name_or_path": ""}
    assert loaded.generation_config.suppress_tokens == NEVER_WRITTEN
    for (name, one), other in zip(model.named_parameters(), loaded.parameters(), strict=True):
        assert torch.equal(one, other), name
    assert torch.equal(loaded(sentences()).logits, model(sentences()).logits)
    assert torch.equal(loaded.sample(5, seed=0), model.sample(5, seed=0))


class TestRnnLmFamily(TextFamilyTests):
    def build_model(self):
        config = RnnLmConfig(vocab_size=30, embedding_size=6, hidden_size=8, dropout=0.1, share_embeddings=True)
        return RnnLmForCausalLM(config)

    def build_objective(self, model):
        return RnnLmObjective(model)


def test_the_one_phase_lowers_the_loss_of_forward():
    model = make_model()
    (phase,) = RnnLmObjective(model).phases()
    assert (phase.name, phase.player) == ("language_model", "language_model")
    torch.testing.assert_close(
        phase.loss({"input_ids": sentences()})["loss"], model(sentences(), labels=sentences()).loss
    )


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="Did you mean hidden_size"):
        RnnLmConfig(hiden_size=3)
    with pytest.raises(StrictDataclassClassValidationError, match="num_layers"):
        RnnLmConfig(num_layers=0)
    with pytest.raises(StrictDataclassClassValidationError, match=r"dropout must lie in \[0, 1\), got 1"):
        RnnLmConfig(dropout=1.0)
    with pytest.raises(ValueError, match="num_samples must be at least 1, got 0"):
        make_model().sample(0)
    with pytest.raises(ValueError, match="prompts of one generate"):
        make_model().generate(torch.tensor([[BOS, 5], [BOS, PAD]]))
    with pytest.raises(ValueError, match="optimizer must be one of adam"):
        RnnLmObjectiveArguments(optimizer="lion")
    with pytest.raises(ValueError, match="schedule must be one of"):
        RnnLmObjectiveArguments(schedule="step")
    with pytest.raises(ValueError, match="learning_rate"):
        RnnLmObjectiveArguments(learning_rate=0.0)
