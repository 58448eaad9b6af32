"""The built-in corpus: short reviews with a sentiment, written by a small grammar.

It needs no network and no files, so that examples and tests run anywhere, and it is built for unaligned style
transfer: *what* a sentence is about (aspect, kind of place, time, people, landmark) is drawn without looking at the
label, and the sentiment stands only in a few opinion slots. A good transfer therefore keeps most of the words.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import cache

from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

LABELS = ["negative", "positive"]
SPLIT_SIZES = {"train": 24_000, "validation": 1_000, "test": 1_000}

# One bucket of word pairs in this many goes to validation and one to test (see `build_reviews`).
_PAIR_BUCKETS = 50


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split(","))


@dataclass(frozen=True)
class _Noun:
    """A thing or a person that a review is about."""

    word: str
    kind: str  # which adjectives and verbs fit: a key of _ADJECTIVES and perhaps of _VERBS
    number: str  # "count" (a soup), "mass" (rice) or "plural" (noodles)


@dataclass(frozen=True)
class _Domain:
    places: tuple[str, ...]
    things: tuple[_Noun, ...]
    staff: tuple[_Noun, ...]


def _sections(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Blocks parted by blank lines, each as its first line and the others."""
    blocks = [[line.strip() for line in block.strip().splitlines()] for block in text.strip().split("\n\n")]
    return [(head, tuple(lines)) for head, *lines in blocks]


def _domain(places: str, lines: tuple[str, ...]) -> _Domain:
    nouns: list[_Noun] = []
    for line in lines:
        kind, words = line.split(":")
        for number, listed in zip(("count", "mass", "plural"), words.split("|"), strict=True):
            nouns += [_Noun(word, kind, number) for word in listed.split()]
    things = tuple(noun for noun in nouns if noun.kind != "person")
    return _Domain(_phrases(places), things, tuple(noun for noun in nouns if noun.kind == "person"))


# --------------------------------------------------------------------------- content, independent of the label

# Places, then per kind of noun: countable | mass | plural.
_DOMAINS = tuple(
    _domain(places, lines)
    for places, lines in _sections("""
    thai restaurant, italian restaurant, mexican place, indian place, greek place, diner, steakhouse, pub, buffet
    dish: soup salad steak burger curry dessert | chicken pasta rice fish bread | noodles fries dumplings ribs
    thing: menu | service music | prices portions
    person: waiter waitress chef manager | | waiters cooks

    cafe, bakery, coffee shop, tea room, donut shop
    snack: cake sandwich breakfast | coffee tea | muffins cookies pancakes
    thing: | service | prices seats
    person: barista baker cashier | | waiters

    hotel, motel, hostel, inn, beach resort
    stay: room suite cabin | |
    room: bed pool bathroom lobby | | towels pillows sheets
    thing: view | parking |
    person: receptionist manager | | maids porters

    shoe store, furniture store, gift shop, flea market
    goods: jacket sofa lamp dress | | shoes boots jeans chairs
    thing: selection | service | prices
    person: clerk salesman cashier | | clerks

    hospital, dental office, eye clinic, animal clinic
    work: checkup exam treatment operation | |
    part: | medicine advice | pills drops
    thing: | care |
    person: doctor nurse assistant | | doctors nurses

    garage, car wash, tire shop, body shop
    work: repair inspection | paintwork |
    part: | | tires brakes wheels wipers
    thing: | service | prices
    person: mechanic salesman | | mechanics

    hair salon, barber shop, nail studio, day spa
    work: haircut massage manicure | |
    thing: | music lighting | prices
    person: barber stylist | | stylists

    gym, yoga studio, dance school
    lesson: class lesson course | |
    room: | | showers lockers
    thing: | equipment |
    person: trainer teacher | | trainers
    """)
)
# What customers do with a noun of a kind; nothing with what is merely there, like a lobby.
_VERBS = {
    "dish": _words("ordered tried had shared"),
    "snack": _words("ordered tried had shared"),
    "goods": _phrases("bought, ordered, picked up"),
    "part": _phrases("got, bought, paid for"),
    "stay": _phrases("booked, paid for"),
    "work": _phrases("booked, paid for"),
    "lesson": _phrases("booked, paid for, tried"),
}

# subject, the pronoun that takes it up again, object
_PEOPLE = tuple(
    tuple(entry.split("/"))
    for entry in _phrases(
        "we/we/us, my wife/she/my wife, my husband/he/my husband, my mother/she/my mother, my father/he/my father,"
        "my sister/she/my sister, my brother/he/my brother, my daughter/she/my daughter, my son/he/my son,"
        "my parents/they/my parents, our friends/they/our friends, our neighbors/they/our neighbors"
    )
)

