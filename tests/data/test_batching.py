"""Batches: balanced, alike in length, repeatable, split over processes without loss."""

from __future__ import annotations

import numpy as np
import pytest

from hf_arae.data.batching import LengthGroupedBatchSampler

LENGTHS = np.random.default_rng(0).integers(3, 20, 1000)
GROUPS = (np.arange(1000) % 3 == 0).astype(int)  # 666 and 334


def test_an_epoch_is_one_pass_over_ungrouped_rows():
    rows = [row for batch in LengthGroupedBatchSampler(LENGTHS, 10) for row in batch]
    assert sorted(rows) == list(range(1000))


def test_batches_hold_the_same_number_of_each_group_in_their_order():
    sampler = LengthGroupedBatchSampler(LENGTHS, 20, GROUPS)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 66
    for batch in batches:
        assert GROUPS[batch].tolist() == [0] * 10 + [1] * 10
    rows = [row for batch in batches for row in batch if GROUPS[row] == 0]
    assert len(set(rows)) == 660  # of 666: the last, incomplete batch is left out
    small = np.bincount([row for batch in batches for row in batch if GROUPS[row] == 1], minlength=1000)
    assert set(small[GROUPS == 1]) <= {1, 2}


def test_batches_are_alike_in_length():
    sampler = LengthGroupedBatchSampler(LENGTHS, 20, GROUPS)
    padding = [1 - LENGTHS[batch].mean() / LENGTHS[batch].max() for batch in sampler]
    shuffled = [1 - LENGTHS[batch].mean() / LENGTHS[batch].max() for batch in np.arange(1000).reshape(-1, 20)]
    assert np.mean(padding) < 0.1 < np.mean(shuffled)


def test_the_order_depends_on_seed_and_epoch_and_can_be_entered_anywhere():
    sampler = LengthGroupedBatchSampler(LENGTHS, 20, GROUPS, seed=1)
    first = list(sampler)
    assert first == list(sampler)
    sampler.set_position(1)
    second = list(sampler)
    assert first != second
    sampler.set_position(1, 7)
    assert list(sampler) == second[7:]
    assert list(LengthGroupedBatchSampler(LENGTHS, 20, GROUPS, seed=2)) != first


def test_two_processes_see_what_one_sees_with_twice_the_batch():
    whole = LengthGroupedBatchSampler(LENGTHS, 40, GROUPS, seed=1)
    parts = [LengthGroupedBatchSampler(LENGTHS, 20, GROUPS, seed=1, rank=rank, world_size=2) for rank in (0, 1)]
    for one, first, second in zip(whole, *parts, strict=True):
        assert sorted(one) == sorted(first + second)


@pytest.mark.parametrize(
    ("size", "groups", "message"),
    [
        (1, GROUPS, "per_device_train_batch_size=1"),
        (0, None, "per_device_train_batch_size=0"),
        (2000, None, "2000 rows, .* 1000"),
        (2000, GROUPS, "rows of one label"),
        (20, np.full(1000, 1), "label 0"),
    ],
)
def test_batches_that_cannot_be_made_are_refused(size, groups, message):
    with pytest.raises(ValueError, match=message):
        LengthGroupedBatchSampler(LENGTHS, size, groups)
