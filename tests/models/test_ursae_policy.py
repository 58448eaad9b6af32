"""URSAE's drafts: what the policy draws and how it scores, and what training rewards."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from ursae_models import BOS, EOS, IDS, MASK, PAD, UNK, is_compression, make_model, words_of

from hf_arae.models.ursae.objective_ursae import UrsaeObjective, UrsaeObjectiveArguments
from hf_arae.models.ursae.policy import Drafts, SourceWordsPolicy, SummaryPolicy


def source_policy(model, ids=IDS, shortest=2, longest=4, **settings) -> SourceWordsPolicy:
    rows = torch.ones(len(ids), dtype=torch.long)
    return SourceWordsPolicy(model, ids, None, shortest * rows, longest * rows, **settings)


@pytest.mark.parametrize("copy_gate", [False, True])
@pytest.mark.parametrize("settings", [{}, {"block_ngrams": 1}, {"source_order": True}, {"uniform": True}])
def test_drafts_of_source_words_are_the_policy_s_at_eta_0(settings, copy_gate):
    """Its probabilities sum to one, and are those that the whole vocabulary has where other words are ruled out."""
    model = make_model(copy_gate=copy_gate, share_embeddings=copy_gate)
    ids = torch.tensor([[BOS, 9, 8, 9, 20, 21, EOS], [BOS, 6, UNK, 11, EOS, PAD, PAD]])
    policy = source_policy(model, ids, **settings)
    before = torch.tensor([[[BOS, 8], [BOS, 9]], [[BOS, 6], [BOS, 11]]])
    states, _ = model.writer.hidden_states(before.view(4, 2))
    states = states[:, -1].view(2, 2, -1)
    log_probs = policy.log_probs(states, before)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2, 2))
    found = torch.zeros(2, 2, 30).scatter_add_(2, ids[:, None].expand(2, 2, 7), log_probs.exp())
    allowed = [[{9, 8, 20, 21}, {9, 8, 20, 21}], [{6, 11}, {6, 11}]]
    if "block_ngrams" in settings:
        allowed = [[{9, 20, 21}, {8, 20, 21}], [{11}, {6}]]
    if "source_order" in settings:
        allowed = [[{9, 20, 21}, {8, 9, 20, 21}], [{11}, {EOS}]]
    logits, _ = model.summary_logits(states, policy.reading)
    for row, draft in itertools.product(range(2), range(2)):
        words = torch.tensor(sorted(allowed[row][draft]))
        chances = torch.full((len(words),), 1 / len(words))
        if "uniform" not in settings:
            chances = logits[row, draft][words].softmax(0)
        torch.testing.assert_close(found[row, draft], torch.zeros(30).index_copy(0, words, chances))


@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize("source_order", [False, True])
def test_drafts_of_source_words_keep_their_bounds_and_their_score(source_order, uniform):
    model = make_model(spread=2.0, copy_gate=True, reader_kernel=3)
    policy = source_policy(model, block_ngrams=1, source_order=source_order, uniform=uniform)
    drafts = policy.write(torch.rand(3, 50, 6), greedy=True)
    log_probs, entropies = policy.score(drafts)
    assert (entropies >= 0).all()
    for row, source in enumerate(IDS.tolist()):
        most = min(4, source.index(EOS) - 1)
        for place, words in enumerate(words_of(drafts.ids[row])):
            assert min(2, most) <= len(words) <= most and len(set(words)) == len(words)
            assert set(words) <= set(source[1 : source.index(EOS)])
            assert not source_order or is_compression(words, source)
            alone = policy.score(Drafts(drafts.ids[:, place : place + 1], drafts.states[:, place : place + 1]))[0]
            torch.testing.assert_close(log_probs[row, place], alone[row, 0])
    # Summed over all drafts that there are, probabilities make 1.
    different = dict(zip(map(tuple, drafts.ids[1].tolist()), log_probs[1].exp().tolist(), strict=True))
    assert sum(different.values()) == pytest.approx(1.0, abs=1e-4)


def test_greedy_drafts_of_source_words_are_what_summarize_writes():
    model = make_model(copy_gate=True, reader_kernel=3)
    for source_order in (False, True):
        policy = source_policy(model, shortest=4, source_order=source_order)
        written = model.summarize(IDS, target_length=4, source_words_only=True, source_order=source_order)
        longer = [0, 2]  # the other source has fewer words: the policy ends, where summarize goes on
        greedy = policy.write(torch.empty(3, 0, 4), greedy=True).ids[:, 0]
        assert words_of(greedy[longer]) == words_of(written[longer])


def test_the_score_of_a_draft_is_the_policy_s_own():
    model = make_model()
    policy = SummaryPolicy(model, IDS, None, 0.01, torch.full((3,), 2), torch.full((3,), 4), 2)
    drafts = policy.write(torch.rand(3, 5, 6), greedy=True)
    assert drafts.ids.shape == (3, 6, 8)
    lengths = [len(words) for words in words_of(drafts.ids.flatten(0, 1))]
    assert min(lengths) >= 2 and max(lengths) <= 4
    log_probs, entropy = policy.score(drafts)
    present = model.source_words(IDS)
    for row in range(3):
        for draft in range(6):
            ids, total = drafts.ids[row, draft].tolist(), 0.0
            for place in range(ids.index(EOS)):
                logits = model(IDS[row : row + 1], decoder_input_ids=torch.tensor([ids[: place + 1]])).logits[0, -1]
                logits = logits + math.log(0.01) * ~present[row]
                logits[[PAD, BOS, UNK, MASK]] = -math.inf
                if place < 2:
                    logits[EOS] = -math.inf
                for first, second in itertools.pairwise(ids[1 : place + 1]):
                    if first == ids[place] and place:
                        logits[second] = -math.inf
                if place == 4:
                    continue
                total += logits.log_softmax(-1)[ids[place + 1]].item()
            assert log_probs[row, draft].item() == pytest.approx(total, abs=1e-4)
    assert (entropy > 0).all() and (entropy < 5 * math.log(30)).all()


def test_draws_follow_the_policy_and_only_the_given_numbers():
    model = make_model()
    policy = SummaryPolicy(model, IDS[:1], None, 1.0, torch.ones(1), torch.full((1,), 6))
    numbers = torch.rand(1, 20_000, 1)
    words = policy.write(numbers, greedy=False).ids[0, :, 1]
    assert torch.equal(words, policy.write(numbers, greedy=False).ids[0, :, 1])
    state, _ = model.writer.hidden_states(torch.tensor([[BOS]]))
    expected = policy.log_probs(state, torch.tensor([[[BOS]]])).exp()[0, 0] * 20_000
    possible = expected > 1e-6
    counts = words.bincount(minlength=30)
    assert not counts[~possible].any() and not possible[[PAD, BOS, EOS, UNK, MASK]].any()
    statistic = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    assert statistic < 51.2  # 99.9 % point of chi-square with 24 degrees of freedom


def test_a_small_eta_keeps_drafts_to_the_source():
    model = make_model(spread=1.0)
    batch = {"input_ids": IDS, "attention_mask": (IDS != PAD).long()}
    rates = []
    for steps, step in ((10, 0), (10, 10), (0, 0)):
        objective = UrsaeObjective(model, UrsaeObjectiveArguments(samples=8, eta_steps=steps))
        objective.begin_iteration(step)
        rates.append(objective.read(batch)["copy_rate"].item())
    assert rates[0] == 1.0 and max(rates[1:]) < 0.5


def test_eta_rises_in_a_line_of_its_logarithm():
    objective = UrsaeObjective(make_model(), UrsaeObjectiveArguments(eta_start=1e-6, eta_steps=100))
    found = []
    for objective.step in (0, 50, 75, 100, 500):
        found.append(objective.eta())
    assert found == pytest.approx([1e-6, 1e-3, 10**-1.5, 1.0, 1.0])


@pytest.mark.parametrize("baseline", ["greedy", "mean"])
def test_reinforce_raises_the_probability_of_what_is_rewarded(baseline):
    """The reward counts a word of each source; after some updates it is written, in the sources that have it."""

    class Wanted(UrsaeObjective):
        def rewards(self, ids, batch):
            return (ids == batch["input_ids"][:, 2, None, None]).any(2).float(), {}

    model = make_model(spread=1.0)
    torch.nn.init.normal_(model.writer.projection.weight)
    settings = UrsaeObjectiveArguments(samples=8, eta_steps=0, baseline=baseline, longest_summary=2)
    objective = Wanted(model, settings)
    batch = {"input_ids": IDS.repeat(4, 1), "attention_mask": None}
    optimizer = torch.optim.Adam(model.reader.parameters(), 0.03)
    before = {name: value.clone() for name, value in model.writer.named_parameters()}
    rewards = []
    for step in range(100):
        objective.begin_iteration(step)
        terms = objective.read(batch)
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        rewards.append(terms["reward"].item())
    assert sum(rewards[:5]) / 5 < 0.4 and sum(rewards[-5:]) / 5 > 0.8, rewards
    assert all(torch.equal(value, before[name]) for name, value in model.writer.named_parameters())


def test_the_reward_is_what_it_says():
    model = make_model().train()
    batch = {"input_ids": IDS}
    drafts = torch.tensor([[[BOS, 9, EOS, PAD], [BOS, 7, 8, EOS]]] * 3)
    flat, sources = drafts.flatten(0, 1), IDS.repeat_interleave(2, 0)
    losses, counts = model.eval().reconstruct_loss(flat, sources)
    scores, words = model.language_model_score(flat), torch.tensor([1, 2] * 3)
    model.train()

    def rewards(**settings):
        return UrsaeObjective(model, UrsaeObjectiveArguments(samples=2, **settings)).rewards(drafts, batch)

    found, terms = rewards(language_model_weight=0.5, length_penalty=3.0)
    torch.testing.assert_close(found.flatten(), (-losses + 0.5 * scores - 3.0 * words).detach())
    assert model.reconstructor.training
    assert terms["length"] == 1.5 and terms["copy_rate"] == pytest.approx(3 / 9)
    found, _ = rewards(reward_normalization="length")
    torch.testing.assert_close(found.flatten(), (-losses / counts + scores / (words + 1)).detach())
    # What is said first, and what the language model would not have guessed, counts more.
    weights = 0.5 ** torch.arange(6)
    found, _ = rewards(source_discount=0.5, language_model_weight=0.0)
    expected = model.eval().reconstruct_loss(flat, sources, weights.expand(6, 6))[0]
    torch.testing.assert_close(found.flatten(), -expected.detach())
    surprisal = model.surprisal(IDS)
    squares = surprisal.square() / surprisal.square().sum(1, keepdim=True) * (surprisal > 0).sum(1, keepdim=True)
    found, _ = rewards(source_discount=0.5, surprisal_power=2.0, language_model_weight=0.0)
    expected = model.reconstruct_loss(flat, sources, weights * squares.repeat_interleave(2, 0))[0]
    torch.testing.assert_close(found.flatten(), -expected.detach())
    # A word that the language model always expects is worth less than one that it expects here.
    found, _ = rewards(relative_fluency=True)
    average = torch.stack([average_chances(model, row) for row in IDS]).sum(0) / 14
    always = average.log()[flat[:, 1:]].masked_fill(flat[:, 1:] == PAD, 0).sum(1)
    torch.testing.assert_close(found.flatten(), (-losses + scores - always).detach())


def average_chances(model, row: torch.Tensor) -> torch.Tensor:
    """What the language model holds each next word's chances to be, summed over the places of a text."""
    row = row[row != PAD]
    return model.writer(row[None, :-1]).logits[0].softmax(-1).sum(0)


