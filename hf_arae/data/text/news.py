"""News text as Gigaword has it, and where a document's first sentence ends."""

from __future__ import annotations

import re
from functools import cache

from tokenizers import normalizers

from hf_arae.data.text.rules import ACCENT_RULE, PAGE_RULES, TREEBANK_QUOTES, UNSEEN_RULES, replacements

# Words that are written with a full stop which does not end the sentence. After those of _CLOSING one may end there.
_CLOSING = "corp inc co cos ltd plc bhd bancorp bros jr sr etc u.s u.n u.k"
_TITLES = (
    "mr mrs ms dr prof rev hon st ste mt ft messrs mme mlle sen sens rep reps gov gen lt col capt maj sgt cpl spc cmdr"
    " adm pres supt dept assn univ no nos vs ave blvd rd alex wm geo chas"
)
_MONTHS = "jan feb mar apr jun jul aug sep sept oct nov dec"
_STATES = (
    "ala ariz ark calif colo conn del fla ga ill ind kan ky la mass md mich minn miss mo mont neb nev okla ore pa tenn"
    " tex va vt wash wis wyo ont que"
)
_ABBREVIATIONS = f"{_CLOSING} {_TITLES} {_MONTHS} {_STATES}".split()
_WORDS_TOO = ["no", "ill", "mass", "miss", "ore", "wash", "mar"]  # in lower case mostly words


def _after(words: list[str]) -> str:
    # Regular expressions look back over alternatives of several lengths only if they are not in a group.
    return "|".join(rf"\b{re.escape(word)}" for word in words)


# Before lower-casing and before digits go: what these tell.
_RAW_RULES: tuple[tuple[str, str], ...] = (
    ("[\u2018\u2019\u00b4\u02bc]", "'"),
    ("[\u201c\u201d\u201e\u00ab\u00bb]", '"'),
    ("[\u2010\u2011\u2212]", "-"),
    (r"(?<=\d)\u2013(?=\d)", "-"),
    ("[\u2013-\u2015]", " -- "),
    # Text that parts "it ' s", "don ' t" and "1 , 000" is joined, to be parted in one way below.
    (r"(?<=\p{L}) ' (?=(?:s|m|d|re|ve|ll)(?!\w))", "'"),
    (r"(?<=n) ' (?=t(?!\w))|(?<=\bo) ' (?=clock)", "'"),
    (r"(?<=^\d|^\d\d|^\d{3}|\D\d|\D\d\d|\D\d{3}) , (?=\d{3}(?!\w))", ","),
    ("<[Uu][Nn][Kk]>", " unk "),
    # A ticker, as in "Stroud Inc <SRD>", goes; the brackets of "<Nova Corp>" go and the name stays.
    ("<[A-Z.]{1,8}>", " "),
    (r"<(?=\p{L})", " "),
    (r"(?<=[\p{L}.\d])>", " "),
    (rf"(?<={_after(_WORDS_TOO)})\.(?=\s+\p{{Lu}})", " ."),
    # "Acme Corp." ends a sentence with one stop where Gigaword has two; in its headlines, in lower case, there is one.
    (rf"(?<={_after([word.title() for word in _CLOSING.split()])})\.$", ". ."),
)

_RULES: tuple[tuple[str, str], ...] = (
    (r"\d", "#"),
    ("<", " < "),
    (">", " > "),
    (r"&(?!amp;)", "&amp;"),
    (r"(?<!\\)/", r"\/"),
    *(
        (re.escape(mark), f" -{name}- ")
        for mark, name in zip("()[]{}", ("lrb", "rrb", "lsb", "rsb", "lcb", "rcb"), strict=True)
    ),
    *TREEBANK_QUOTES,
    (r"``(?=[^\s`])", "`` "),
    (r"(?<=[^\s`])``", " ``"),
    (r"''(?=[^\s'])", "'' "),
    (r"(?<=[^\s'])''", " ''"),
    (r"\bcannot\b", "can not"),
    (r"(?<=\w)n't\b", " n't"),
    (r"(?<=[^\s'])'(?=(?:s|m|d|re|ve|ll)(?!\w))", " '"),
    (r"(?<=\s|^)'(?=\p{L})(?!(?:s|m|d|re|ve|ll|n|em|til|tis|twas)(?!\w))", "' "),
    (r"(?<=\s|^)`(?=\p{L})", "` "),
    (r"(?<=[\w#.,!?;:%])(?<!'n)'(?=\s|$|[-.,!?;:])", " '"),
    (r"(?<!-)--(?!-)", " -- "),
    # Within numbers, as in "#,###" and "#:##", the marks stay.
    (r"(?<=[^\s#]),|,(?!#)", " , "),
    (r"(?<!#):|:(?!#)", " : "),
    (r"(?<!&amp);", " ; "),
    (r"!", " ! "),
    (r"\?", " ? "),
    *((mark, f" {mark} ") for mark in "£€¥"),
    (r"(?<=[^\s\p{L}])\$", " $"),
    (r"\$(?=\S)", "$ "),
    (r"(?<=\S)%", " %"),
    (r"%(?=[\w#])", "% "),
    (r"(?<=[^\s.])\.\.\.", " ..."),
    (r"\.\.\.(?=[^\s.])", "... "),
    # Other stops part from their word, except from initials ("j.p. morgan", "u.s.") and abbreviations.
    (rf"(?<=[^\s.])(?<!^[a-z]|[\s.-][a-z]|{_after(_ABBREVIATIONS)})\.(?=\s|$)", " ."),
    (r"\s+", " "),
)


