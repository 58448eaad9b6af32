"""Where the gaps are: drawn at random to learn from, chosen by what tells the label to rewrite with.

A gap is a pair `(start, end)` of places in a sentence, `start <= end`; between two equal ones nothing stood, and
something may be put in. Sentences are lists of token ids without `<bos>` and `<eos>`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

Gap = tuple[int, int]

# The shares of sentences that are written whole, with one long gap, and (the rest) with gaps at single words.
_WHOLE, _LONG = 0.05, 0.15
_COUNTS = (0.35, 0.65, 0.85)  # with 1, at most 2, at most 3 words; else 4
_NEIGHBOUR = 0.3  # that a gap takes in the word before it, or after it
_EMPTY = 0.25  # that there is an empty gap somewhere
_ANYWHERE = 0.25  # the share of words that are drawn evenly, and not by how much they tell
NUM_DRAWS, NUM_WORD_DRAWS = 5, 3  # uniform numbers for a sentence, and for each of its words


def gaps_of(hidden: Sequence[bool], empty: Collection[int] = ()) -> list[Gap]:
    """The gaps of a sentence some of whose words are hidden: neighbours are one gap.

    Args:
        hidden: for each word.
        empty: places, 0 to the number of words, of empty gaps; those beside a hidden word are a part of its gap.
    """
    found, place = [], 0
    while place < len(hidden):
        if hidden[place]:
            end = next((at for at in range(place, len(hidden)) if not hidden[at]), len(hidden))
            found.append((place, end))
            place = end
        else:
            if place in empty and not (place and hidden[place - 1]):
                found.append((place, place))
            place += 1
    if len(hidden) in empty and not (hidden and hidden[-1]):
        found.append((len(hidden), len(hidden)))
    return found


def with_gaps(words: Sequence[int], gaps: Sequence[Gap], mask: int) -> tuple[list[int], list[int]]:
    """The sentence with the mask token at each gap, and what stood there, gaps apart by the mask token."""
    kept, written, place = [], [], 0
    for number, (start, end) in enumerate(gaps):
        kept += [*words[place:start], mask]
        written += [*([mask] if number else []), *words[start:end]]
        place = end
    return kept + list(words[place:]), written


def fills_of(written: Sequence[int], mask: int) -> list[list[int]]:
    """What was written for each gap."""
    fills: list[list[int]] = [[]]
    for token in written:
        if token == mask:
            fills.append([])
        else:
            fills[-1].append(token)
    return fills


def filled(words: Sequence[int], gaps: Sequence[Gap], fills: Sequence[Sequence[int]]) -> list[int]:
    """The sentence with a fill in each of its gaps."""
    result, place = [], 0
    for (start, end), fill in zip(gaps, fills, strict=True):
        result += [*words[place:start], *fill]
        place = end
    return result + list(words[place:])


def random_gaps(telling: Tensor, is_word: Tensor, draws: Tensor, word_draws: Tensor) -> list[list[Gap]]:
    """Gaps to learn from: at one to four words, the more telling the likelier, or of some words in a row, or all.

    Args:
        telling: how much each token tells of the sentence's label, in nats, `(batch, sequence)`.
        is_word: which tokens are words, `(batch, sequence)` bool; they stand in a row.
        draws, word_draws: uniform numbers in [0, 1), `(batch, NUM_DRAWS)` and `(batch, sequence, NUM_WORD_DRAWS)`.

    Returns:
        Gaps of each sentence, as places among its words.
    """
    count = is_word.sum(1, keepdim=True)
    share = telling.clamp(-2, 4).masked_fill(~is_word, -torch.inf).softmax(1)
    share = (1 - _ANYWHERE) * share + _ANYWHERE * is_word / count.clamp(min=1)
    # The largest of log-shares and Gumbel's numbers: words without replacement.
    keys = share.log() - (-word_draws[..., 0].clamp(1e-9, 1 - 1e-7).log()).log()
    rank = keys.masked_fill(~is_word, -torch.inf).argsort(1, descending=True).argsort(1)
    wanted = 1 + sum((draws[:, 1:2] >= bound).long() for bound in _COUNTS)
    chosen = (rank < wanted) & is_word
    before = (chosen & (word_draws[..., 1] < _NEIGHBOUR)).roll(-1, 1)
    after = (chosen & (word_draws[..., 2] < _NEIGHBOUR)).roll(1, 1)
    hidden = (chosen | before | after) & is_word
    gaps = []
    rows = zip(hidden.tolist(), is_word.tolist(), draws.tolist(), strict=True)
    for row, words, (kind, _, first, second, empty) in rows:
        here = [hide for hide, word in zip(row, words, strict=True) if word]
        length = len(here)
        if kind < _WHOLE or length < 2:
            gaps.append([(0, length)])
        elif kind < _WHOLE + _LONG:
            size = 2 + int(first * (length - 1))
            start = int(second * (length - size + 1))
            gaps.append([(start, start + size)])
        else:
            gaps.append(gaps_of(here, [int(second * (length + 1))] if empty < _EMPTY else []))
    return gaps