# Slots whose value depends on nothing else.
_CONTENT = {
    "size": _words("little new small old big local busy"),
    "mark": _words("station airport river park harbor museum church beach university library"),
    "time": _phrases(
        "yesterday, last night, last week, last month, last summer, this morning, on monday, on friday, on saturday,"
        "on sunday, in april, in october, after work, after school, before the game, before the concert, at noon"
    ),
    "event": _words("birthday anniversary evening weekend vacation reunion party wedding"),
    "effort": _words("money drive trip wait time price"),
    "dollars": _words("ten twelve twenty thirty forty fifty"),
    "said": _phrases("said that, wrote that, thought that"),
    "asked": _words("questions calls emails requests"),
}

# --------------------------------------------------------------------------- opinions: (negative, positive)

_GENERAL = (
    _words("terrible awful horrible dreadful appalling dismal disappointing lousy mediocre bad"),
    _words("excellent wonderful fantastic amazing perfect superb great impressive lovely good"),
)
_CLEAN = (_words("filthy dirty shabby"), _words("spotless clean tidy"))
# Adjectives that fit one kind of noun only.
_ADJECTIVES = {
    "thing": _GENERAL,
    "part": _GENERAL,
    "lesson": _GENERAL,
    "dish": (_words("tasteless disgusting bland"), _words("delicious tasty fresh")),
    "snack": (_words("tasteless disgusting stale bland"), _words("delicious tasty fresh")),
    "room": _CLEAN,
    "stay": _CLEAN,
    "goods": (_words("ugly flimsy hideous"), _words("stylish elegant gorgeous")),
    "work": (_words("sloppy amateurish careless"), _words("flawless professional thorough")),
    "person": (
        _words("rude unfriendly unhelpful arrogant grumpy lazy impatient"),
        _words("polite friendly helpful courteous cheerful attentive patient"),
    ),
}
# Adjectives that are extreme already are not graded: "absolutely awful" but "very bad".
_EXTREME = frozenset(
    _words(
        "terrible awful horrible dreadful appalling dismal excellent wonderful fantastic amazing perfect superb great"
        " tasteless disgusting delicious filthy spotless hideous gorgeous flawless"
    )
)
_DEGREES = {True: _words("absolutely simply just truly"), False: _words("very really so quite pretty")}

_OPINIONS = {
    "general": _GENERAL,
    "unlike": (_phrases("not good, not great, not good at all"), _phrases("not bad, not bad at all")),
    "felt": (_words("hated disliked detested"), _words("loved liked adored")),
    "tasted": (_words("hated regretted"), _words("loved enjoyed")),
    "feel": (_words("hate dislike"), _words("love adore")),
    "left": (_words("angry upset annoyed disappointed"), _words("happy satisfied delighted pleased")),
    "will": (_phrases("never, never ever, certainly not"), _phrases("definitely, gladly, happily")),
    "advise": (_phrases("can not, would never"), _phrases("highly, warmly")),
    "worth": (_words("not hardly never"), _words("well totally definitely")),
    "exclaim": (_words("disaster mess nightmare"), _words("delight treat pleasure")),
    "stars": (_phrases("one star, zero stars"), _phrases("five stars, top marks")),
    "tell": (_phrases("only complaints about, no praise for"), _phrases("no complaints about, only praise for")),
    "fan": (_phrases("no longer, not, hardly"), _phrases("still, definitely")),
    "alas": (_words("unfortunately sadly"), _words("luckily thankfully")),
    "than": (_words("worse"), _words("better")),
    "most": (_words("worst poorest"), _words("best finest")),
    "affected": (_words("ruined spoiled wrecked"), _words("made saved brightened")),
    "urge_thing": (_words("avoid skip"), _words("try get")),
    "urge_place": (_phrases("avoid, do not visit"), _phrases("visit, do not miss")),
    "done": (_words("badly poorly"), _words("perfectly beautifully expertly")),
    "manner": (_words("rudely coldly impatiently"), _words("politely warmly kindly")),
    "handled": (_words("ignored insulted offended"), _words("welcomed helped charmed")),
}

# --------------------------------------------------------------------------- templates
_AGREEMENT = {  # slot: (singular, plural)
    "was": ("was", "were"),
    "is": ("is", "are"),
    "it": ("it", "they"),
    "them": ("it", "them"),
}
# No template carries a sentiment of its own. Slots that agree with the noun: {was} {is} {it} {them} {some} (its
# indefinite article, if it takes one); {he} takes up {who}; {did} is what people do with the noun; {good} is an
# adjective that fits the noun and {very} a degree that fits the adjective. "a" becomes "an" afterwards.

