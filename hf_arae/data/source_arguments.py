"""Arguments that the loaders of labelled data share: where the data come from, and how many of them are taken."""

from __future__ import annotations

from dataclasses import dataclass, field

from hf_arae.data.sources import check_limits, check_sources, named_path
from hf_arae.data.splits import SPLITS, split_field, split_names


@dataclass
class SourceArguments:
    """A dataset of the Hub or a local folder, its splits, and sizes of subsets.

    A subclass has `train_file`, `validation_file` and `test_file` beside them, and its columns.
    """

    dataset_name: str | None = field(
        default=None, metadata={"help": "A dataset on the Hub (owner/name) or a local folder in the Hub's layout."}
    )
    dataset_config_name: str | None = field(
        default=None, metadata={"help": "The configuration of `dataset_name`, where it has several."}
    )
    dataset_revision: str | None = field(
        default=None,
        metadata={"help": "A branch, tag or commit of `dataset_name` on the Hub; else its newest."},
    )
    train_split: str = split_field("train")
    validation_split: str = split_field("validation")
    test_split: str = split_field("test")
    max_train_samples: int | None = field(
        default=None, metadata={"help": "Train on a random subset of this size (always the same one)."}
    )
    max_eval_samples: int | None = field(
        default=None, metadata={"help": "Shorten the validation and the test split to random subsets of this size."}
    )


def check_source_arguments(arguments: SourceArguments) -> None:
    """Raises a ValueError if what says where the data come from contradicts itself, or a limit is below 1."""
    if arguments.dataset_revision is not None and arguments.dataset_name is None:
        raise ValueError("dataset_revision goes with dataset_name, which is not given.")
    if arguments.dataset_revision is not None and named_path(arguments.dataset_name).is_dir():
        raise ValueError(
            f"dataset_revision goes with a dataset on the Hub; {arguments.dataset_name} is a local folder."
        )
    check_sources(arguments.dataset_name, arguments.dataset_config_name, files_of_splits(arguments))
    split_names(arguments)
    check_limits(max_train_samples=arguments.max_train_samples, max_eval_samples=arguments.max_eval_samples)


def files_of_splits(arguments: SourceArguments) -> dict[str, str | None]:
    """What is named as each split's file or files."""
    return {split: getattr(arguments, f"{split}_file") for split in SPLITS}
