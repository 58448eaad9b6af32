import math

import pytest
import sacrebleu

from hf_arae.metrics import Bleu


def bleu(predictions, references):
    return Bleu().compute(predictions=predictions, references=references)["bleu"]


def test_by_hand():
    # Matches: unigrams 4 of 5, bigrams 3 of 4, trigrams 2 of 3, 4-grams 1 of 2; no brevity penalty.
    expected = 100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    assert bleu(["a b c d x"], ["a b c d e"]) == pytest.approx(expected)


def test_brevity_penalty_by_hand():
    assert bleu(["a b c d"], ["a b c d e"]) == pytest.approx(100 * math.exp(1 - 5 / 4))


def test_text_is_not_tokenised_again():
    # With a tokenizer the three characters would be three words.
    assert bleu(["a.b a.b a.b a.b ."], ["a . b a . b a . b a . b ."]) < 10
    predictions, references = ["it 's _num_ % off , n't it ?"], ["it 's _num_ % off , is n't it ?"]
    expected = sacrebleu.corpus_bleu(predictions, [references], tokenize="none", force=True).score
    assert bleu(predictions, references) == pytest.approx(expected)


def test_is_a_corpus_score():
    predictions, references = ["a b c d e", "x y"], ["a b c d e", "y x"]
    expected = sacrebleu.corpus_bleu(predictions, [references], tokenize="none", force=True).score
    assert bleu(predictions, references) == pytest.approx(expected)
    # The mean over sentences would be 50, for the second one shares no bigram with its reference.
    assert expected > 60


def test_lists_of_references_of_different_length():
    predictions = ["a b c d e", "x y z w"]
    references = [["a b c q e", "b c d e", "a b c d"], ["x y z v"]]
    streams = [["a b c q e", "x y z v"], ["b c d e", None], ["a b c d", None]]
    expected = sacrebleu.corpus_bleu(predictions, streams, tokenize="none", force=True).score
    assert bleu(predictions, references) == pytest.approx(expected)
    assert bleu(predictions, [[r] for r in predictions]) == pytest.approx(100)


def test_empty_predictions_score_zero():
    assert bleu(["", ""], ["a b c d", "e f g h"]) == 0


def test_a_perfect_copy_has_exactly_100():
    texts = ["the food was great and i will come again .", "never again !", "so good"]
    assert bleu(texts, texts) == 100