_TEMPLATES = dict(
    _sections("""
    item
    {who} {did} {some} {good} {noun} .
    {who} {did} the {noun} {time} and {it} {was} {good} .
    {who} {did} the {noun} and {felt} {them} .
    {time} {who} {did} the {noun} and {he} {felt} {them} .
    i {tasted} the {noun} that {who} {did} {time} .
    i {tasted} the {good} {noun} {who} {did} here .
    {who} {did} {some} {good} {noun} at this {place} .
    {who} {did} the {good} {noun} and left {left} .
    i have {tell} the {noun} {who} {did} .
    the {noun} {who} {did} {was} {very} {good} .
    the {noun} cost {dollars} dollars and {was} {good} .
    for {dollars} dollars , the {noun} {was} {unlike} .
    {urge_thing} the {noun} at the {place} near the {mark} .
    the {noun} {who} {did} {was} {worth} worth the {effort} .
    what a {exclaim} the {noun} {was} {time} !

    thing
    the {noun} at this {size} {place} {was} {good} .
    the {noun} at the {place} near the {mark} {was} {good} .
    {time} the {noun} {was} {very} {good} .
    what {some} {good} {noun} !
    the {noun} {was} {very} {good} .
    {who} {felt} the {good} {noun} .
    {urge_thing} the {noun} here !
    {who} {felt} the {noun} at this {size} {place} .
    i {feel} the {noun} at the {place} by the {mark} .
    {stars} for the {good} {noun} at this {place} !
    {who} {said} the {noun} {was} {very} {good} .
    {alas} , the {noun} {was} {good} {time} .
    i am {fan} a fan of the {noun} here .
    the {noun} {is} {than} than at the {place} near the {mark} .
    this {size} {place} has the {most} {noun} in town .
    {some} {good} {noun} at a {size} {place} by the {mark} .
    the {good} {noun} {affected} our {event} at this {place} .
    the {noun} {was} {unlike} when {who} came {time} .
    the {noun} and the {other} were {general} .
    i will {will} come back , the {noun} {was} {good} .
    {urge_place} this {place} , the {noun} {is} {very} {good} .

    work
    the {noun} at this {place} was {done} done .
    {who} {did} {some} {noun} {time} and it was {done} done .
    {time} the {noun} at the {size} {place} was {done} done .

    staff
    the {noun} here {was} {very} {good} .
    the {noun} treated {whom} {manner} {time} .
    the {good} {noun} {handled} {whom} .
    the {noun} at the {place} near the {mark} {handled} {whom} .
    the {noun} answered our {asked} {manner} .
    the {good} {noun} at this {place} answered my {asked} {manner} .
    {some} {good} {noun} at a {size} {place} by the {mark} .
    {who} {said} the {noun} {was} {very} {good} .
    {alas} , the {noun} at the {place} {was} {good} .
    the {good} {noun} {affected} our {event} .
    {who} came {time} and the {noun} {was} {good} .
    {who} {felt} the {noun} at this {size} {place} .

    place
    i will {will} come back to this {size} {place} .
    {who} will {will} come back to the {place} near the {mark} .
    i {advise} recommend the {size} {place} near the {mark} .
    {urge_place} the {size} {place} by the {mark} .
    {who} went to this {place} {time} and left {left} .
    {who} {felt} this {size} {place} near the {mark} .
    our {event} at this {size} {place} was a {exclaim} .
    this {place} near the {mark} is {very} {good} .
    this {size} {place} is {worth} worth the {effort} .
    {stars} for this {good} {place} by the {mark} !
    the {place} near the {mark} is {than} than the old one .
    """)
)
# How often each kind of sentence is drawn.
_SUBJECTS, _WEIGHTS = zip(*{"item": 30, "thing": 35, "work": 4, "staff": 18, "place": 13}.items(), strict=True)
_THINGS = [(domain, noun) for domain in _DOMAINS for noun in domain.things]
_NOUNS = {
    "item": [(domain, noun) for domain, noun in _THINGS if noun.kind in _VERBS],
    "thing": _THINGS,
    "work": [(domain, noun) for domain, noun in _THINGS if noun.kind == "work"],
    "staff": [(domain, noun) for domain in _DOMAINS for noun in domain.staff],
    "place": [(domain, _Noun(word="", kind="thing", number="count")) for domain in _DOMAINS],
}

# The words whose combinations are held out: nouns, the first word of each kind of place, landmarks, one-word opinions.
_KEY_WORDS = frozenset(
    [noun.word for domain in _DOMAINS for noun in domain.things + domain.staff]
    + [place.split()[0] for domain in _DOMAINS for place in domain.places]
    + list(_CONTENT["mark"])
    + [word for pair in (*_ADJECTIVES.values(), *_OPINIONS.values()) for word in sum(pair, ()) if " " not in word]
)


