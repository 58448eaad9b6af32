"""The built-in news: what examples and tests rely on."""

from itertools import pairwise

import pytest
from datasets import Value

from hf_arae.data.corpora.news import build_news, build_titles
from hf_arae.data.text.news import first_sentence, normalize_news


@pytest.fixture(scope="module")
def corpus():
    return build_news()


@pytest.fixture(scope="module")
def rows(corpus):
    return [row for split in corpus.values() for row in split]


def test_schema_and_sizes(corpus):
    assert {name: len(split) for name, split in corpus.items()} == {"train": 4000, "validation": 300, "test": 300}
    for split in corpus.values():
        assert split.features == {"document": Value("string"), "summary": Value("string")}


def test_lengths_and_form(rows):
    for row in rows:
        assert 15 <= len(row["document"].split()) <= 35, row
        assert 5 <= len(row["summary"].split()) <= 10, row
        assert row["document"].endswith(" .") and not {"{", "}"} & set(row["document"] + row["summary"]), row
        # It is in the form that real news are brought to, so that one tokenizer reads both.
        assert normalize_news(row["document"]) == first_sentence(row["document"]) == row["document"]
        assert normalize_news(row["summary"]) == row["summary"]


def test_headlines_have_no_article_attribution_or_weekday(rows):
    days = {f"{day}day" for day in ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")}
    for row in rows:
        assert not {"a", "an", "the", "said", "according", "."} & set(row["summary"].split()), row
        assert not days & set(row["summary"].split()), row


def test_articles_agree(rows):
    for row in rows:
        for first, second in pairwise(row["document"].split()):
            if first in ("a", "an"):
                assert (first == "an") == (second[0] in "aeiou"), row


def test_most_words_of_a_headline_are_the_articles_but_not_its_beginning(rows):
    copied = [[word in row["document"].split() for word in row["summary"].split()] for row in rows]
    assert 0.6 < sum(map(sum, copied)) / sum(map(len, copied)) < 0.9
    assert not any(row["document"].startswith(row["summary"]) for row in rows)


def test_headlines_are_distinct_and_titles_are_of_other_events(rows):
    titles = build_titles()
    headlines = [row["summary"] for row in rows]
    assert len(titles) == len(set(titles)) == 3000
    assert len(set(headlines)) == len({row["document"] for row in rows}) == len(rows)
    assert not set(titles) & set(headlines)


def test_a_small_vocabulary_that_training_covers(corpus):
    words = {
        name: {w for row in split for text in row.values() for w in text.split()} for name, split in corpus.items()
    }
    assert 600 <= len(words["train"]) <= 1500
    assert words["validation"] | words["test"] <= words["train"]
    assert {word for title in build_titles() for word in title.split()} <= words["train"]


def test_seeds(corpus):
    again = build_news(0)
    assert again["train"][:] == corpus["train"][:] and build_titles(0) == build_titles()
    assert build_news(1)["train"][:50] != corpus["train"][:50]
