"""Replaced, deleted and shuffled words: at the wanted rate, within bounds, and the frame stays."""

from __future__ import annotations

import pytest
import torch

from hf_arae.nn.text.word_noise import delete_words, replace_words, shuffle_words

PAD, BOS, EOS, UNK = range(4)


def sentences(rows: int = 200, longest: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Sentences of 0 to `longest` different words, in rising order, and the mask of the words."""
    ids = torch.full((rows, longest + 2), PAD)
    for row in range(rows):
        length = row % (longest + 1)
        ids[row, : length + 2] = torch.tensor([BOS, *range(10, 10 + length), EOS])
    return ids, ids >= 10


def draws(ids: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return torch.rand(ids.shape, generator=torch.Generator().manual_seed(seed))


def rows_of(ids: torch.Tensor) -> list[list[int]]:
    """Each row up to its padding, which must stand at the end."""
    lengths = (ids != PAD).sum(1)
    assert not any(ids[row, length:].any() for row, length in enumerate(lengths))
    return [row[:length].tolist() for row, length in zip(ids, lengths, strict=True)]


@pytest.mark.parametrize("rate", [0.0, 0.25, 1.0])
def test_words_are_replaced_at_the_rate_and_the_frame_is_not(rate):
    ids, words = sentences(4000)
    noised = replace_words(ids, draws(ids), words, rate, UNK)
    assert torch.equal(noised[~words], ids[~words])
    replaced = noised[words] == UNK
    assert torch.equal(noised[words][~replaced], ids[words][~replaced])
    assert replaced.float().mean() == pytest.approx(rate, abs=0.01)


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.999])
def test_deletion_leaves_a_part_of_the_sentence_in_order(rate):
    ids, words = sentences(4000)
    noised = rows_of(delete_words(ids, draws(ids), words, rate, PAD))
    for before, after in zip(rows_of(ids), noised, strict=True):
        assert after[0] == BOS and after[-1] == EOS
        assert after[1:-1] == sorted(set(after[1:-1]) & set(before))
        assert len(after) > 2 or len(before) == 2  # never an empty sentence of one that was not
    long = [len(after) - 2 for before, after in zip(rows_of(ids), noised, strict=True) if len(before) == 14]
    assert sum(long) / len(long) == pytest.approx(max(12 * (1 - rate), 1), abs=0.4)


def test_the_word_that_stays_of_a_deleted_sentence_is_any():
    ids = torch.tensor([[BOS, 10, 11, 12, EOS]]).expand(3000, -1)
    left = delete_words(ids, draws(ids), ids >= 10, 0.9999, PAD)[:, 1]
    shares = torch.bincount(left)[10:] / 3000
    assert (shares - 1 / 3).abs().max() < 0.05


@pytest.mark.parametrize("distance", [1, 3])
def test_shuffling_moves_words_by_so_many_places_at_most(distance):
    ids, words = sentences(4000)
    noised = shuffle_words(ids, draws(ids), words, distance)
    moved = torch.zeros(4000)
    for row, (before, after) in enumerate(zip(rows_of(ids), rows_of(noised), strict=True)):
        assert sorted(after[1:-1]) == before[1:-1] and after[0] == BOS and after[-1] == EOS
        moves = [abs(place - (word - 9)) for place, word in enumerate(after[1:-1], start=1)]
        moved[row] = max(moves, default=0)
    assert moved.max() == distance


def test_shuffling_by_no_place_changes_nothing():
    ids, words = sentences()
    assert torch.equal(shuffle_words(ids, draws(ids), words, 0), ids)
