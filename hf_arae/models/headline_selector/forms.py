"""How headlines write what articles say: the past in the present, the future by "to", unions of states in short."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

# The past, and the present where that has another stem. The plain form, without -s: a headline's subject is often a
# plural ("shares fall"), and ROUGE compares stems.
_VERBS = """
    became/become began/begin bought/buy broke/break brought/bring built/build came/come caught/catch chose/choose
    clung/cling dealt/deal drew/draw drove/drive fell/fall felt/feel flew/fly fought/fight found/find froze/freeze
    gave/give got/get grew/grow heard/hear held/hold kept/keep knew/know laid/lay led/lead left/leave lost/lose
    made/make meant/mean met/meet overcame/overcome paid/pay ran/run rode/ride rose/rise said/say sank/sink saw/see
    sent/send shot/shoot slid/slide sold/sell sought/seek spent/spend spoke/speak stole/steal stood/stand
    struck/strike swept/sweep swore/swear taught/teach thought/think threw/throw told/tell took/take went/go
    withdrew/withdraw woke/wake won/win wrote/write
"""
_FORMS = dict(pair.split("/") for pair in _VERBS.split()) | {"will": "to"}  # "president to visit china"
_PHRASES = {("european", "union"): "eu", ("united", "nations"): "un", ("united", "states"): "us"}


def headline_form(words: Sequence[str], place: int) -> str:
    """What a headline writes for `words[place]`, or, where a phrase begins there, for all of it."""
    phrase = tuple(words[place : place + 2])
    return _PHRASES.get(phrase) or _FORMS.get(words[place], words[place])


def headline_forms(tokenizer: PreTrainedTokenizerBase) -> tuple[Tensor, Tensor]:
    """What a headline writes, as tokens.

    Returns:
        For each token the one to write, `(vocab_size,)` int64: nearly always itself. And rows of two tokens and the
        one to write where they follow each other, `(phrases, 3)` int64. Forms that are not in the vocabulary are left
        out.
    """
    vocabulary = tokenizer.get_vocab()
    forms = torch.arange(len(tokenizer))
    for past, present in _FORMS.items():
        if past in vocabulary and present in vocabulary:
            forms[vocabulary[past]] = vocabulary[present]
    phrases = [(*phrase, form) for phrase, form in _PHRASES.items() if {*phrase, form} <= vocabulary.keys()]
    rows = [[vocabulary[word] for word in phrase] for phrase in phrases]
    return forms, torch.tensor(rows, dtype=torch.long).view(-1, 3)
