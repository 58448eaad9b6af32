"""Titles of other documents as labels."""

from __future__ import annotations

import pytest

from hf_arae.models.headline_selector.mining import mine_titles, stems, title_words

ARTICLES = [
    "coffee prices rose sharply in london trading on thursday , dealers said .",
    "the government said the harbour of quelm will be closed for repairs .",
    "coffee prices fell in london trading on monday , brokers said .",
    "the harbour of quelm opened to ships .",
]
TITLES = ["coffee prices fall in london", "harbour of quelm to close", "coffee prices rise in london"]


def test_stems_are_those_that_rouge_counts():
    assert stems("tie-up") == ("tie", "up") and stems(",") == () and stems("closed") == stems("closing")


def test_an_article_gets_the_most_similar_title_but_not_its_own():
    origins = ["a", "b", "c", "d"]
    assert (1, 1) in mine_titles(ARTICLES, TITLES, minimum_similarity=0.1)
    pairs = dict(mine_titles(ARTICLES, TITLES, origins, ["c", "b", "a"], minimum_similarity=0.1))
    assert pairs[0] == 0 and pairs[2] == 2  # each other's
    assert pairs.get(1) != 1


def test_the_most_similar_come_first_and_the_unlike_are_left_out():
    pairs = mine_titles(ARTICLES, TITLES, minimum_similarity=0.1)
    assert len(mine_titles(ARTICLES, TITLES, minimum_similarity=0.99)) < len(pairs)
    assert len({article for article, _ in pairs}) == len(pairs)


def test_words_of_the_title_are_marked_by_their_stems():
    assert title_words("prices rose , closing lower", "price closes low") == [1.0, 0.0, 0.0, 1.0, 0.0]
    assert title_words("prices rose", "price rise") == [1.0, 1.0]  # the headline form of "rose"


def test_articles_that_have_no_word_in_common_get_no_title():
    assert mine_titles(["coffee prices rose", "the harbour closed"], TITLES) == []


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="got 4 and 0"):
        mine_titles(ARTICLES, [])
    with pytest.raises(ValueError, match="minimum_similarity"):
        mine_titles(ARTICLES, TITLES, minimum_similarity=1.0)
