"""Texts for what a model writes: what was kept stands as it is typed in the source."""

import random
import re

import pytest

from hf_arae.data.text.surface import surface_of, words_of
from hf_arae.data.text.tokenization import train_tokenizer

VOCABULARY = (
    "the food was n't great , but i ' ( ) ! ? ... . ; : $ \" - & it 's bad good service new york we waited _num_ "
    "hours in iphone usa a and never said do what of you 're"
)
ODD = [
    "I waited 2 hours in New York, and the waiter NEVER came back!!!",
    "the food was n't good .",
    "  \u201cAwful\u201d food\u2026 don\u2019t go, @joe! See http://x.com/a?b=1 #fun \U0001f600  ",
    "10 5 20 people, $5.99 for 2,000 (really) bad wings",
    "It's 5pm, AT&amp;T &quot;rocks&quot;<br>no",
    "\u00bd price \ufb01sh Stra\u00dfe cafe\u0301  ok .",
    "THE FOOD WAS BAD!!! WHAT??",
    "iPhone is bad. New York is bad.\nService was slow\t",
    "12:30 is bad at 3.",
    "Rated 3/5, 100% bad -- don't.",
    "\u4f60\u597d\u4e16\u754c",
    "na\u00efve fo\u00adod\u200b bad \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "12345",
    "...",
    "' '' \" `` 'tis \"bad\"",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 bad \U0001f44d\U0001f3fd",
    "<eos> <unk> _num_ bad",
    "\u0130stanbul bad \ufdfa x",
]


@pytest.fixture(scope="module", params=[VOCABULARY, VOCABULARY.replace('"', "`` ''").replace("_num_", "x")])
def reader(request):
    return train_tokenizer([request.param], max_length=200)


@pytest.fixture(scope="module")
def read(reader):
    def surface(text):
        ids = reader(text)["input_ids"][1:-1]
        return surface_of(text, words_of(reader.backend_tokenizer, text), reader.convert_ids_to_tokens(ids))

    return surface


@pytest.fixture(scope="module")
def reads_numbers(read):
    if "<unk>" in read("_num_").tokens:
        pytest.skip("a vocabulary without numbers")


def odd_texts(count=300, seed=0):
    """Texts of odd pieces, one after the other."""
    draw = random.Random(seed)
    pieces = [piece for text in ODD for piece in re.findall(r"\S+", text)] + ["Caf\u00e9s", "I'm", "U.S.", "'em", "$5"]
    joints = (" ", " ", " ", "  ", "\n", "", "\u00a0")
    for _ in range(count):
        yield "".join(draw.choice(pieces) + draw.choice(joints) for _ in range(draw.randint(1, 12)))


def test_a_copy_is_the_source(read):
    """Exactly, whatever it is: also word by word, as a difference elsewhere makes it."""
    for text in [*ODD, *odd_texts()]:
        surface = read(text)
        assert surface.write(surface.tokens) == text
        starts, ends = zip(*surface.spans, strict=True)
        assert all(a <= b for a, b in surface.spans) and all(a <= b for a, b in zip(ends, starts[1:], strict=False))
        gaps = [text[: starts[0]], *map(surface.gap, range(1, len(starts))), text[ends[-1] :]]
        assert not "".join(gaps).strip()  # whatever is seen belongs to a word


def test_all_but_one_word_stays_as_it_is_typed(read):
    """A word in the middle is another one: what stands before and behind it is copied to the letter."""
    tried = 0
    for text in odd_texts(200, seed=1):
        surface = read(text)
        for place in range(2, len(surface.tokens) - 2):
            (start, end), tokens = surface.spans[place], list(surface.tokens)
            clear = surface.gap(place).strip(" ") == "" == surface.gap(place + 1).strip(" ")
            ends = text[end - 1 : end] in (".", "!", "?")  # the word behind it begins a sentence, and then does not
            if tokens[place] in ("<unk>", "_num_", "zebra") or ends or start == end or not clear:
                continue
            tokens[place] = "zebra"
            written = surface.write(tokens)
            before, after = text[: surface.spans[place - 1][1]], text[surface.spans[place + 1][0] :]
            assert written.startswith(before) and written.endswith(after), (text, written)
            assert written[len(before) : len(written) - len(after)].strip().lower() == "zebra"
            tried += 1
    assert tried > 200


def test_neither_token_is_ever_printed(read):
    draw = random.Random(2)
    for text in ODD:
        if "_num_" in text:
            continue
        surface = read(text)
        for _ in range(20):
            tokens = draw.choices([*surface.tokens, "<unk>", "_num_", "bad", "``", "."], k=draw.randint(1, 9))
            written = surface.write(tokens)
            assert "_num_" not in written and "<unk>" not in written.replace("<unk>" if "<unk>" in text else "\0", "")


