"""Splits: which are used, what is held out of the training rows where there is no validation split, and subsets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, DatasetDict
from transformers.utils import logging

logger = logging.get_logger(__name__)

SPLITS = ("train", "validation", "test")
VALIDATION_SHARE = 0.05
_SPLIT_OFF = "rows of the training split"  # description of a validation split that the data do not have
_MAX_NAMED = 10  # labels that one warning names

T = TypeVar("T")


def split_field(split: str) -> Any:
    """A field of a loader's arguments: what one of `SPLITS` is called in `dataset_name`."""
    without = {"validation": " Without it, a twentieth of the training rows is taken.", "test": " It may lack."}
    text = f"What the {split} split of dataset_name is called there.{without.get(split, '')}"
    return field(default=split, metadata={"help": text})


def split_names(arguments: Any) -> dict[str, str]:
    """The name in the source of each of `SPLITS`, of arguments that have a `split_field` for each.

    Raises:
        ValueError: one name stands for two, or there is one for a source that is not a dataset.
    """
    names = {split: getattr(arguments, f"{split}_split") for split in SPLITS}
    flags = "train_split, validation_split and test_split"
    if len(set(names.values())) < len(names):
        raise ValueError(f"{flags} must differ; got {', '.join(names.values())}.")
    if arguments.dataset_name is None and names != USUAL_NAMES:
        raise ValueError(f"{flags} go with dataset_name, which is not given.")
    return names


USUAL_NAMES = {split: split for split in SPLITS}


def usual_splits(raw: Mapping[str, T], names: Mapping[str, str] = USUAL_NAMES) -> dict[str, T]:
    """The splits that are used, in order, by the names of `SPLITS`; a warning names the others.

    Args:
        raw: what the source has.
        names: what each of `SPLITS` is called there.

    Raises:
        ValueError: there is no training split, or none of another name that was asked for.
    """
    for split, name in names.items():
        if name not in raw and (split == "train" or name != split):
            asked = "" if name == split else f" {name!r} ({split}_split)"
            kind = "training split" if name == split else "split"
            raise ValueError(f"The data have no {kind}{asked}. Splits found: {', '.join(raw) or 'none'}.")
    others = [name for name in raw if name not in names.values()]
    if others:
        logger.warning("Left out the splits %s: only %s are used.", ", ".join(others), ", ".join(names.values()))
    return {split: raw[name] for split, name in names.items() if name in raw}


def sample_tables(tables: Iterable[pa.Table], limit: int) -> pa.Table:
    """At most `limit` rows, drawn evenly from those of all tables, in their order; always the same ones."""
    source, keys, kept = np.random.default_rng(0), np.empty(0), None
    for table in tables:
        keys = np.concatenate([keys, source.random(len(table))])
        kept = table if kept is None else pa.concat_tables([kept, table], promote_options="default")
        if len(keys) > limit:
            best = np.sort(np.argpartition(keys, limit)[:limit])
            kept, keys = kept.take(best), keys[best]
    return pa.table({}) if kept is None else kept


def sample_rows(size: int, count: int) -> list[int]:
    """`count` of the row numbers below `size`, in order; always the same ones."""
    return sorted(random.Random(0).sample(range(size), count))


