"""Summaries by counting, without a model: what a trained summarizer of sentences has to beat at the same length."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence

# The closed word classes, without the few prepositions that headlines keep: to, in, for, after, against, over.
_DETERMINERS = """
    a an the this that these those some any each every either neither no both all such another other
    much many more most few less least own same"""
_PREPOSITIONS = """
    of on at by with from into onto upon about above across along amid among around as before behind below beneath
    beside besides between beyond despite down during except inside like near off out outside past per since through
    throughout toward towards under underneath until till unlike up via within without"""
_CONJUNCTIONS = "and or but nor so yet if because although though while whereas unless than whether when where why how"
_PRONOUNS = """
    i me my mine myself you your yours yourself yourselves he him his himself she her hers herself it its itself
    we us our ours ourselves they them their theirs themselves one who whom whose which what there"""
_AUXILIARIES = """
    am is are was were be been being have has had having do does did doing done will would shall should can could may
    might must ought 'm 're 've 'll 'd 's ' n't not"""
_ADVERBS = "here then thus also just only very too again ever never once"
FUNCTION_WORDS = frozenset(
    " ".join((_DETERMINERS, _PREPOSITIONS, _CONJUNCTIONS, _PRONOUNS, _AUXILIARIES, _ADVERBS)).split()
)
# News dates itself in its first sentence ("said wednesday"), and no headline does.
WEEKDAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())  # noqa: SIM905
_WORD = re.compile(r"[^\W_]|#")
_BRACKETS = frozenset(("-lrb-", "-rrb-", "-lsb-", "-rsb-", "-lcb-", "-rcb-"))


def is_word(token: str) -> bool:
    """Whether a token of normalised news is a word or a number, not a punctuation mark."""
    return bool(_WORD.search(token)) and token not in _BRACKETS


def content_words(
    texts: Sequence[str], count: int = 10, dropped: Collection[str] = FUNCTION_WORDS | WEEKDAYS
) -> list[str]:
    """The first `count` words of each text that are neither punctuation nor among `dropped`."""
    return [
        " ".join([word for word in text.split() if is_word(word) and word not in dropped][:count]) for text in texts
    ]


class HeadlineWords:
    """Picks the words of a text that titles use more than articles do, the earlier the better.

    score = log(rate in titles / rate in articles) - position_weight * position

    Args:
        titles: normalised titles, of any documents.
        articles: normalised articles or their first sentences; they need not be those of the titles.
        position_weight: what a word loses with each token before it.
        smoothing: added to both counts of each word, above 0.
        dropped: words that are never picked; punctuation never is.

    Raises:
        ValueError: there is no word in the titles, or none in the articles, or `smoothing` is not above 0.
    """

    def __init__(
        self,
        titles: Sequence[str],
        articles: Sequence[str],
        position_weight: float = 0.2,
        smoothing: float = 1.0,
        dropped: Collection[str] = FUNCTION_WORDS | WEEKDAYS,
    ):
        if smoothing <= 0:
            raise ValueError(f"smoothing must be above 0, got {smoothing}")
        self._counts, self._totals = [], []
        for name, texts in (("titles", titles), ("articles", articles)):
            counts = Counter(word for text in texts for word in text.split() if is_word(word))
            if not counts:
                raise ValueError(f"no word in the {len(texts)} {name}")
            self._counts.append(counts)
            self._totals.append(counts.total())
        self.position_weight, self.smoothing, self.dropped = position_weight, smoothing, dropped

    def log_ratio(self, word: str) -> float:
        """log of the word's smoothed rate in titles over that in articles."""
        rates = [
            (counts[word] + self.smoothing) / total for counts, total in zip(self._counts, self._totals, strict=True)
        ]
        return math.log(rates[0] / rates[1])

    def __call__(self, texts: Sequence[str], count: int = 11) -> list[str]:
        """The `count` best words of each text, in its order; all that may be picked, where there are fewer."""
        return [self._pick(text.split(), count) for text in texts]

    def _pick(self, words: list[str], count: int) -> str:
        scores = {
            place: self.log_ratio(word) - self.position_weight * place
            for place, word in enumerate(words)
            if is_word(word) and word not in self.dropped
        }
        best = sorted(scores, key=lambda place: -scores[place])[:count]
        return " ".join(words[place] for place in sorted(best))
