"""Rows with a collate function: the same batches with workers and without, after a resume, and on two processes."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from datasets import Dataset, DatasetDict

from hf_arae.data.collated_rows import CollatedRows
from hf_arae.losses.classification import NO_LABEL

ROWS = Dataset.from_dict(
    {
        "value": list(range(60)),
        "label": [row % 3 if row < 12 else NO_LABEL for row in range(60)],
        "group": [int(row >= 40) for row in range(60)],
        "size": [1 + row % 5 for row in range(60)],
        "word": ["a"] * 60,
        "part": [None] + [0.5] * 59,
    }
)


def collate(rows):
    values = torch.tensor([row["value"] for row in rows], dtype=torch.float)
    return {"value": values, "label": torch.tensor([row["label"] for row in rows]), "noise": torch.rand(len(rows))}


def take(data: CollatedRows, count: int, start: int = 0, batch_size: int = 8, rank: int = 0, world_size: int = 1):
    batches = data.batches(batch_size, 3, rank, world_size)
    batches.set_position(start, None)
    return list(islice(batches, count))


def assert_same(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_batches_are_the_same_with_workers_and_after_a_resume():
    before = torch.get_rng_state()
    straight = take(CollatedRows(ROWS, collate), 10)  # an epoch has 7
    assert_same(straight, take(CollatedRows(ROWS, collate, num_workers=2), 10))
    assert_same(straight[4:], take(CollatedRows(ROWS, collate), 6, start=4))
    assert_same(straight[8:], take(CollatedRows(ROWS, collate, num_workers=2), 2, start=8))
    assert torch.equal(before, torch.get_rng_state()), "the training's own draws are not disturbed"
    assert len({float(batch["noise"][0]) for batch in straight}) == 10


def test_the_position_counts_batches_that_were_taken_and_not_those_loaded_ahead():
    batches = CollatedRows(ROWS, collate, num_workers=2).batches(8, 3, 0, 1)
    taken = list(islice(batches, 3))
    assert batches.step == 3
    assert_same(taken + take(CollatedRows(ROWS, collate), 1, start=3), take(CollatedRows(ROWS, collate), 4))


def test_an_error_in_a_worker_is_told():
    def fail(rows):
        raise ValueError("no picture")

    with pytest.raises(ValueError, match="no picture"):
        take(CollatedRows(ROWS, fail, num_workers=1), 1)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_each_batch_holds_as_many_labelled_rows_as_wanted(num_workers):
    data = CollatedRows(ROWS, collate, num_workers, label_column="label", labelled_rows=3)
    batches = take(data, 9)  # a pass over the 48 rows without a label
    assert all((batch["label"] != NO_LABEL).sum() == 3 for batch in batches)
    unlabelled = [value for batch in batches for value in batch["value"][batch["label"] == NO_LABEL].tolist()]
    assert len(set(unlabelled)) == len(unlabelled) == 45
    assert_same(batches[5:], take(data, 4, start=5))


def test_two_processes_have_the_rows_of_one_with_twice_the_batch():
    one = take(CollatedRows(ROWS, collate, label_column="label", labelled_rows=4), 4, batch_size=10)
    half = CollatedRows(ROWS, collate, label_column="label", labelled_rows=2)
    parts = [take(half, 4, batch_size=5, rank=rank, world_size=2) for rank in (0, 1)]
    for whole, *shares in zip(one, *parts, strict=True):
        assert torch.equal(whole["value"], torch.stack([share["value"] for share in shares], 1).flatten())
        assert all((share["label"] != NO_LABEL).sum() == 2 for share in shares)


def test_rows_come_by_length_and_balanced_over_a_column():
    data = CollatedRows(ROWS, collate, length_column="size", balanced_column="group")
    for batch in take(data, 5):
        assert (batch["value"] >= 40).sum() == 4
        assert (batch["value"] % 5).unique().numel() <= 3, "of like length"


def test_what_the_rows_hold_and_how_they_are_mixed_is_told():
    def told(data):
        return data.batches(8, 0, 0, 1).fingerprint()

    plain = told(CollatedRows(ROWS, collate))
    assert plain == told(CollatedRows(ROWS, collate, num_workers=2))
    other = Dataset.from_dict(ROWS.to_dict() | {"value": [0] * 60})
    assert plain["data.contents"] != told(CollatedRows(other, collate))["data.contents"]
    mixed = [told(CollatedRows(ROWS, collate, label_column="label", labelled_rows=rows)) for rows in (1, 2)]
    assert mixed[0] != mixed[1]


@pytest.mark.parametrize(
    ("options", "batch_size"),
    [
        ({"num_workers": -1}, 8),
        ({"num_workers": 1.5}, 8),
        ({"label_column": "label", "labelled_rows": 2.0}, 8),
        ({"balanced_column": "label"}, 8),  # -100 is no group
        ({"balanced_column": "word"}, 8),
        ({"length_column": "part"}, 8),
        ({"length_column": "width"}, 8),
        ({"label_column": "label"}, 8),
        ({"labelled_rows": 2}, 8),
        ({"label_column": "label", "labelled_rows": 2, "balanced_column": "group"}, 8),
        ({"label_column": "value", "labelled_rows": 2}, 8),
        ({"label_column": "label", "labelled_rows": 0}, 8),
        ({"label_column": "label", "labelled_rows": 8}, 8),
        ({}, 61),
    ],
)
def test_options_that_make_no_batches_are_refused(options, batch_size):
    with pytest.raises(ValueError):
        CollatedRows(ROWS, collate, **options).batches(batch_size, 0, 0, 1)


def test_fewer_rows_than_a_batch_is_to_hold_are_counted():
    rows = Dataset.from_dict({"label": [0] + [NO_LABEL] * 3})
    with pytest.raises(ValueError, match=r"2 and 4 rows .* 1 and 3 rows"):
        CollatedRows(rows, collate, label_column="label", labelled_rows=2).batches(6, 0, 0, 1)
    with pytest.raises(ValueError, match="no rows"):
        CollatedRows(rows.select([]), collate).batches(6, 0, 0, 1)


def test_what_is_no_dataset_and_what_is_no_batch_is_refused():
    for wrong in (None, [{"value": 1}], DatasetDict(train=ROWS), ROWS.to_iterable_dataset()):
        with pytest.raises(TypeError, match=r"datasets\.Dataset"):
            CollatedRows(wrong, collate)
    for batch in (None, {}, torch.zeros(8), {"value": [1.0] * 8}, {"value": torch.tensor(1.0)}):
        with pytest.raises(TypeError, match="collate"):
            take(CollatedRows(ROWS, lambda rows, batch=batch: batch), 1)
