"""Vector arithmetic: means over other sentences, matches and precision, on a made-up model whose answers are known."""

import pytest
import torch
from linear_autoencoder import SENTENCES, LinearAutoencoder

from hf_arae.evaluation.arithmetic import PUBLISHED, ParsedSentences, Transform, score_transform
from hf_arae.latent.space import LatentSpace
from hf_arae.utils.tables import markdown_table

WALKING = Transform("verb", "walking")


@pytest.fixture(scope="module")
def latent():
    model = LinearAutoencoder()
    return LatentSpace(model, model.tokenizer)


@pytest.fixture(scope="module")
def sentences(latent):
    return ParsedSentences.encoded(latent, SENTENCES)


def test_sentences_are_sorted_by_their_parts(sentences):
    assert len(sentences) == 27
    assert {sentences.count(transform) for transform in PUBLISHED} == {9}
    assert sentences.count(Transform("verb", "flying")) == 0
    assert sentences.commonest("subject", 2) == ["dog", "man"]
    assert [sentences.texts[row] for row in sentences.originals(WALKING, 3)] == [
        "a man is sleeping .",
        "a man is standing .",
        "a dog is sleeping .",
    ]
    assert len(sentences.originals(WALKING, 100)) == 18


def test_a_point_moves_by_the_difference_of_the_means_over_other_sentences(latent):
    texts = ["a man is sleeping .", "two dog is sleeping .", "two man is sleeping .", "a man is walking ."]
    points = torch.randn(4, 9, generator=torch.Generator().manual_seed(0))
    own = ParsedSentences(texts, points, ParsedSentences.encoded(latent, texts).parts, "code")
    moved = own.moved([1, 0], WALKING)
    torch.testing.assert_close(moved[0], points[1] + points[3] - (points[0] + points[2]) / 2)
    torch.testing.assert_close(moved[1], points[0] + points[3] - (points[1] + points[2]) / 2)


def test_sentences_without_a_second_one_of_their_class_are_left_alone(latent):
    texts = ["a man is sleeping .", "a man is walking .", "a dog is walking .", "a dog .", "a dog is standing ."]
    lone = ParsedSentences.encoded(latent, texts)
    assert lone.originals(Transform("verb", "walking"), 10) == []
    assert lone.originals(Transform("subject", "dog"), 10) == [0, 1]
    with pytest.raises(ValueError, match="shares a verb that is not 'walking'"):
        score_transform(latent, lone, WALKING)
    with pytest.raises(ValueError, match="no other sentence of 5 has 'sleeping' as its verb"):
        lone.moved([0], WALKING)


@pytest.mark.parametrize("transform", PUBLISHED, ids=lambda transform: transform.word)
def test_a_linear_space_changes_every_part_alone(latent, sentences, transform):
    # Greedy decoding: all samples are the sentence with one word exchanged, four of five words kept.
    score = score_transform(latent, sentences, transform, num_samples=3, do_sample=False)
    assert (score.match, score.originals, score.sentences) == (100, 18, 9)
    assert score.precision == pytest.approx(80)
    for original, text in score.examples:
        changed = [pair for pair in zip(original.split(), text.split(), strict=True) if len(set(pair)) == 2]
        assert [pair[1] for pair in changed] == [transform.word]


def test_match_and_precision_are_counted_by_original():
    """Three originals; of each one's four samples, those with the verb count, and then their mean precision."""
    model = LinearAutoencoder()
    latent = LatentSpace(model, model.tokenizer)
    sentences = ParsedSentences.encoded(latent, SENTENCES)
    samples = [
        ["a man is walking .", "two dog is walking .", "a man is sleeping .", "a man is standing ."],  # 80 and 40 %
        ["a man is standing ."] * 4,
        ["a man is sleeping .", "a dog is walking .", "a dog is walking .", "a dog is walking ."],  # 80 %
    ]
    latent.decode_samples = lambda *_, **__: samples
    score = score_transform(latent, sentences, WALKING, num_originals=3, num_samples=4)
    assert (score.match, score.precision) == (pytest.approx(200 / 3), pytest.approx((60 + 80) / 2))
    assert score.examples == [
        ("a man is sleeping .", "a man is walking ."),
        ("a dog is sleeping .", "a dog is walking ."),
    ]
    samples[0] = samples[2] = samples[1]
    score = score_transform(latent, sentences, WALKING, num_originals=3, num_samples=4)
    assert (score.match, score.precision, score.examples) == (0, None, [])
    assert "79.5" in markdown_table([score.row()])


def test_drawn_sentences_are_written_from_their_z(latent):
    drawn = ParsedSentences.drawn(latent, 400, seed=1)
    assert drawn.space == "z" and drawn.points.shape == (400, 9)
    assert drawn.texts == latent.sample(400, seed=1) == latent.decode(drawn.points, "z")
    score = score_transform(latent, drawn, WALKING, num_originals=50, num_samples=20)
    assert score.match > 90 and 50 < score.precision < 100
    again = score_transform(latent, drawn, WALKING, num_originals=50, num_samples=20)
    assert (again.match, again.precision) == (score.match, score.precision)


def test_without_a_generator_codes_are_drawn():
    model = LinearAutoencoder(generator=False)
    drawn = ParsedSentences.drawn(LatentSpace(model, model.tokenizer), 10)
    assert drawn.space == "code" and len(drawn) == 10


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda s: s.moved([0], Transform("verb", "flying")),
            "no sentence of 27 has 'flying' as its verb; .* sleeping",
        ),
        (lambda s: s.count(Transform("object", "ball")), "part must be one of subject, verb, modifier; got 'object'"),
        (lambda s: ParsedSentences(s.texts, s.points[:3], s.parts, "code"), "27 texts, 3 points and 27 parsed"),
    ],
)
def test_wrong_input_is_refused_with_what_is_accepted(sentences, call, message):
    with pytest.raises(ValueError, match=message):
        call(sentences)


def test_scoring_refuses_wrong_numbers(latent, sentences):
    with pytest.raises(ValueError, match="num_originals must be at least 1, got 0"):
        score_transform(latent, sentences, WALKING, num_originals=0)
    with pytest.raises(ValueError, match="num_samples must be at least 1, got 0"):
        score_transform(latent, sentences, WALKING, num_samples=0)
    with pytest.raises(ValueError, match="no sentence of 27 has 'flying'"):
        score_transform(latent, sentences, Transform("verb", "flying"))
