"""What nobody sees in a text, what web pages put for characters, quotation marks, and marks of other scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import load_dataset
from transformers import AutoTokenizer

from hf_arae.data.text.characters import whole_characters
from hf_arae.data.text.encoding import read_texts
from hf_arae.data.text.tokenization import train_tokenizer

SHARED = Path(__file__).parents[3] / "shared" / "data"
CARDS = Path(__file__).parents[2] / "model_cards"
PLAIN = "the food was bad ."
UNSEEN = "\u200b\ufeff\u00ad\u2060\u200e\u200f\u202a\u202e\u2066\u2069\u061c\u180e\u200c\u200d\ufe0f\u0000\u001b\u007f"


@pytest.fixture(scope="module", params=["sentence", "news"])
def tokenizer(request, tmp_path_factory):
    """As it comes out of its files, without this package's code."""
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer([PLAIN, "he said no !"], style=request.param).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def test_what_is_not_seen_is_not_read(tokenizer):
    expected = tokenizer(PLAIN)["input_ids"]
    for mark in UNSEEN:
        for text in (f"{mark}the food was bad .", f"the fo{mark}od was bad .", f"the food{mark} was bad .{mark}"):
            assert tokenizer(text)["input_ids"] == expected, f"U+{ord(mark):04X} in {text!r}"
    assert tokenizer(UNSEEN)["input_ids"] == tokenizer("")["input_ids"]
    assert tokenizer("the\u2028food\x1cwas\u3000bad\xa0.")["input_ids"] == expected


def test_the_training_texts_are_read_alike():
    with_marks = train_tokenizer(["\ufeffthe fo\u00adod was\u200b bad .", "he said no !"])
    assert with_marks.get_vocab() == train_tokenizer([PLAIN, "he said no !"]).get_vocab()


@pytest.mark.parametrize(
    "word",
    [
        "\U0001f469\u200d\U0001f469\u200d\U0001f467",  # a family
        "\U0001f468\U0001f3fd\u200d\U0001f680",  # an astronaut with a colour of skin
        "\U0001f3f3\ufe0f\u200d\U0001f308",  # a flag
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # another
        "1\ufe0f\u20e3",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian: "I want"
        "\u0915\u094d\u200d\u0937",  # Hindi: a half letter
        "\u0d05\u0d35\u0d28\u0d4d\u200d",  # Malayalam: "he", which ends on a joiner
    ],
)
def test_what_spells_a_word_stays(tokenizer, word):
    normalize = tokenizer.backend_tokenizer.normalizer.normalize_str
    # Digits are masked in news.
    assert normalize(f"bad {word} food").split()[1].replace("#", "1") == word


def test_zero_width_spaces_part_words_where_they_are_written_so(tokenizer):
    words = "\u0e01\u0e34\u0e19", "\u0e02\u0e49\u0e32\u0e27"  # Thai: "to eat rice"
    assert read_texts(["\u200b".join(words)], tokenizer) == [" ".join(words)]


@pytest.mark.parametrize("apostrophe", ["&#39;", "&#039;", "&#x27;", "&apos;", "&rsquo;", "&amp;#39;", "\u2019"])
def test_apostrophes_of_web_pages(tokenizer, apostrophe):
    read = tokenizer.backend_tokenizer.normalizer.normalize_str
    assert read(f"it wasn{apostrophe}t bad").split() == ["it", "was", "n't", "bad"]
    assert read(f"it was n{apostrophe}t bad").split() == ["it", "was", "n't", "bad"]


def test_other_entities_and_line_breaks_of_web_pages(tokenizer):
    read = read_texts(["bad food.<br /><br/>No&nbsp;more&hellip; <BR>1 &lt; 2", "<p>bad</p>"], tokenizer)
    number = "#" if tokenizer.backend_tokenizer.normalizer.normalize_str("1") == "#" else None
    assert read[0].split()[:5] == ["bad", "food", ".", "no", "more"]
    assert read[0].endswith(f"< {number or 2}") and "&" not in read[0] and "br" not in read[0]
    assert read[1] == "bad"
    sentences = train_tokenizer([PLAIN])
    assert read_texts(["salt &amp; pepper", "salt & pepper"], sentences) == ["salt & pepper"] * 2


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ('he said "great food" to us .', 'he said " great food " to us .'),
        ("he said \u201cgreat food\u201d to us .", 'he said " great food " to us .'),
        ("\u00abgreat food,\u00bb he said.", '" great food , " he said .'),
        ("&quot;No.&quot;", '" no . "'),
        ('("great")', '( " great " )'),
        ("he said 'great food' to us .", "he said ' great food ' to us ."),
        ("\u2018I can\u2019t,\u2019 he said.", "' i ca n't , ' he said ."),
        ("tell 'em it's the waiters' food", "tell 'em it 's the waiters ' food"),
        ("rock 'n' roll", "rock 'n' roll"),
    ],
)
def test_quotation_marks_stand_alone(typed, read):
    tokenizer = train_tokenizer([PLAIN])
    assert read_texts([typed], tokenizer) == [read]
    assert read_texts([read], tokenizer) == [read]


def test_quotation_marks_are_the_training_texts():
    tokenizer = train_tokenizer(["he said `` great food '' to us .", PLAIN])
    expected = "he said `` great food '' to us ."
    for typed in ('He said "great food" to us.', "he said \u201cgreat food\u201d to us .", expected):
        assert read_texts([typed], tokenizer) == [expected]
    assert read_texts(['"No."'], tokenizer) == ["`` no . ''"]


def test_only_latin_letters_lose_their_accents_in_news():
    tokenizer = train_tokenizer([PLAIN], style="news")
    assert read_texts(["Caf\u00e9 in Z\u00fcrich, Vi\u1ec7t"], tokenizer) == ["cafe in zurich , viet"]
    hindi, kana, russian = (
        "\u0939\u093f\u0928\u094d\u0926\u0940",
        "\u304b\u304e \u30d1\u30f3\u30c0",
        "\u0439\u043e\u0434",
    )
    for text in (hindi, kana, russian):
        assert read_texts([text], tokenizer) == [text]


def test_halves_of_characters():
    assert whole_characters("\ud83d the food") == "\ufffd the food"
    assert whole_characters("caf\udce9") == "caf\ufffd"
    assert whole_characters("\ud83d\ude00 \u00e9") == "\U0001f600 \u00e9"


def test_a_vocabulary_without_a_word_is_refused():
    with pytest.raises(ValueError, match="min_frequency is 100"):
        train_tokenizer([PLAIN], min_frequency=100)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no real data here")
@pytest.mark.parametrize(
    ("data", "column", "card"),
    [("yelp_sentiment", "text", "arae-yelp"), ("gigaword", "document", "ursae-news")],
)
def test_tokenized_corpora_are_left_as_they_are(data, column, card):
    texts = load_dataset(str(SHARED / data), split="test")[column][:]
    read = read_texts(texts, AutoTokenizer.from_pretrained(CARDS / card, trust_remote_code=False))
    changed = [text for text, other in zip(texts, read, strict=True) if text.lower().split() != other.split()]
    assert len(changed) <= len(texts) / 500, changed  # two of Gigaword's have a lone quotation mark
