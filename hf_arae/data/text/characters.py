"""Strings whose every character can be written down."""

from __future__ import annotations


def whole_characters(text: str) -> str:
    """The text with U+FFFD in place of each half of a character, as a cut emoji or a byte that is no UTF-8 leaves it.

    Python's strings may hold halves of characters beyond U+FFFF (surrogates), which no tokenizer and no file takes.
    Two halves that belong together become their character.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
