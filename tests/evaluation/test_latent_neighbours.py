"""Edit distances, the neighbours they give, and the cosines of neighbours' codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from hf_arae.data.corpora.reviews import build_reviews
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.latent_neighbours import Neighbourhoods, edit_distances, find_neighbours, neighbour_cosine
from hf_arae.evaluation.rewriting import encode_texts


def slow_distance(one, other) -> int:
    """The textbook's recursion, cell by cell."""
    table = [[i + j for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (a != b))
    return table[-1][-1]


def test_distances_are_levenshteins():
    source = np.random.default_rng(0)
    lengths = source.integers(0, 9, 60).astype(np.int32)
    others = np.full((60, 9), -1, dtype=np.int32)
    for row, length in enumerate(lengths):
        others[row, :length] = source.integers(0, 4, length)
    for length in (1, 3, 8):
        sentence = source.integers(0, 4, length).astype(np.int32)
        expected = [slow_distance(sentence, others[row, : lengths[row]]) for row in range(60)]
        assert edit_distances(sentence, others, lengths).tolist() == expected


@pytest.fixture(scope="module")
def reviews():
    texts = build_reviews()["validation"]["text"][:300]
    return texts, train_tokenizer(texts, max_length=12)


def test_neighbours_are_near_and_drawn_once(reviews):
    texts, tokenizer = reviews
    found = find_neighbours([*texts, *texts[:5]], tokenizer, num_sentences=10, num_neighbours=6, max_distance=5)
    assert found.num_sentences == 10 and len(found.pairs) == 60
    words = [text.split() for text in found.texts]
    for row, other in found.pairs:
        assert 1 <= slow_distance(words[row], words[other]) <= 5
    for row in np.unique(found.pairs[:, 0]):
        near = found.pairs[found.pairs[:, 0] == row, 1]
        assert len(set(near.tolist())) == 6
    assert found.pairs.shape == found.random_pairs.shape and (found.pairs[:, 0] == found.random_pairs[:, 0]).all()
    assert max(map(len, words)) <= 12
    again = find_neighbours([*texts, *texts[:5]], tokenizer, num_sentences=10, num_neighbours=6, max_distance=5)
    assert again.texts == found.texts and (again.pairs == found.pairs).all()


def test_sentences_with_few_neighbours_make_up_the_number(tokenizer):
    texts = ["awful food .", "great food .", "the service was lovely !", "friendly staff"]
    found = find_neighbours(texts, tokenizer, num_sentences=10, num_neighbours=3, max_distance=1)
    assert sorted({found.texts[row] for row in found.pairs[:, 0]}) == ["awful food .", "great food ."]
    assert find_neighbours([*texts[1:], "never coming back ."], tokenizer, max_distance=1) is None
    with pytest.raises(ValueError, match="max_distance"):
        find_neighbours(texts, tokenizer, max_distance=0)


def test_the_cosine_is_averaged_by_sentence_first(transfer_model, tokenizer):
    texts = ["awful food .", "great food .", "the service was lovely !", "friendly staff"]
    pairs = np.array([[0, 1], [0, 2], [0, 3], [1, 3]])
    codes = F.normalize(encode_texts(transfer_model, tokenizer, texts), dim=1)
    cosines = (codes @ codes.T).double()
    found = neighbour_cosine(transfer_model, tokenizer, Neighbourhoods(texts, pairs, pairs[:, ::-1].copy()))
    expected = ((cosines[0, 1] + cosines[0, 2] + cosines[0, 3]) / 3 + cosines[1, 3]) / 2
    assert found["neighbour_cosine"] == pytest.approx(expected.item(), rel=1e-5)
    backwards = (cosines[0, 1] + cosines[0, 2] + (cosines[0, 3] + cosines[1, 3]) / 2) / 3
    assert found["random_cosine"] == pytest.approx(backwards.item(), rel=1e-5)
    assert not torch.isnan(codes).any()