def split_off_validation(
    splits: dict[str, Dataset], texts: Sequence[str] = ("text",), label: str | None = None
) -> dict[str, Dataset]:
    """Without a validation split, `VALIDATION_SHARE` of the training rows become one; always the same rows.

    Rows of the same text (letters' case and white space aside) are all held out or all trained on, and every label
    stays in the training split; a warning says what that took. A text that a split cannot do without is in both.

    Args:
        splits: with `train`.
        texts: the columns that make up a row's text.
        label: the column of labels, if they matter.

    Raises:
        ValueError: there is a single training row, or a single one of each label.
    """
    if "validation" in splits:
        return splits
    train = splits["train"]
    if len(train) < 2:
        raise ValueError("The train split has one row, so that no validation split can be taken from it.")
    groups = _same_texts(train, texts)
    labels = [0] * len(train) if label is None else train[label][:]
    count = max(1, round(VALIDATION_SHARE * len(train)))
    held_out = _held_out(groups, labels, count)
    if not held_out:
        raise ValueError(
            f"No validation split can be taken from the train split: each of its {len(train)} rows is the only one of "
            "its label. Give validation_file, or a dataset with a validation split."
        )
    kept = sorted(set(range(len(train))) - set(held_out))
    logger.warning("No validation split: took %d of the %d training rows for it.", len(held_out), len(train))
    repeated = len(train) - len(np.unique(groups))
    shared = len(np.intersect1d(groups[held_out], groups[kept]))
    if shared:
        texts = "1 text" if shared == 1 else f"{shared} texts"
        logger.warning("The validation split shares %s with the training rows: there are too few.", texts)
    elif repeated:
        logger.warning("%d training rows repeat a text; rows of one text were kept together in one split.", repeated)
    if label is not None and (absent := set(labels) - {labels[row] for row in held_out}):
        kind = train.features[label]
        names = sorted(kind.int2str(one) if hasattr(kind, "int2str") else str(one) for one in absent)
        listed = ", ".join(names[:_MAX_NAMED]) + (", ..." if len(names) > _MAX_NAMED else "")
        logger.warning("The validation split has no row of the label %s: there are too few.", listed)
    validation = train.select(held_out)
    validation.info.description = _SPLIT_OFF
    return {**splits, "train": train.select(kept), "validation": validation}


def measured_split(splits: Mapping[str, Dataset]) -> str:
    """Which rows a run's last numbers are of: "test", "validation" or, of the training data, "split off"."""
    if "test" in splits:
        return "test"
    return "split off" if splits["validation"].info.description == _SPLIT_OFF else "validation"


def _same_texts(rows: Dataset, columns: Sequence[str]) -> np.ndarray:
    """A number for each row; rows of the same text have the same."""
    numbers = np.zeros(len(rows), np.int64)
    for column in columns:
        texts = pc.cast(rows.with_format("arrow")[column][:], pa.large_string())
        bare = pc.replace_substring_regex(pc.utf8_lower(texts), r"[\s\pZ]+", "")
        codes = pc.rank(bare, tiebreaker="dense").to_numpy(zero_copy_only=False) if len(bare) else numbers
        numbers = np.unique(numbers * (len(rows) + 1) + codes.astype(np.int64), return_inverse=True)[1]
    return numbers


def _held_out(groups: np.ndarray, labels: Sequence, count: int) -> list[int]:
    """About `count` rows to be held out, in order: those of `sample_rows`, where no text or label is in the way."""
    drawn = sample_rows(len(groups), count)
    left = Counter(labels)
    lost = [label for label, number in Counter(labels[row] for row in drawn).items() if number == left[label]]
    if not lost and not np.isin(np.delete(groups, drawn), groups[drawn]).any():
        return drawn
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(row)
    others = sorted(set(range(len(groups))) - set(drawn))
    for rows in (others, drawn):  # in their order, texts of many rows would fill the split from the first labels alone
        random.Random(1).shuffle(rows)

    def taken(sets: Iterable[list[int]], limit: int) -> list[int]:
        found: list[int] = []
        for rows in sets:
            if len(found) == count:
                break
            needed = Counter(labels[row] for row in rows)
            if len(found) + len(rows) <= limit and all(left[label] > number for label, number in needed.items()):
                left.subtract(needed)
                found += rows
        return sorted(found)

    whole = list({groups[row]: members[groups[row]] for row in [*drawn, *others]}.values())
    return (
        taken(whole, count)
        or next(filter(None, (taken([rows], len(groups) // 4) for rows in sorted(whole, key=len))), [])
        or taken(([row] for row in [*drawn, *others]), count)
    )


def shorten(splits: Mapping[str, Dataset], max_train: int | None, max_eval: int | None) -> DatasetDict:
    """Random subsets of the splits (always the same ones) of at most these sizes."""
    shortened = DatasetDict()
    for name in SPLITS:
        if name in splits:
            limit, size = (max_train if name == "train" else max_eval), len(splits[name])
            subset = limit is not None and limit < size
            shortened[name] = splits[name].select(sample_rows(size, limit)) if subset else splits[name]
    return shortened
