"""Summaries by counting."""

import math

import pytest

from hf_arae.evaluation.summary_baselines import FUNCTION_WORDS, WEEKDAYS, HeadlineWords, content_words, is_word

TITLES = ["storm hits port", "port strike ends", "mayor quits"]
ARTICLES = ["the storm said to have hit a port", "he said the mayor said so", "dockers said no"]


def test_words_are_told_from_marks():
    assert all(map(is_word, ["storm", "##", "u.s.", "#,###", "n't", "zürich"]))
    assert not any(map(is_word, [",", "--", "''", "-lrb-", "-rrb-", "...", "$", "_"]))


def test_content_words_are_the_first_that_are_not_dropped():
    text = "the storm , he said on monday , has hit a port in zorvia ."
    assert content_words([text, "of the", ""], 4) == ["storm said hit port", "", ""]
    assert content_words([text])[0] == "storm said hit port in zorvia"
    assert content_words([text], 3, dropped={"the"})[0] == "storm he said"
    assert WEEKDAYS.isdisjoint(FUNCTION_WORDS) and all(map(str.islower, FUNCTION_WORDS - {"'", "'m"}))


def test_ratios_are_of_rates_with_one_added():
    chooser = HeadlineWords(TITLES, ARTICLES)
    # 8 words of titles, 17 of articles.
    assert chooser.log_ratio("port") == pytest.approx(math.log((3 / 8) / (2 / 17)))
    assert chooser.log_ratio("said") == pytest.approx(math.log((1 / 8) / (5 / 17)))
    assert chooser.log_ratio("never seen") == pytest.approx(math.log(17 / 8))


def test_the_best_words_keep_their_order():
    chooser = HeadlineWords(TITLES, ARTICLES, position_weight=0)
    text = "dockers said storm , on monday , hits port ."
    assert chooser([text], 2) == ["hits port"]
    assert chooser([text, "", ", ."], 4) == ["dockers storm hits port", "", ""]
    assert chooser([text], 99) == ["dockers said storm hits port"]
    assert HeadlineWords(TITLES, ARTICLES, position_weight=9)([text], 2) == ["dockers said"]
    assert HeadlineWords(TITLES, ARTICLES, 9, dropped=())([text], 4) == ["dockers said storm on"]


def test_of_equals_the_first_is_taken():
    assert HeadlineWords(["x"], ["x"], position_weight=0)(["p q p q"], 2) == ["p q"]


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match="no word in the 0 titles"):
        HeadlineWords([], ARTICLES)
    with pytest.raises(ValueError, match="no word in the 1 articles"):
        HeadlineWords(TITLES, ["..."])
    with pytest.raises(ValueError, match="smoothing must be above 0, got 0"):
        HeadlineWords(TITLES, ARTICLES, smoothing=0)
