"""Do similar sentences have similar codes? The cosine of a sentence's code to those of its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from hf_arae.evaluation.rewriting import encode_texts
from hf_arae.metrics.numbers import Number

NUMBERS = {
    "neighbour_cosine": Number(
        "Cosine of the codes of sentences a few edits apart",
        "Higher is smoother, beside `random_cosine`.",
    ),
    "random_cosine": Number(
        "Cosine of the codes of random pairs of sentences",
        "What `neighbour_cosine` is compared with.",
    ),
}

logger = logging.get_logger(__name__)

_MAX_TRIES = 8  # sentences that are looked at for each that is wanted


@dataclass
class Neighbourhoods:
    """Sentences with others that are like them, found once for any number of models.

    Args:
        texts: all sentences that occur.
        pairs: rows of a sentence and of a neighbour of it, `(number of pairs, 2)`; sentences in order.
        random_pairs: as many, with a sentence drawn from all in the neighbour's place.
    """

    texts: list[str]
    pairs: np.ndarray
    random_pairs: np.ndarray

    @property
    def num_sentences(self) -> int:
        """How many sentences have a neighbour."""
        return len(np.unique(self.pairs[:, 0]))


def edit_distances(sentence: np.ndarray, others: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Levenshtein distances, in words, of one sentence to many.

    Args:
        sentence: ids `(words,)`.
        others: ids `(rows, longest)`, padded on the right.
        lengths: words of each, `(rows,)`.

    Returns:
        `(rows,)` int32.
    """
    places = np.arange(others.shape[1] + 1, dtype=np.int32)
    row = np.broadcast_to(places, (len(others), len(places))).copy()
    for read, word in enumerate(sentence, 1):
        # Deleting or exchanging first; then inserting, which is a running minimum along the other sentence.
        best = np.minimum(row[:, 1:] + 1, row[:, :-1] + (others != word))
        row[:, 0], row[:, 1:] = read, best
        row = np.minimum.accumulate(row - places, axis=1) + places
    return row[np.arange(len(others)), lengths]


def find_neighbours(
    texts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    num_sentences: int = 250,
    num_neighbours: int = 100,
    max_distance: int = 5,
    seed: int = 0,
) -> Neighbourhoods | None:
    """Draws sentences, and for each some others within an edit distance (thesis, section 4.6.1).

    Sentences are drawn until enough of them have `num_neighbours` neighbours, or eight times as many as are wanted
    were tried; those with fewer then make up the number, the ones with most neighbours first. Copies of a sentence are
    not its neighbours.

    Args:
        texts: where sentences and neighbours come from; about 20 000 give most captions their 100.
        tokenizer: splits them into words; sentences over its limit are left out.
        max_distance: insertions, deletions and exchanges of words that lead from one to the other, at most.

    Returns:
        `None`, with a warning, where no sentence has a neighbour: their cosine is then left out.

    Raises:
        ValueError: a number is below 1.
    """
    for name, value in (
        ("num_sentences", num_sentences),
        ("num_neighbours", num_neighbours),
        ("max_distance", max_distance),
    ):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    encoded = tokenizer(list(dict.fromkeys(texts)), add_special_tokens=False, return_attention_mask=False)["input_ids"]
    by_words = {tuple(ids): text for ids, text in zip(encoded, dict.fromkeys(texts), strict=True)}
    sentences = [ids for ids in by_words if 0 < len(ids) <= tokenizer.model_max_length - 2]
    lengths = np.array([len(ids) for ids in sentences], dtype=np.int32)
    table = np.full((len(sentences), lengths.max(initial=1)), -1, dtype=np.int32)
    for row, ids in enumerate(sentences):
        table[row, : len(ids)] = ids

    source = np.random.default_rng(seed)
    full: list[tuple[int, np.ndarray]] = []
    partial: list[tuple[int, np.ndarray]] = []
    for row in source.permutation(len(sentences))[: _MAX_TRIES * num_sentences]:
        near = np.flatnonzero(abs(lengths - lengths[row]) <= max_distance)
        longest = lengths[near].max()
        distances = edit_distances(table[row, : lengths[row]], table[near, :longest], lengths[near])
        near = near[(distances <= max_distance) & (near != row)]
        if len(near) >= num_neighbours:
            full.append((row, source.choice(near, num_neighbours, replace=False)))
        elif len(near):
            partial.append((row, near))
        if len(full) == num_sentences:
            break
    partial.sort(key=lambda pair: -len(pair[1]))
    chosen = (full + partial)[:num_sentences]
    if not chosen:
        logger.warning(
            "The cosine to neighbours is left out: none of the sentences drawn from %d different ones has another "
            "within %d words.",
            len(sentences),
            max_distance,
        )
        return None
    pairs = np.concatenate([np.stack([np.full(len(near), row), near], 1) for row, near in chosen])
    strangers = np.stack([pairs[:, 0], source.integers(len(sentences), size=len(pairs))], 1)
    used, numbers = np.unique(np.concatenate([pairs, strangers]), return_inverse=True)
    numbers = numbers.reshape(2, len(pairs), 2)
    return Neighbourhoods([by_words[sentences[row]] for row in used], numbers[0], numbers[1])


@torch.no_grad()
def neighbour_cosine(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, neighbourhoods: Neighbourhoods
) -> dict[str, float]:
    """Mean cosine similarity of codes of neighbours, averaged by sentence and then over sentences (Figure 4.2, right).

    Returns:
        `neighbour_cosine`, and `random_cosine` of as many random pairs: where all codes are alike both are high.
    """
    codes = F.normalize(encode_texts(model, tokenizer, neighbourhoods.texts), dim=1)
    found = {}
    for name, pairs in (("neighbour", neighbourhoods.pairs), ("random", neighbourhoods.random_pairs)):
        sentences, others = torch.from_numpy(pairs).T
        cosines = (codes[sentences] * codes[others]).sum(1).double()
        rows, counts = sentences.unique(return_inverse=True, return_counts=True)[1:]
        totals = torch.zeros(len(counts), dtype=torch.float64).index_add(0, rows, cosines)
        found[f"{name}_cosine"] = (totals / counts).mean().item()
    return found
