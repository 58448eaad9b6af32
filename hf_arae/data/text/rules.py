"""What every style of reading shares: characters that nobody sees, and what web pages put in place of characters.

A rule is a regular expression of the `tokenizers` library (Oniguruma) and what is written for its matches.
"""

from __future__ import annotations

from tokenizers import Regex, normalizers

Rule = tuple[str, str]

NUMBER_TOKEN = "_num_"  # a number, in vocabularies that have one word for all

# Scripts whose letters join: between these, joiners and non-joiners spell words, as in Persian and Hindi.
_JOINING = "".join(
    rf"\p{{{script}}}"
    for script in (
        *("Arabic", "Syriac", "Nko", "Mongolian", "Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil"),
        *("Telugu", "Kannada", "Malayalam", "Sinhala", "Khmer", "Myanmar", "Tibetan"),
    )
)
_JOINING += r"\x{64b}-\x{65f}\x{670}"  # vowel signs of Arabic, which belong to no script
# Scripts that part words by zero-width spaces, where they part them at all.
_UNSPACED = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_EMOJI = r"\p{Extended_Pictographic}\p{Emoji_Modifier}\x{fe0f}\x{e007f}"
_TAGS = r"\x{e0020}-\x{e007f}"

UNSEEN_RULES: tuple[Rule, ...] = (
    (rf"(?<=[{_UNSPACED}])\x{{200b}}(?=[{_UNSPACED}])", " "),
    # Blank letters, and separators that Python takes for white space and a tokenizer does not.
    (r"[\x{3164}\x{ffa0}\x{2800}\x{1c}-\x{1f}]", " "),
    (
        # Asked first whether it can be any of them, a sentence in ASCII is passed over four times as fast.
        r"(?=[^\x{20}-\x{7e}\x{9}\x{a}\x{a0}-\x{ac}])(?:"
        + "|".join(
            (
                # Zero-width spaces, soft hyphens, byte order marks, directions, word joiners, control characters.
                r"[\x{ad}\x{34f}\x{61c}\x{180e}\x{200b}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{feff}]",
                r"[\x{fff9}-\x{fffb}]|[\p{Cc}&&[^\s]]",
                rf"(?<![{_JOINING}])\x{{200c}}|\x{{200c}}(?![{_JOINING}])",
                rf"(?<![{_JOINING}{_EMOJI}])\x{{200d}}|(?<=[{_EMOJI}])\x{{200d}}(?!\p{{Extended_Pictographic}})",
                # Selectors of an emoji's look, and the letters of a region's flag, where there is no emoji.
                r"(?<![\p{Emoji}&&[^0-9#*]])[\x{fe0e}\x{fe0f}](?!\x{20e3})",
                rf"\x{{e0001}}|(?<![\x{{1f3f4}}{_TAGS}])[{_TAGS}]+",
            )
        )
        + ")",
        "",
    ),
)


def _entity(names: str, *codes: int) -> str:
    """The expression of an HTML entity, by its names and by the numbers of its characters."""
    numbers = "|".join(f"#0*{code}|#[xX]0*(?i:{code:x})" for code in codes)
    return f"&(?:{names}|{numbers});"


# What web pages write in place of characters; "&amp;" itself is each style's own affair.
PAGE_RULES: tuple[Rule, ...] = (
    (r"(?i:</?(?:br|p|div|span|strong|ul|ol|li)\s*/?>)", " "),
    (r"&amp;(?=(?:#\d{1,6}|#[xX][\da-fA-F]{1,5}|[a-z]{2,6});)", "&"),  # escaped twice
    (_entity("apos|lsquo|rsquo|sbquo", 39, 0x2018, 0x2019, 0x201A), "'"),
    (_entity("quot|ldquo|rdquo|bdquo|laquo|raquo", 34, 0x201C, 0x201D, 0x201E, 0xAB, 0xBB), '"'),
    (_entity("nbsp|ensp|emsp|thinsp", 32, 160), " "),
    (_entity("shy|zwnj|zwj|lrm|rlm", 0xAD, 0x200B), ""),
    (_entity("hellip", 0x2026), "..."),
    (_entity("ndash", 0x2013), "\u2013"),
    (_entity("mdash", 0x2014), "\u2014"),
    (_entity("lt", 60), "<"),
    (_entity("gt", 62), ">"),
)


# Latin letters without their accents, in text whose characters are decomposed; marks of other scripts spell words.
ACCENT_RULE: Rule = (r"(?<=\p{Latin})[\x{300}-\x{36f}]+", "")
# A double quotation mark that stands alone opens if an odd number follows, one that hangs on a word shows its side. Of
# more than a hundred that follow none is counted: the time would grow with their number's square.
TREEBANK_QUOTES: tuple[Rule, ...] = (
    (r'(?<=\s|^)"(?=\s[^"]*"(?:[^"]*"[^"]*"){0,50}[^"]*$)', " `` "),
    (r'(?<=\s|^|-|`)"(?=[^\s"])', " `` "),
    ('"', " '' "),
)


def replacements(rules: tuple[Rule, ...]) -> list[normalizers.Normalizer]:
    """The rules, one after another, as parts of a tokenizer's normalizer."""
    return [normalizers.Replace(Regex(pattern), by) for pattern, by in rules]
