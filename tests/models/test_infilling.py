"""Infilling: gaps, copied words, scores, choice, rounds."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from testing_mixins import TextFamilyTests

from hf_arae import InfillingConfig, InfillingModel, InfillingObjective, InfillingObjectiveArguments
from hf_arae.data.collated_rows import CollatedRows
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.data.text.word_kinds import WordKind, clauses, word_kind
from hf_arae.evaluation.rewriting import rewrite_texts
from hf_arae.models.infilling.choice import Candidates, overlap, repetitions
from hf_arae.models.infilling.gap_sets import gap_sets
from hf_arae.models.infilling.masks import filled, fills_of, gaps_of, random_gaps, with_gaps
from hf_arae.models.infilling.own_draws import OwnDraws
from hf_arae.models.infilling.preparation import measure_usualness
from hf_arae.models.infilling.rounds import collate_pairs, rewriting_pairs
from hf_arae.models.infilling.tuning import choose_operating_point

MASK = 4
SIZES = {
    "vocab_size": 30,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_heads": 2,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "classifier_embedding_size": 4,
    "classifier_maps": 4,
    "max_sequence_length": 10,
    "id2label": {0: "negative", 1: "positive"},
}
SENTENCES = torch.tensor([[1, 9, 8, 3, 12, 6, 2], [1, 6, 14, 11, 2, 0, 0]])


def make_model(**changes) -> InfillingModel:
    torch.manual_seed(0)
    model = InfillingModel(InfillingConfig(**SIZES | changes))
    torch.nn.init.normal_(model.table.weight, std=0.1)  # so that sentences differ
    model.biases["editor"].data[2] = 1.5  # and come to an end
    model.attribute_log_odds.normal_()
    model.word_kinds[:5] = WordKind.FIXED
    model.word_kinds[6] = WordKind.MARK
    return model.eval()


class TestInfilling(TextFamilyTests):
    attributes = 2

    def build_model(self):
        return make_model().train()

    def build_objective(self, model):
        return InfillingObjective(model, InfillingObjectiveArguments(warmup_steps=2))

    def narrow_config(self, auto_class=None, **changes):
        return InfillingConfig(**SIZES | changes)


def test_gaps_and_what_stood_in_them_give_the_sentence_back():
    words = [10, 11, 12, 13, 14]
    for gaps in ([(0, 5)], [(1, 3)], [(0, 1), (2, 2), (4, 5)], [(5, 5)]):
        kept, written = with_gaps(words, gaps, MASK)
        assert kept.count(MASK) == len(gaps) and written.count(MASK) == len(gaps) - 1
        assert filled(words, gaps, fills_of(written, MASK)) == words
    assert filled(words, [(1, 3), (5, 5)], [[7], [8, 9]]) == [10, 7, 13, 14, 8, 9]
    assert gaps_of([True, True, False, True], [2, 4]) == [(0, 2), (3, 4)]  # empty gaps beside hidden words are theirs
    assert gaps_of([False, False], [0, 2]) == [(0, 0), (2, 2)]


def test_gaps_to_learn_from_are_at_words_and_rather_at_telling_ones():
    is_word = torch.tensor([[False, True, True, True, True, True, False]]).expand(400, -1)
    telling = torch.zeros(400, 7)
    telling[:, 3] = 4.0
    torch.manual_seed(0)
    found = random_gaps(telling, is_word, torch.rand(400, 5), torch.rand(400, 7, 3))
    hidden = torch.zeros(5)
    for gaps in found:
        assert gaps and all(0 <= start <= end <= 5 for start, end in gaps)
        assert all(end <= start for (_, end), (start, _) in pairwise(gaps))
        for start, end in gaps:
            hidden[start:end] += 1
    assert hidden[2] > 1.3 * hidden[[0, 1, 3, 4]].max()


def test_a_negation_goes_with_its_word_and_numbers_are_in_no_gap():
    kinds = [WordKind.WORD, WordKind.NEGATION, WordKind.WORD, WordKind.FIXED, WordKind.MARK]
    sets = gap_sets(kinds, [0.0, 0.1, 3.0, 2.0, 0.5])
    assert [(2, 3)] in sets and [(1, 3)] in sets
    assert not any(start <= 3 < end for gaps in sets for start, end in gaps)
    assert len({tuple(gaps) for gaps in sets}) == len(sets)
    assert gap_sets([WordKind.MARK], [0.0]) and gap_sets([WordKind.FIXED], [0.0])  # there is always something to try


def test_clauses_end_at_marks_and_begin_at_conjunctions():
    words = ["the", "food", "was", "good", ",", "but", "not", "the", "service", "."]
    found = clauses([word_kind(word) for word in words])
    assert [" ".join(words[place] for place in clause) for clause in found] == [
        "the food was good",
        "but not the service",
    ]


def test_unknown_words_and_numbers_are_written_at_most_as_often_as_they_were_read():
    model = make_model(rewriter_trained=True)
    model.biases["editor"].data[3] = 8.0  # it would write <unk> for ever
    written = model.transfer(SENTENCES, target=1)
    assert (written == 3).sum(1).tolist() == [1, 0]
    for words in model.candidates([[9, 8, 3, 12, 6], [6, 14, 11]], [1, 1], 30):
        assert all(one.count(3) <= 1 for one in words.words)
    beams = model.generate(SENTENCES, attribute=torch.tensor([1, 0]), num_beams=3, num_return_sequences=2)
    assert (beams[:2] == 3).sum(1).max() == 1 and not (beams[2:] == 3).any()


def test_candidates_differ_from_the_source_and_from_one_another():
    model, source = make_model(rewriter_trained=True), [9, 8, 7, 12, 6]
    (found,) = model.candidates([source], [1], 40)
    assert len(found.words) > 5 and source not in found.words
    assert len({tuple(words) for words in found.words}) == len(found.words)
    assert all(0 < len(words) <= 10 and repetitions(words) == 0 for words in found.words)
    (again,) = model.candidates([source], [1], 40)
    assert again.words == found.words


def test_the_best_is_what_the_weights_say():
    found = Candidates(
        [[1], [2], [3]], torch.tensor([9.0, 5.0, -2.0]), torch.tensor([-4.0, -1, 0]), torch.tensor([0, 0.5, 1])
    )
    only = {"style": 0.0, "fluency": 0.0, "content": 0.0}
    assert found.best(only | {"style": 1.0}, 10.0) == [[1]]
    assert found.best(only | {"style": 1.0, "fluency": 0.1}, 5.0) == [[2]]  # beyond the limit it counts for no more
    assert found.best(only | {"content": 1.0}, 5.0, 3) == [[3], [2], [1]]
    assert overlap([1, 2, 2], [2, 2, 3]) == pytest.approx((2 / 3 + 1 / 4) / 2) and overlap([1], [1]) == 1
    assert overlap([1, 2, 3, 4], [1, 9, 9, 4]) > overlap([1, 2, 3, 4], [1, 9, 3, 9]) and overlap([], []) == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"weights": {"style": -1.0}, "num_candidates": 4}, "style"),
        ({"weights": {"style": 0, "fluency": 0, "content": 0}, "num_candidates": 4}, "all 0"),
        ({"weights": {"polarity": 1.0}, "num_candidates": 4}, "polarity"),
        ({"weights": {"style": float("nan")}, "num_candidates": 4}, "style"),
        ({"num_candidates": 0}, "num_candidates"),
        ({"num_candidates": 4, "num_beams": 3}, "num_beams"),
        ({"num_candidates": 4, "min_new_tokens": 3}, "min_new_tokens"),
        ({"num_candidates": 4, "num_return_sequences": 5}, "num_return_sequences"),
        ({"num_candidates": 4, "num_return_sequences": 0}, "num_return_sequences"),
        ({"num_candidates": 4, "seed": 0.5}, "seed"),
        ({"target": 2}, "0..1"),
        ({"target": None}, "target"),
    ],
)
def test_wrong_arguments_of_a_transfer_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        make_model(rewriter_trained=True).transfer(SENTENCES, **{"target": 1} | arguments)


@pytest.mark.parametrize("wrong", ["style", [1.0, 2.0, 3.0], 1.0])
def test_weights_without_names_are_refused(wrong):
    with pytest.raises(TypeError, match="weights"):
        make_model().transfer(SENTENCES, target=1, num_candidates=4, weights=wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_heads": 3},
        {"style_weight": 0, "fluency_weight": 0, "content_weight": 0},
        {"fluency_weight": -1},
        {"num_attributes": 1},
        {"num_attributes": 3},
    ],
)
def test_a_config_out_of_range_is_refused(wrong):
    with pytest.raises(StrictDataclassClassValidationError):
        InfillingConfig(**SIZES | wrong)


def test_padding_and_its_side_change_nothing():
    model = make_model(rewriter_trained=True)
    left = torch.tensor([[0, 0, 1, 6, 14, 11, 2]])
    mask = (left != 0).long()
    alone = torch.tensor([[1, 6, 14, 11, 2]])
    written = model.transfer(left, mask, target=1)
    assert torch.equal(written, model.transfer(alone, target=1))
    assert torch.allclose(model.attribute_probabilities(left), model.attribute_probabilities(alone), atol=1e-6)
    best = model.transfer(left, mask, target=1, num_candidates=12)
    assert torch.equal(best, model.transfer(alone, target=1, num_candidates=12))


def test_its_vocabulary_cannot_grow():
    with pytest.raises(ValueError, match="fixed"):
        make_model().resize_token_embeddings(40)


def test_scores_lie_between_0_and_1_and_a_copy_keeps_all_content():
    model = make_model()
    model.attribute_log_odds.zero_()  # the classifier alone
    sentences = [[1, *torch.randint(5, 30, (5,)).tolist(), 2] for _ in range(40)]
    measure_usualness(model, sentences, [0, 1] * 20)
    scores = model.transfer_scores(SENTENCES, None, SENTENCES, 1)
    assert scores["content"].tolist() == [1.0, 1.0]
    assert all(((value >= 0) & (value <= 1)).all() and value.shape == (2,) for value in scores.values())
    labels = model.attribute_probabilities(SENTENCES)
    assert (scores["style"] <= labels[:, 1] + 1e-6).all()  # a clause can only lower it


def test_an_operating_point_reaches_the_wanted_accuracy_or_names_the_nearest(caplog):
    model = make_model()
    sentences = [[1, *torch.randint(7, 30, (6,)).tolist(), 2] for _ in range(12)]
    labels = [0, 1] * 6

    def judge(words):  # a stranger, who looks at the first word alone
        return [one[0] % 2 for one in words]

    point = choose_operating_point(model, sentences, labels, judge, accuracy=0.01, num_candidates=16)
    assert (model.config.content_weight, model.config.style_limit) == (point.content_weight, point.style_limit)
    assert 0.01 <= point.accuracy <= 1 and 0 <= point.content <= 1 and not caplog.messages
    nearest = choose_operating_point(model, sentences, labels, judge, accuracy=1.0, num_candidates=16)
    assert nearest.accuracy < 1 and f"{nearest.accuracy:.3f}" in caplog.text
    for wrong in (0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="accuracy"):
            choose_operating_point(model, sentences, labels, judge, accuracy=wrong)
    with pytest.raises(ValueError, match="none"):
        choose_operating_point(model, [], [], judge)


def test_a_round_learns_to_undo_what_the_model_wrote():
    model = make_model()
    sentences = [[1, *torch.randint(5, 30, (5,)).tolist(), 2] for _ in range(60)]
    labels = [0, 1] * 30
    model.classifier.output.weight.data.normal_(std=5.0)  # which tells labels with confidence, whatever they are
    pairs = rewriting_pairs(model, sentences, labels, 8, distillation=True, disable_tqdm=True)
    real = {tuple(sentence) for sentence in sentences}
    for pair in pairs:
        back = tuple(pair["input_ids"]) in real
        assert back != (tuple(pair["source_ids"]) in real)
    data = CollatedRows(pairs, collate_pairs(0), length_column="length")
    batch = next(iter(data.batches(8, 0, 0, 1)))
    objective = InfillingObjective(model.train(), rewriting=True)
    objective.begin_iteration(0)
    terms = objective.edit(batch)
    assert set(terms) == {"loss", "infilling_loss", "language_loss", "rewriting_loss"}
    assert [phase.enabled for phase in objective.phases()] == [True, False]  # the classifier stays as it was


def test_what_a_sentence_becomes_does_not_depend_on_those_beside_it():
    model, sentences = (
        make_model(rewriter_trained=True),
        [[9, 8, 7, 12, 6], [10, 11], [6], [20, 21, 22, 23, 24, 25, 26]],
    )
    torch.manual_seed(3)
    state = torch.get_rng_state()
    together = model.candidates(sentences, [1, 0, 1, 0], 40)
    for words, target, found in zip(sentences, [1, 0, 1, 0], together, strict=True):
        (alone,) = model.candidates([words], [target], 40)
        assert alone.words == found.words and len(alone.words) > 3
    (other,) = model.candidates(sentences[:1], [1], 40, seed=1)
    assert other.words != together[0].words
    assert torch.equal(torch.get_rng_state(), state)  # nobody else's draws are touched


def test_own_draws_are_as_likely_as_the_scores_say():
    scores = torch.tensor([0.5, 0.0, 0.3, 0.2]).log().expand(2000, -1)
    drawn = OwnDraws([f"row {row}" for row in range(1999)] + [None])(torch.zeros(2000, 1), scores).argmax(1)
    shares = drawn.bincount(minlength=4) / 2000
    assert shares[1] == 0 and drawn[-1] == 0
    assert torch.allclose(shares, torch.tensor([0.5, 0.0, 0.3, 0.2]), atol=0.04)


def test_a_rewriter_that_has_not_learnt_is_not_asked_by_default():
    model = make_model()
    assert torch.equal(model.transfer(SENTENCES, target=1), model.transfer(SENTENCES, target=1, num_candidates=16))
    learnt = make_model(rewriter_trained=True)
    assert torch.equal(learnt.transfer(SENTENCES, target=1), learnt.generate(SENTENCES, attribute=1))


def test_sentences_beyond_the_table_of_places_are_refused_with_its_length():
    model = make_model(rewriter_trained=True)
    most = model.config.longest_input
    long = torch.tensor([[1, *[9] * (most - 1), 2]])
    for refused in (
        lambda: model.transfer(long, target=1),
        lambda: model.transfer(long, target=1, num_candidates=4),
        lambda: model(long, attribute=1),
        lambda: model.generate(SENTENCES, attribute=1, min_new_tokens=most, max_new_tokens=2 * most),
    ):
        with pytest.raises(ValueError, match=f"at most {most}"):
            refused()
    assert len(model.transfer(long[:, [0, *range(2, most + 1)]], target=1, num_candidates=40)) == 1
    with pytest.raises(ValueError, match="input_ids"):
        model()


def test_fluency_is_not_told_before_it_was_measured():
    scores = make_model().transfer_scores(SENTENCES, None, SENTENCES, 1)
    assert scores["fluency"].isnan().all() and not scores["style"].isnan().any()


def test_unknown_words_that_are_copied_are_the_sources():
    words = ["the", "food", "was", "very", "good", "bad"]
    tokenizer = train_tokenizer([" ".join(words)])
    model = make_model(vocab_size=len(tokenizer), rewriter_trained=True)
    model.transfer = lambda ids, mask, target, **_: ids  # which copies
    sources = ["the zwieback was good", "qwark food was very zwieback", "the food was bad"]
    assert rewrite_texts(model, tokenizer, sources, [1, 1, 1]) == sources