@pytest.mark.parametrize(
    ("source", "output", "written"),
    [
        ("The food was bad.", "the service is n't great !", "The service isn't great!"),
        ("The food was bad.", "great food .", "Great food."),
        ("The food was bad.", "i said the food was good .", "I said the food was good."),
        ("New York is bad.", "i said new york is good !", "I said New York is good!"),
        ("I said New York is bad.", "new york is good .", "New York is good."),
        ("I never said New York is bad", "it 's new york", "It's New York"),
        ("We said USA, bad USA", "usa , and the food", "USA, and the food"),
        ("The iPhone and the USA was BAD.", "the iphone was good in the usa .", "The iPhone was good in the USA."),
        ("the food was bad .", "i 'm in new food , it 's good .", "i 'm in new food , it 's good ."),
        ("the food was bad.", "i 'm in new food , it 's good .", "i'm in new food, it's good."),
        ("bad food at Joe's.", "we said i was good . great", "we said I was good. great"),
        ("25 bad hours, 3 days.", "great hours .", "Great hours."),  # what begins with a digit shows no case
        ("25 hours, i waited.", "we waited .", "we waited."),
        ("@joe the food was bad.", "great food .", "great food."),
        ("@joe The food was bad.", "great food .", "Great food."),
        ("FOOD WAS BAD!!", "the food was n't bad . great", "THE FOOD WASN'T BAD. GREAT"),
        ("Iphone, New York", "i said iphone .", "I said iphone."),
        ("Don\u2019t go, it was bad.", "it was n't good .", "It wasn\u2019t good."),
        ('He said "bad food" twice.', 'he said " great " food twice .', 'He said "great" food twice.'),
        ("Bad.\nService was bad.", "good . great service was good .", "Good.\nGreat service was good."),
        ("The ( bad ) food .", "the ( very good ) food .", "The ( very good ) food ."),
        ("(Bad) food.", "( very good ) food .", "(Very good) food."),
        ("Bad.", "`` it 's good , '' i said .", '"It\'s good," I said.'),
    ],
)
def test_new_words_are_written_in_the_way_of_the_source(source, output, written, reader, read):
    if "``" in reader.get_vocab():
        output = re.sub('" ([^"]*) "', r"`` \1 ''", output)
    assert read(source).write(output.split()) == written


@pytest.mark.parametrize(
    ("source", "output", "written"),
    [
        ("Ann waited 2 hours in Rome, 3 days!", "i waited _num_ hours in <unk> !", "I waited 2 hours in Rome!"),
        ("2 Bad hours, 3 food", "good for _num_ food", "Good for 3 food"),  # aligned, and not merely the first one
        ("Ann bad", "good <unk>", "Good Ann"),
        ("Ann bad 5", "_num_ good <unk> <unk> _num_ , _num_ good", "Good Ann 5, good"),
        ("$5 For Bad food", "good for $ _num_ and $ _num_", "Good for $5 and $"),
        ("bad", "<unk> _num_", ""),
        ("@joe: http://a.b/c?d=1, #fun 5pm", "<unk> : <unk> , good <unk>", "@joe: http://a.b/c?d=1, good #fun"),
    ],
)
def test_numbers_and_unknown_words_are_the_source_s(source, output, written, read, reads_numbers):
    assert read(source).write(output.split()) == written


def test_unknown_words_are_named_as_they_are_typed(read):
    assert read("Ann\u2019s f\u00f6od, @Joe!!").unknown_words == ["Ann", "f\u00f6od", "@Joe"]
    assert read("the food").unknown_words == []


def test_a_text_that_is_cut(read, reader):
    text = "The FOOD was bad,  really!"
    words = words_of(reader.backend_tokenizer, text)
    cut = surface_of(text, words, words[:3])
    assert cut.write(cut.tokens) == "The FOOD was" and cut.write(["the", "food", "is"]) == "The FOOD is"


def test_long_texts_take_their_time_once(read):
    """Ten thousand words, with something odd at both ends, in time that grows with their number."""
    text = "Don\u2019t GO!! " + "The FOOD was bad, 10 <br> times. " * 3_000 + "What\u2026??"
    surface = read(text)
    assert surface.write(surface.tokens) == text
    shown = [surface.shown(place) for place in range(len(surface.tokens))]
    assert shown.count("FOOD") == 3_000 and shown[-1] == "??" and shown[-2] == "\u2026"
    assert "".join("".join(shown).split()) == "".join(text.split())
