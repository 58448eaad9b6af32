"""Swapped words: which are swapped, and what the loss is of."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
import torch

from hf_arae.evaluation.latent_noise import _swapped, swap_noise

TEXTS = ["the food was great .", "friendly staff , great food", "awful food .", "great !", "the service was lovely !"]


@pytest.fixture(scope="module")
def found(transfer_model, tokenizer):
    return swap_noise(transfer_model, tokenizer, TEXTS, attributes=[0, 1, 0, 1, 0])


def test_swaps_are_nested_permutations_that_keep_the_final_mark(found):
    assert found.noised[0] == TEXTS
    for row, text in enumerate(TEXTS):
        words = text.split()
        for k in range(1, 5):
            noised, before = found.noised[k][row].split(), found.noised[k - 1][row].split()
            assert sorted(noised) == sorted(words)
            if words[-1] in ".!":
                assert noised[-1] == words[-1]
            changed = [at for at, pair in enumerate(zip(before, noised, strict=True)) if pair[0] != pair[1]]
            assert len(changed) in (0, 2)
    assert found.noised[1][0] != TEXTS[0] and found.noised[1][2] == "food awful ."
    assert all(found.noised[k][3] == "great !" for k in range(5))  # one word: nothing to swap with


def test_four_different_swaps_never_give_the_sentence_back():
    source = random.Random(0)
    for length in range(4, 9):
        sentence = list(range(length))
        pairs = list(combinations(range(length), 2))
        for _ in range(300):
            source.shuffle(pairs)
            assert all(_swapped(sentence, pairs[:k]) != sentence for k in range(1, 5))


@torch.no_grad()
def test_losses_are_of_the_originals_given_the_noised_codes(found, transfer_model, tokenizer):
    for k in (0, 2):
        total = 0.0
        for row, text in enumerate(TEXTS):
            ids = tokenizer([text], return_tensors="pt")["input_ids"]
            noised = tokenizer([found.noised[k][row]], return_tensors="pt")["input_ids"]
            output = transfer_model(noised, attribute=torch.tensor([row % 2]), labels=ids)
            total += output.loss.item() * (ids.shape[1] - 1)
        assert found.losses[k] == pytest.approx(total / len(TEXTS), rel=1e-5)
    assert len(found.written[3]) == len(TEXTS)


def test_swaps_do_not_depend_on_batches_or_model(found, transfer_model, tokenizer):
    alone = swap_noise(transfer_model, tokenizer, TEXTS, (2, 4), [1] * 5, write=False, batch_size=2)
    assert alone.noised == {k: found.noised[k] for k in (2, 4)} and alone.written == {}
    other = swap_noise(transfer_model, tokenizer, TEXTS, (2,), [1] * 5, seed=1)
    assert other.noised[2] != found.noised[2]


@pytest.mark.parametrize(("texts", "swaps"), [([], (0,)), (["great !"], (-1, 0))])
def test_wrong_input_is_refused(transfer_model, tokenizer, texts, swaps):
    with pytest.raises(ValueError, match="at least one text"):
        swap_noise(transfer_model, tokenizer, texts, swaps)
