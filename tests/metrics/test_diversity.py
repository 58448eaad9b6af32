import random

import pytest

from hf_arae.metrics import Bleu, Diversity


def test_by_hand():
    scores = Diversity().compute(predictions=["a b a b", "a b", "c"])
    # Words: 3 of 7. Bigrams: "a b" and "b a" of 4.
    assert scores["distinct_1"] == pytest.approx(100 * 3 / 7)
    assert scores["distinct_2"] == pytest.approx(100 * 2 / 4)
    assert scores["distinct_sentences"] == 100
    assert scores["mean_length"] == pytest.approx(7 / 3)


def test_repeated_sentences():
    scores = Diversity().compute(predictions=["a b c d"] * 4)
    assert scores["self_bleu"] == pytest.approx(100)
    assert scores["distinct_sentences"] == 25


def test_self_bleu_is_corpus_bleu_against_all_others():
    generator = random.Random(0)
    samples = [" ".join(generator.choices("abc", k=generator.randint(0, 9))) for _ in range(60)]
    others = [samples[:place] + samples[place + 1 :] for place in range(len(samples))]
    expected = Bleu().compute(predictions=samples, references=others)["bleu"]
    assert 0 < expected < 100
    assert Diversity().compute(predictions=samples)["self_bleu"] == pytest.approx(expected)


def test_many_samples_give_the_same_score_twice():
    generator = random.Random(0)
    samples = [" ".join(generator.choices("abcdefghij", k=8)) for _ in range(2000)]
    assert Diversity().compute(predictions=samples) == Diversity().compute(predictions=samples)


def test_nothing_but_empty_samples():
    assert set(Diversity().compute(predictions=["", ""]).values()) == {0.0, 50.0}


def test_one_sample_is_refused():
    with pytest.raises(ValueError, match="at least two"):
        Diversity().compute(predictions=["a b"])
