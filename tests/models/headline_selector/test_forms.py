"""What headlines write for the words of articles."""

from __future__ import annotations

from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.headline_selector.forms import headline_form, headline_forms


def test_verbs_of_the_past_are_written_in_the_present_and_unions_of_states_short():
    tokenizer = train_tokenizer(["shares fell and rose", "shares fall in the european union", "eu"], style="news")
    vocabulary = tokenizer.get_vocab()
    forms, phrases = headline_forms(tokenizer)
    assert forms[vocabulary["fell"]] == vocabulary["fall"]
    assert forms[vocabulary["rose"]] == vocabulary["rose"]  # "rise" is not in the vocabulary
    assert forms[vocabulary["shares"]] == vocabulary["shares"]
    assert phrases.tolist() == [[vocabulary[word] for word in ("european", "union", "eu")]]


def test_the_form_of_a_word_depends_on_the_next():
    assert headline_form(["united", "states"], 0) == "us" and headline_form(["united", "front"], 0) == "united"
    assert headline_form(["it", "fell"], 1) == "fall" and headline_form(["it", "will", "rise"], 1) == "to"