def news_normalizer() -> normalizers.Normalizer:
    """The rules of `normalize_news`, as a part of a tokenizer.

    To be made once: it holds some fifty compiled expressions.
    """

    return normalizers.Sequence(
        [
            *replacements(UNSEEN_RULES),
            normalizers.NFKD(),
            *replacements((ACCENT_RULE,)),
            normalizers.NFC(),
            *replacements(PAGE_RULES),
            normalizers.Strip(),
            *replacements(_RAW_RULES),
            normalizers.Lowercase(),
            *replacements(_RULES),
            normalizers.Strip(),
        ]
    )


_normalizer = cache(news_normalizer)


def normalize_news(text: str) -> str:
    """Rewrites English text as Gigaword has it: lower case, `#` for each digit, Penn Treebank's tokens; Latin letters
    without accents.

    `Japan's NEC Corp. said "no" to 1,200 U.S. workers.` becomes
    ``japan 's nec corp. said `` no '' to #,### u.s. workers .``. Brackets become `-lrb-` and `-rrb-`, `&` and `/` are
    escaped as there, `UNK` and `<unk>` become the word `unk`, and tickers like `<SRD>` are left out. Text that is in
    this form already stays as it is.
    """
    return _normalizer().normalize_str(text)


# -------------------------------------------------------------------------------------------------- first sentence

_CLOSERS = "\"'\u2019\u201d)]"
_LONE_CLOSERS = ("''", "'", '"', "-rrb-")
_PARAGRAPH = re.compile(r"\n\s*\n")
_OPENING = "\"'`(<\u2018\u201c["
# Words that begin a sentence, and hardly ever go on after "U.S." or "Corp.".
_STARTERS = ("The", "It", "He", "She", "They", "We", "But", "This", "That", "These", "However", "Earlier", "Meanwhile")
_NOT_LAST = frozenset(f"{_TITLES} {_MONTHS} {_STATES}".split())
_MAY_BE_LAST = frozenset(_CLOSING.split())
_INITIALS = re.compile(r"(?:^|[-\W])[A-Za-z](?:\.[A-Za-z])*$")


def _ends_sentence(word: str, mark: str, following: str) -> bool:
    """Whether a stop after `word` and before `following` ends a sentence."""
    start = following.lstrip(_OPENING)[:1]
    if not (start.isupper() or start.isdigit() or start in "$<#\u00a3"):
        return False
    if mark != ".":
        return following.strip(",.").lower() not in _MAY_BE_LAST  # "Yahoo! Inc"
    core = word.lstrip(_OPENING)
    if core.lower() in _NOT_LAST:
        # "said no. He": in lower case and before a capital it is a word.
        return core in _WORDS_TOO and start.isupper()
    if _INITIALS.search(core) or core.lower() in _MAY_BE_LAST:
        return following.strip(",") in _STARTERS
    return True


def first_sentence(text: str) -> str:
    """The first sentence of a document, its white space normalised; all of it where no sentence ends.

    A blank line ends a sentence too. Stops within numbers, after initials ("J.P. Morgan"), titles ("Sen."), months,
    states and "No." do not; after "U.S.", "Corp." and their like only before a word that begins sentences. In text
    that is tokenized already, a full stop that stands alone does.
    """
    tokens = _PARAGRAPH.split(text.strip(), maxsplit=1)[0].split()
    end = next((place + 1 for place in range(len(tokens) - 1) if _ends_at(tokens, place)), len(tokens))
    while end < len(tokens) and tokens[end] in _LONE_CLOSERS:
        end += 1
    return " ".join(tokens[:end])


def _ends_at(tokens: list[str], place: int) -> bool:
    token, following = tokens[place], tokens[place + 1]
    closed = token.rstrip(_CLOSERS)
    word = closed.rstrip(".!?")
    if word == closed:
        return False
    if word:
        return _ends_sentence(word, closed[len(word) :], following)
    # A mark that stands alone, as in tokenized text. There "UNK" is any word, not a capital.
    return token == "." or (token in "?!" and following != "UNK" and following.lstrip(_OPENING)[:1].isupper())
