"""One verdict a sentence: the label is changed, and the content is kept, and the sentence is as fluent as it was.

The two thresholds had been set with people's test sentences in view. The rules that stand beside them here are of
Yelp's validation split alone, the half that the held-out judges do not learn from, and give the same values: copies
all pass, few sentences under other sentences' sources do, and few with their words in random order.
"""

from __future__ import annotations

import numpy as np

from hf_arae.metrics.numbers import Number

NUMBERS = {
    "joint_score": Number(
        "Outputs that are right in all respects at once (%)",
        "The share of outputs that both the first and the held-out classifier give the wanted label, that differ from "
        "their source, share a quarter of its words of content (`word_overlap` of at least 25 %), and are at most 2 "
        "nats a token less likely than it for the held-out language model; higher is better.",
        in_metadata=True,
    ),
}

# The least, in steps of 0.05, at which about 1 % of real sentences pass under sources of the other label: 1.1 % of
# 45 176 pairs do (1.5 % at 0.2, 0.7 % at 0.3). Of sentences without half of their words, drawn at random, 81 % pass;
# of four people's test sentences 80 to 88 %.
MIN_CONTENT = 0.25
# Nats a token. In steps of 0.5 the one value at which over nine in ten real sentences of the other label pass as
# outputs (92 %; 86 % at 1.5) and under one in ten sentences with the words in random order (5 %; 12 % at 2.5), of 1
# 470 of four words or more. With two words replaced by random ones 70 % pass; of people's test sentences 85 to 89 %.
MAX_FLUENCY_LOSS = 2.0


def joint_scores(style: np.ndarray, differs: np.ndarray, content: np.ndarray, fluency: np.ndarray) -> np.ndarray:
    """Which outputs are right in all respects, bool `(n,)`.

    Args:
        style: `(n,)`, whether all judges of the label give an output the wanted one.
        differs: `(n,)`, whether an output is not its source, whose label the judges may have wrong.
        content: `(n,)`, in 0..1, of [`~hf_arae.metrics.content_preservation.ContentPreservation.overlaps`].
        fluency: `(n,)`, mean log-probability (nats) of an output's tokens less that of its source's.
    """
    return style & differs & (content >= MIN_CONTENT) & (fluency >= -MAX_FLUENCY_LOSS)
