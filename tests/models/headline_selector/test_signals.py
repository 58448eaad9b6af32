"""What is known of each word from unpaired titles and articles."""

from __future__ import annotations

import pytest

from hf_arae.data.corpora.news import build_news, build_titles
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.headline_selector.layers import WEIGHTED
from hf_arae.models.headline_selector.signals import SIGNALS, headline_signals


@pytest.fixture(scope="module")
def corpus():
    articles, titles = build_news()["train"]["document"][:1500], build_titles()[:1500]
    tokenizer = train_tokenizer([*articles, *titles], style="news")
    return articles, titles, tokenizer, *headline_signals(articles, titles, tokenizer, vector_size=8)


def test_headline_words_have_a_higher_ratio_than_the_small_words_of_articles(corpus):
    *_, tokenizer, signals, _ = corpus
    vocabulary = tokenizer.get_vocab()
    ratio = signals[:, SIGNALS.index("ratio")]
    for word in ("the", "a", "said"):
        assert ratio[vocabulary[word]] < -0.5


def test_shape_size_and_order(corpus):
    *_, tokenizer, signals, selectable = corpus
    assert signals.shape == (len(tokenizer), len(SIGNALS) + 8) and signals.abs().max() <= 4
    assert signals.isfinite().all() and selectable.shape == (len(tokenizer),)
    assert SIGNALS[:4] == WEIGHTED[:4]


def test_marks_and_special_tokens_are_not_selectable_but_unknown_words_are(corpus):
    *_, tokenizer, _, selectable = corpus
    vocabulary = tokenizer.get_vocab()
    assert not selectable[[vocabulary["."], vocabulary[","], tokenizer.pad_token_id, tokenizer.eos_token_id]].any()
    assert selectable[tokenizer.unk_token_id] and selectable[vocabulary["the"]]


def test_the_same_texts_give_the_same_signals(corpus):
    articles, titles, tokenizer, signals, _ = corpus
    again, _ = headline_signals(articles, titles, tokenizer, vector_size=8)
    assert (again - signals).abs().max() < 1e-3


def test_no_titles_is_refused(corpus):
    with pytest.raises(ValueError, match="need articles and titles"):
        headline_signals(corpus[0], [], corpus[2])
