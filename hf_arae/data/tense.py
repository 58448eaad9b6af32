"""Headlines tell of the past in the present: verbs of the past whose present has another stem."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

# The plain form, without -s: a headline's subject is often a plural ("shares fall"), and ROUGE compares stems.
_VERBS = """
    became/become began/begin bought/buy broke/break brought/bring built/build came/come caught/catch chose/choose
    clung/cling dealt/deal drew/draw drove/drive fell/fall felt/feel flew/fly fought/fight found/find froze/freeze
    gave/give got/get grew/grow heard/hear held/hold kept/keep knew/know laid/lay led/lead left/leave lost/lose
    made/make meant/mean met/meet overcame/overcome paid/pay ran/run rode/ride rose/rise said/say sank/sink saw/see
    sent/send shot/shoot slid/slide sold/sell sought/seek spent/spend spoke/speak stole/steal stood/stand
    struck/strike swept/sweep swore/swear taught/teach thought/think threw/throw told/tell took/take went/go
    withdrew/withdraw woke/wake won/win wrote/write
"""
_PAST_TO_PRESENT = dict(pair.split("/") for pair in _VERBS.split())


def present_forms(tokenizer: PreTrainedTokenizerBase) -> Tensor:
    """For each token the token to write in a headline, `(vocab_size,)` int64: nearly always itself."""
    vocabulary = tokenizer.get_vocab()
    forms = torch.arange(len(tokenizer))
    for past, present in _PAST_TO_PRESENT.items():
        if past in vocabulary and present in vocabulary:
            forms[vocabulary[past]] = vocabulary[present]
    return forms
