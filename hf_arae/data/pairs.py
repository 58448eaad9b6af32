"""Labelled pairs of sentences, from the Hub, a local folder, files or the built-in corpus, with one fixed schema."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from datasets import ClassLabel, Dataset, DatasetDict
from transformers.utils import logging

from hf_arae.data.corpora.scenes import build_scenes
from hf_arae.data.files import EXTENSIONS, Columns, extension, file_paths, read_columns
from hf_arae.data.labels import LabelNames, check_label_type, label_order
from hf_arae.data.source_arguments import SourceArguments, check_source_arguments, files_of_splits
from hf_arae.data.sources import (
    DataError,
    Source,
    load_named,
    located,
    require_column,
    rows_with_text,
)
from hf_arae.data.splits import shorten, split_names, split_off_validation, usual_splits

logger = logging.get_logger(__name__)

_NO_LABEL = (None, "-", "-1")  # SNLI's files have "-", its Hub dataset -1, where annotators did not agree


@dataclass
class PairArguments(SourceArguments):
    """Where the pairs come from; each field is a flag. With no source given: the built-in scenes."""

    train_file: str | None = field(
        default=None,
        metadata={
            "help": f"Training data: a file of type {EXTENSIONS} with the three columns. A .json file holds an array "
            "of objects or an object a line; .csv is quoted in the usual way, .tsv not at all."
        },
    )
    validation_file: str | None = field(
        default=None,
        metadata={"help": "Validation data, like train_file. Without it, a twentieth of train_file is split off."},
    )
    test_file: str | None = field(default=None, metadata={"help": "Test data, like train_file."})
    premise_column: str = field(default="premise", metadata={"help": "The column of first sentences."})
    hypothesis_column: str = field(default="hypothesis", metadata={"help": "The column of second sentences."})
    label_column: str = field(
        default="label", metadata={"help": "The column of labels: class labels, integers or strings."}
    )


def load_labelled_pairs(arguments: PairArguments) -> DatasetDict:
    """Loads the pairs that `arguments` names.

    Pairs without a label (-1, "-", empty) or with a blank sentence are dropped, with a note. Where there is no
    validation split, 5 % of the training split (always the same rows) becomes one. Labels of class `ClassLabel` keep
    their names, others are named by themselves, in sorted order; the training split settles the ids.

    Returns:
        A `DatasetDict` with the splits `train` and `validation`, and `test` where there is one; columns `premise`,
        `hypothesis` (`Value("string")`) and `label` (`ClassLabel`).

    Raises:
        FileNotFoundError: a file is missing, or `dataset_name` is neither a local folder nor a reachable Hub dataset.
        ValueError: contradictory arguments; a missing column; a text that is not a string; a label that training data
            do not have; a single label in the training data; no training split; an empty split.
    """
    check_source_arguments(arguments)
    wanted = (arguments.premise_column, arguments.hypothesis_column, arguments.label_column)
    if len(set(wanted)) < len(wanted):
        raise ValueError(f"premise_column, hypothesis_column and label_column must be three columns; got {wanted}")
    columns: Columns = dict(zip(wanted, ("text", "text", "label"), strict=True))
    if arguments.dataset_name is not None:
        source = load_named(arguments.dataset_name, arguments.dataset_config_name, columns, arguments.dataset_revision)
    elif arguments.train_file is None:
        source = Source(build_scenes())
    else:
        paths = {
            split: [_pair_file(names)] for split, names in files_of_splits(arguments).items() if names is not None
        }
        source = Source({split: read_columns(path, columns) for split, (path,) in paths.items()}, paths)
    splits, names = {}, []
    in_source = split_names(arguments)
    known = {split: source.files.get(name, ()) for split, name in in_source.items()}
    with located(known, columns):
        for split, dataset in usual_splits(source.splits, in_source).items():
            for column, argument in zip(wanted, ("premise_column", "hypothesis_column", "label_column"), strict=True):
                require_column(dataset, split, column, argument)
            check_label_type(dataset.features[arguments.label_column], arguments.label_column, split)
            splits[split], names = _with_schema(dataset, split, wanted, names)
    splits = split_off_validation(splits, ("premise", "hypothesis"), "label")
    return shorten(splits, arguments.max_train_samples, arguments.max_eval_samples)


def _pair_file(name: str) -> Path:
    paths = file_paths(name)
    if len(paths) > 1 or extension(paths[0]) == ".txt":
        raise ValueError(f"Pairs come from one file with columns, of a split each, not from {name!r}.")
    return paths[0]


def _with_schema(
    dataset: Dataset, split: str, wanted: tuple[str, str, str], names: list[str]
) -> tuple[Dataset, list[str]]:
    """The rows with two sentences and a label, under the fixed names; and the labels' names."""
    premise, hypothesis, label = wanted
    kind = dataset.features[label]
    name_of = LabelNames(kind)
    labels = []
    for row, value in enumerate(dataset[label][:]):
        try:
            labels.append(name_of(value))
        except ValueError as error:
            raise DataError(f"The {split} split, row {row}: {error}.", split, row) from error
    filled = set(rows_with_text(dataset, premise, split)) & set(rows_with_text(dataset, hypothesis, split))
    rows = [row for row in sorted(filled) if labels[row] not in _NO_LABEL]
    if not rows:
        raise DataError(f"The {split} split is empty: it holds no pair with a label.", split)
    if len(rows) < len(dataset):
        logger.warning(
            "Dropped %d of %d %s pairs without a label or a word.", len(dataset) - len(rows), len(dataset), split
        )
    if not names:
        names = label_order(kind, {labels[row] for row in rows})
        if len({labels[row] for row in rows}) < 2:
            raise ValueError(f"The {split} split holds only the label {labels[rows[0]]!r}; at least two are needed.")
    unknown = next((row for row in rows if labels[row] not in names), None)
    if unknown is not None:
        raise DataError(
            f"The {split} split, row {unknown}: label {labels[unknown]!r} is not one of training's: "
            f"{', '.join(names)}.",
            split,
            unknown,
        )
    columns = {name: dataset[column][:] for name, column in (("premise", premise), ("hypothesis", hypothesis))}
    columns = {name: [texts[row] for row in rows] for name, texts in columns.items()}
    columns["label"] = [names.index(labels[row]) for row in rows]
    pairs = Dataset.from_dict(columns)
    return pairs.cast_column("label", ClassLabel(names=names)), names


def choose_labelled(pairs: Dataset, fraction: float, seed: int) -> Dataset:
    """The share of the pairs whose labels are used: a random choice, nested for growing fractions and one seed.

    Args:
        pairs: rows with `label`.
        fraction: in (0, 1].

    Raises:
        ValueError: the fraction is out of range, or leaves a label without a pair.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"label_fraction must lie in (0, 1], got {fraction}")
    order = list(range(len(pairs)))
    random.Random(seed).shuffle(order)
    chosen = pairs.select(sorted(order[: round(fraction * len(pairs))]))
    names = pairs.features["label"].names
    missing = sorted(set(pairs["label"][:]) - set(chosen["label"][:]))
    if missing:
        raise ValueError(
            f"label_fraction={fraction} with seed {seed} leaves {len(chosen)} of {len(pairs)} pairs, and none of them "
            f"is labelled {', '.join(names[label] for label in missing)}: give a larger fraction"
        )
    return chosen
