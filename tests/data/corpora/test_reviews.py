"""The built-in corpus: what examples and benchmarks rely on."""

from itertools import combinations, pairwise

import pytest
from datasets import ClassLabel, Value

from hf_arae.data.corpora.reviews import build_reviews


@pytest.fixture(scope="module")
def corpus():
    return build_reviews()


def pairs(text):
    return combinations(sorted(set(text.split())), 2)


def test_schema_sizes_and_balance(corpus):
    assert {name: len(split) for name, split in corpus.items()} == {"train": 24000, "validation": 1000, "test": 1000}
    for split in corpus.values():
        assert split.features == {"text": Value("string"), "label": ClassLabel(names=["negative", "positive"])}
        assert sum(split["label"]) * 2 == len(split)


def test_texts_are_short_tokenised_and_lower_case(corpus):
    for split in corpus.values():
        for text in split["text"]:
            tokens = text.split(" ")
            assert 4 <= len(tokens) <= 15, text
            assert "" not in tokens and text == text.lower(), text
            assert tokens[-1] in (".", "!"), text
            assert not {"{", "}"} & set(text), text


def test_same_seed_same_corpus_and_other_seed_another(corpus):
    again, other = build_reviews(0), build_reviews(1)
    for name, split in corpus.items():
        assert split["text"][:] == again[name]["text"][:]
        assert split["label"][:] == again[name]["label"][:]
    assert corpus["train"]["text"][:100] != other["train"]["text"][:100]
    # Held-out combinations are the same for all seeds, so no seed trains on another's test sentences.
    assert not set(other["train"]["text"]) & set(corpus["test"]["text"])


def test_all_sentences_are_distinct(corpus):
    texts = [text for split in corpus.values() for text in split["text"]]
    assert len(set(texts)) == len(texts)


def test_held_out_sentences_are_new_combinations_of_known_words(corpus):
    train_words = {word for text in corpus["train"]["text"] for word in text.split()}
    train_pairs = {pair for text in corpus["train"]["text"] for pair in pairs(text)}
    for name in ("validation", "test"):
        other = {pair for text in corpus["validation" if name == "test" else "test"]["text"] for pair in pairs(text)}
        for text in corpus[name]["text"]:
            assert set(text.split()) <= train_words, text
            new = {pair for pair in pairs(text) if pair not in train_pairs}
            assert new, f"{name}: each pair of words of {text!r} stands together in a training sentence"
            assert new - other, f"{name}: {text!r} has no new pair of its own"


def test_articles_and_verbs_agree(corpus):
    texts = corpus["train"]["text"][:]
    plural = {"noodles", "prices", "towels", "shoes", "doctors", "pills", "tires", "stylists", "trainers", "muffins"}
    for text in texts:
        tokens = text.split()
        for first, second in pairwise(tokens):
            if first in ("a", "an"):
                assert (first == "an") == (second[0] in "aeiou"), text
                assert second not in plural, text
            if first in plural:
                assert second not in ("is", "was"), text


def test_most_words_do_not_tell_the_sentiment(corpus):
    train = corpus["train"]
    counts = {}
    for text, label in zip(train["text"], train["label"], strict=True):
        for word in set(text.split()):
            counts.setdefault(word, [0, 0])[label] += 1
    telling = {word for word, (negative, positive) in counts.items() if min(negative, positive) == 0}
    assert 300 <= len(counts) <= 450
    for word in ("noodles", "waiter", "hotel", "friday", "wife", "station", "birthday", "tires", "coffee"):
        assert 0.35 < counts[word][0] / sum(counts[word]) < 0.65, word
    tokens = [text.split() for text in train["text"]]
    shares = [sum(token in telling for token in sentence) for sentence in tokens]
    assert sum(shares) / len(shares) < 2
    assert max(shares) <= 4
