"""The tokenizer: what a person types, what stays text, what is saved."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from hf_arae.data.text.tokenization import SPECIAL_TOKENS, train_tokenizer

TEXTS = [
    "the food was awful !",
    "it 's $ _num_ , and the staff did n't care .",
    "we 'll be back , dr. smith ...",
    "a < eos > b mask",
    "( really )",
]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, max_length=10)


def words(tokenizer, text: str) -> list[str]:
    return tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])[1:-1]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("The food was AWFUL!", "the food was awful !"),
        ("The food was awful!!!  ", "the food was awful !"),
        ("It's $5.99, and the staff didn\u2019t care.", "it 's $ _num_ , and the staff did n't care ."),
        ("We'll be back, Dr. Smith...", "we 'll be back , dr. smith ..."),
        ("(really)", "( really )"),
    ],
)
def test_typed_text_reads_like_the_corpus(tokenizer, typed, read):
    assert words(tokenizer, typed) == read.split()


def test_corpus_text_is_left_as_it_is(tokenizer):
    for text in TEXTS:
        assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


@pytest.mark.parametrize("token", SPECIAL_TOKENS)
def test_a_literal_special_token_stays_text(tokenizer, token):
    ids = tokenizer(f"a {token} b {token}")["input_ids"]
    frame = [tokenizer.bos_token_id, tokenizer.eos_token_id]
    assert [ids[0], ids[-1]] == frame
    inside = {tokenizer.convert_tokens_to_ids(name) for name in SPECIAL_TOKENS} - {tokenizer.unk_token_id}
    assert not set(ids[1:-1]) & inside


def test_the_sentences_of_a_pair_are_framed_each(tokenizer):
    ids = tokenizer(["awful"], ["the food"], return_tensors="pt")["input_ids"][0]
    assert tokenizer.convert_ids_to_tokens(ids) == ["<bos>", "awful", "<eos>", "<bos>", "the", "food", "<eos>"]


def test_it_survives_saving(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for text in [*TEXTS, "a <eos> b", "The FOOD was awful?!", "unheard words", ""]:
        assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert loaded.model_max_length == 12


def test_unknown_words_and_empty_text(tokenizer):
    assert words(tokenizer, "zebra food") == ["<unk>", "food"]
    assert tokenizer("")["input_ids"] == [1, 2]
    assert tokenizer("   ")["input_ids"] == [1, 2]


def test_numbers_stay_words_where_the_corpus_has_them_as_words():
    tokenizer = train_tokenizer(["take 5 steps", "5 or 6"])
    assert words(tokenizer, "take 5 steps") == ["take", "5", "steps"]


def test_the_vocabulary_does_not_depend_on_the_order_of_the_texts():
    assert train_tokenizer(TEXTS).get_vocab() == train_tokenizer(TEXTS[::-1]).get_vocab()


def test_limits():
    assert len(train_tokenizer(TEXTS, vocab_size=8)) == 8
    assert words(train_tokenizer(["a a b"], min_frequency=2), "a b") == ["a", "<unk>"]
    ids = train_tokenizer(TEXTS, max_length=3)("the food was awful !", truncation=True)["input_ids"]
    assert len(ids) == 5 and ids[-1] == 2


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [([], {}, "hold no word"), ([" ", ""], {}, "hold no word"), (TEXTS, {"vocab_size": 5}, "must exceed")],
)
def test_nothing_to_learn_from_is_an_error(texts, options, message):
    with pytest.raises(ValueError, match=message):
        train_tokenizer(texts, **options)


NEWS = ["japan 's nec corp. said `` no '' to #,### u.s. workers .", "unk hits &amp; misses -lrb- again -rrb-"]


@pytest.fixture(scope="module")
def news_tokenizer():
    return train_tokenizer(NEWS, max_length=20, style="news")


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("Japan\u2019s NEC Corp. said \u201cno\u201d to 1,200 U.S. workers.", NEWS[0]),
        ("UNK <NEC> hits & <unk> (again)", "unk hits &amp; unk -lrb- again -rrb-"),
        ("hits zebras", "hits <unk>"),
        ("<pad> <eos> again", "<unk> <unk> again"),
    ],
)
def test_typed_news_reads_like_the_corpus(news_tokenizer, tmp_path, typed, read):
    assert words(news_tokenizer, typed) == read.split()
    # Out of what is saved, without this package.
    news_tokenizer.save_pretrained(tmp_path)
    assert words(AutoTokenizer.from_pretrained(tmp_path), typed) == words(news_tokenizer, typed)


def test_news_are_left_as_they_are(news_tokenizer):
    for text in NEWS:
        assert news_tokenizer.decode(news_tokenizer(text)["input_ids"], skip_special_tokens=True) == text
    assert news_tokenizer("")["input_ids"] == news_tokenizer(" \n")["input_ids"] == [1, 2]
    assert news_tokenizer.model_max_length == 22


def test_raw_news_give_the_vocabulary_of_news_that_are_rewritten():
    raw = ['Japan\'s NEC Corp. said "no" to 1,200 U.S. workers.']
    assert train_tokenizer(raw, style="news").get_vocab() == train_tokenizer(NEWS[:1], style="news").get_vocab()


def test_unknown_style_is_an_error():
    with pytest.raises(ValueError, match="one of sentence, news, got 'tweet'"):
        train_tokenizer(TEXTS, style="tweet")
