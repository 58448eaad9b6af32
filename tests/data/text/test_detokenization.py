import pytest

from hf_arae.data.text.detokenization import detokenize


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("the food was n't good .", "The food wasn't good."),
        ("i think i 'm done , and i 'd never go back !", "I think I'm done, and I'd never go back!"),
        ("they 're great ; it 's what we 'll eat , i 've said .", "They're great; it's what we'll eat, I've said."),
        ("ca n't wait . you ? me too !", "Can't wait. You? Me too!"),
        ("dr. smith 's office ( downtown ) is nice .", "Dr. smith's office (downtown) is nice."),
        ("well ... it is ok", "Well... it is ok"),
        ('he said " great food ! " twice .', 'He said "great food!" twice.'),
        ('" awful " .', '"Awful".'),
        ("$ _num_ for _num_ % off ?", "$_num_ for _num_% off?"),
        ('an open " quote stays', 'An open " quote stays'),
        ("ice cream in illinois", "Ice cream in illinois"),
        ("  too   many spaces  ", "Too many spaces"),
        ("", ""),
        (".", "."),
        ("_num_ stars", "_num_ stars"),
    ],
)
def test_words_become_a_sentence(words, sentence):
    assert detokenize(words) == sentence


@pytest.mark.parametrize("sentence", ["The food wasn't good.", "I'm here, at Dr. Smith's (again)!", 'He said "no".'])
def test_a_sentence_stays_as_it_is(sentence):
    assert detokenize(sentence) == sentence


def test_what_a_person_types_comes_back(tokenizer):
    words = tokenizer.decode(tokenizer("The food wasn't good.")["input_ids"], skip_special_tokens=True)
    assert words == "the food was n't good ."
    assert detokenize(words) == "The food wasn't good."