def _write(rng: random.Random, label: int) -> str:
    """One sentence, its tokens separated by single spaces."""
    subject = rng.choices(_SUBJECTS, _WEIGHTS)[0]
    domain, noun = rng.choice(_NOUNS[subject])
    # Half general and half fitting, so that no list drowns in the other.
    adjective = rng.choice(_ADJECTIVES[rng.choice(("thing", noun.kind))][label])
    values = {slot: rng.choice(choices) for slot, choices in _CONTENT.items()}
    values |= {slot: rng.choice(choices[label]) for slot, choices in _OPINIONS.items()}
    values |= {slot: forms[noun.number == "plural"] for slot, forms in _AGREEMENT.items()}
    values |= zip(("who", "he", "whom"), rng.choice(_PEOPLE), strict=True)
    values |= {
        "noun": noun.word,
        "other": rng.choice([other.word for other in domain.things if other is not noun]),
        "some": "a" if noun.number == "count" else "",
        "did": rng.choice(_VERBS.get(noun.kind, ("",))),
        "place": rng.choice(domain.places),
        "good": adjective,
        "very": rng.choice(_DEGREES[adjective in _EXTREME]),
    }
    tokens = rng.choice(_TEMPLATES[subject]).format_map(values).split()
    for position, following in enumerate(tokens[1:]):
        if tokens[position] == "a" and following[0] in "aeiou":
            tokens[position] = "an"
    return " ".join(tokens)


@cache
def _bucket(pair: tuple[str, str]) -> int:
    digest = hashlib.blake2b(" ".join(pair).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _PAIR_BUCKETS


def _split_of(text: str) -> str | None:
    """The split that a sentence belongs to, or None if it holds a validation pair and a test pair."""
    keys = sorted(_KEY_WORDS.intersection(text.split()))
    buckets = {_bucket((first, second)) for i, first in enumerate(keys) for second in keys[i + 1 :]}
    if {0, 1} <= buckets:
        return None
    return "validation" if 0 in buckets else "test" if 1 in buckets else "train"


def build_reviews(seed: int = 0) -> DatasetDict:
    """Builds the corpus: 24 000 training, 1 000 validation, 1 000 test reviews, all distinct, half of them positive.

    Texts are lower-cased and space-tokenised, of 4 to 15 tokens, and end with a punctuation token. The labels
    take turns while sentences are drawn; template, noun, place, people, time and the like are drawn without regard to
    the label, and only the opinions (one to four tokens, 1.4 on average) depend on it.

    The held-out splits consist of unseen combinations of seen words. Take the *key words* of a sentence: its nouns
    (what or who is reviewed), the first word of the kind of place, the landmark, and the opinions of a single word.
    Each unordered pair of key words falls, by a hash of the two words that does not depend on `seed`, into one of 50
    buckets; bucket 0 belongs to validation, bucket 1 to test, the others to training. Hence

    - no pair of bucket 0 or 1 stands together in any training sentence;
    - each validation sentence holds at least one pair of bucket 0 and none of bucket 1; each test sentence at least
      one of bucket 1 and none of bucket 0; so no sentence is in two splits, whatever the seeds;
    - each word of the validation and test splits does occur in training.

    Args:
        seed: which sentences are drawn. The same seed gives the same corpus.

    Returns:
        A `DatasetDict` with the splits `train`, `validation` and `test`, and the columns `text` (`Value("string")`)
        and `label` (`ClassLabel(names=["negative", "positive"])`).
    """
    rng = random.Random(seed)
    drawn: dict[str, dict[str, int]] = {split: {} for split in SPLIT_SIZES}  # of each split, sentence -> label
    missing = {(split, label): size // 2 for split, size in SPLIT_SIZES.items() for label in range(len(LABELS))}
    label = 0
    while any(missing.values()):
        label = 1 - label
        text = _write(rng, label)
        split = _split_of(text)
        if split is not None and missing[split, label] and text not in drawn[split]:
            drawn[split][text] = label
            missing[split, label] -= 1

    features = Features({"text": Value("string"), "label": ClassLabel(names=LABELS)})
    corpus = DatasetDict()
    for split, labels in drawn.items():
        # The last sentences drawn are those of one label only: mix them in.
        texts = list(labels)
        rng.shuffle(texts)
        columns = {"text": texts, "label": [labels[text] for text in texts]}
        corpus[split] = Dataset.from_dict(columns, features=features)
    return corpus