@pytest.mark.parametrize("source_words_only", [False, True])
def test_a_temperature_spreads_drafts_and_keeps_the_likeliest(source_words_only):
    model = make_model(copy_gate=True)
    bounds = (torch.ones(3), torch.full((3,), 6), 0)
    state = model.writer.hidden_states(torch.full((3, 1), BOS))[0]
    before, log_probs = torch.full((3, 1, 1), BOS), []
    for temperature in (1.0, 3.0):
        if source_words_only:
            policy = SourceWordsPolicy(model, IDS, None, *bounds, temperature)
        else:
            policy = SummaryPolicy(model, IDS, None, 1.0, *bounds, temperature)
        log_probs.append(policy.log_probs(state, before))
    sharp, flat = log_probs
    possible = sharp > -1e6
    torch.testing.assert_close((sharp / 3).log_softmax(-1)[possible], flat[possible])
    assert torch.equal(sharp.argmax(-1), flat.argmax(-1))


def test_drafts_leave_out_no_more_words_than_they_may():
    model = make_model(spread=1.0)
    ids = torch.arange(5, 17).view(1, 12)
    ids = torch.cat([torch.tensor([[BOS]]), ids, torch.tensor([[EOS]])], 1)
    for gap in (0, 1, 3):
        policy = source_policy(model, ids, 3, 3, source_order=True, longest_gap=gap)
        drafts = policy.write(torch.rand(1, 50, 6), greedy=True).ids[0, :, :4] - 4  # words are their places now
        steps = drafts.clamp(min=0).diff(dim=1)
        assert steps.min() == 1 and steps.max() == gap + 1
        for arguments in ({}, {"num_beams": 2}, {"do_sample": True}):
            written = model.summarize(ids, target_length=3, source_order=True, longest_gap=gap, **arguments)
            steps = (written[0, :4] - 4).clamp(min=0).diff()
            assert steps.min() >= 1 and steps.max() <= gap + 1
    # Where no word within the gap may be written, a later one is.
    ids = torch.tensor([[BOS, UNK, UNK, UNK, 7, 8, EOS]])
    policy = source_policy(model, ids, 2, 2, source_order=True, longest_gap=0)
    assert words_of(policy.write(torch.rand(1, 1, 6), greedy=False).ids[0]) == [[7, 8]]
    assert words_of(model.summarize(ids, target_length=2, source_order=True, longest_gap=0)) == [[7, 8]]
