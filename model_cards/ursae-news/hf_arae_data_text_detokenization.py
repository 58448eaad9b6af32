# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/data/text/detokenization.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""From the words of a word-level tokenizer to a sentence as a person writes it."""

from __future__ import annotations

import re

_RULES = tuple(
    (re.compile(pattern), by)
    for pattern, by in (
        (r"(?<!\S)(?:``|'')(?!\S)", '"'),
        (r"(?<!\S)i(?!\S)", "I"),
        (r" (n't|'(?:s|m|re|ve|ll|d))(?!\S)", r"\1"),
        # A pair of quotation marks hugs what it holds; a single one stays alone, as its side is not known.
        (r'(?<!\S)" ([^"]+) "(?!\S)', r'"\1"'),
        (r" (\.\.\.|[.,!?;:%)\]])(?=[\s\")\].,!?;:]|$)", r"\1"),
        (r"(?<![^\s\"])([(\[$#]) ", r"\1"),
    )
)
# A full stop that stands alone ends a sentence; one that hangs on a word ("dr.") does not, and "..." does not either.
_SENTENCE_START = re.compile(r"(^(?:[\"(\[] )*|(?<= [.!?] ))(\w)")


def detokenize(text: str) -> str:
    """Joins punctuation and contractions and capitalises sentences and a lone "i".

    `"the food was n't good ."` becomes `"The food wasn't good."`. Text that is joined already stays as it is, apart
    from capitals and repeated white space.

    Args:
        text: words and punctuation marks, separated by spaces.
    """
    text = _SENTENCE_START.sub(lambda match: match[1] + match[2].upper(), " ".join(text.split()))
    for pattern, by in _RULES:
        text = pattern.sub(by, text)
    return text
