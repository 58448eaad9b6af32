"""One verdict a sentence: the label is changed, and the content is kept, and the sentence is as fluent as it was."""

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

# The thresholds are the kindest to people that still refuse nonsense. On Yelp 80 to 88 % of four people's sentences
# share so much with their sources, and 1 % of the same sentences under other sources.
MIN_CONTENT = 0.25
# People wrote these sentences less like reviews than systems do: 85 to 89 % of theirs pass, 8 % of one person's with
# the words in random order, and 50 % with two words replaced by random ones.
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
