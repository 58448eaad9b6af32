"""Questions with passages that answer them, as SQuAD has them, with one fixed schema."""

from __future__ import annotations

from dataclasses import dataclass, field

from datasets import Dataset, DatasetDict
from transformers.utils import logging

from hf_arae.data.files import EXTENSIONS, Columns, file_paths, read_columns
from hf_arae.data.json_rows import texts_of
from hf_arae.data.source_arguments import SourceArguments, check_source_arguments, files_of_splits
from hf_arae.data.sources import DataError, Source, load_named, located, require_column
from hf_arae.data.splits import shorten, split_names, split_off_validation, usual_splits

logger = logging.get_logger(__name__)


@dataclass
class QuestionArguments(SourceArguments):
    """Where questions, passages and answers come from; each field is a flag."""

    train_file: str | None = field(
        default=None,
        metadata={
            "help": f"Training data: a file of type {EXTENSIONS} with the three columns, .json and .parquet for "
            "lists of answers."
        },
    )
    validation_file: str | None = field(
        default=None,
        metadata={"help": "Validation data, like train_file. Without it, a twentieth of train_file is split off."},
    )
    test_file: str | None = field(default=None, metadata={"help": "Test data, like train_file."})
    question_column: str = field(default="question", metadata={"help": "The column of questions."})
    context_column: str = field(default="context", metadata={"help": "The column of passages."})
    answers_column: str = field(
        default="answers",
        metadata={"help": "The column of answers: texts of the passage, lists of such, or SQuAD's text and places."},
    )


def load_questions(arguments: QuestionArguments) -> DatasetDict:
    """Loads the questions that `arguments` names.

    Questions without a word, without an answer, or whose answers do not stand in their passage are left out of the
    training split, with a warning; of the others only those without an answer are.

    Returns:
        A `DatasetDict` with the splits `train` and `validation`, and `test` where there is one; columns `question`,
        `context` and `answers`, a list of texts.

    Raises:
        FileNotFoundError: a file is missing, or `dataset_name` is neither a local folder nor a reachable Hub dataset.
        ValueError: no data are named; contradictory arguments; a missing column; what is no text; an empty split.
    """
    check_source_arguments(arguments)
    wanted = (arguments.question_column, arguments.context_column, arguments.answers_column)
    if len(set(wanted)) < len(wanted):
        raise ValueError(f"question_column, context_column and answers_column must be three columns; got {wanted}")
    columns: Columns = dict(zip(wanted, ("text", "text", "texts"), strict=True))
    if arguments.dataset_name is not None:
        source = load_named(arguments.dataset_name, arguments.dataset_config_name, columns, arguments.dataset_revision)
    elif arguments.train_file is None:
        raise ValueError("no questions are built in: name data that have some, with --dataset_name or --train_file")
    else:
        named = {split: file_paths(names)[:1] for split, names in files_of_splits(arguments).items() if names}
        source = Source({split: read_columns(path, columns) for split, (path,) in named.items()}, named)
    splits = {}
    in_source = split_names(arguments)
    with located({split: source.files.get(name, ()) for split, name in in_source.items()}, columns):
        for split, dataset in usual_splits(source.splits, in_source).items():
            for column, argument in zip(wanted, ("question_column", "context_column", "answers_column"), strict=True):
                require_column(dataset, split, column, argument)
            splits[split] = _with_schema(dataset, split, wanted)
    splits = split_off_validation(splits, ("context",))
    return shorten(splits, arguments.max_train_samples, arguments.max_eval_samples)


def _with_schema(dataset: Dataset, split: str, wanted: tuple[str, str, str]) -> Dataset:
    found: dict[str, list] = {"question": [], "context": [], "answers": []}
    for row, (question, context, given) in enumerate(zip(*(dataset[name][:] for name in wanted), strict=True)):
        texts = texts_of(given)
        if texts is None or not isinstance(question, str) or not isinstance(context, str):
            raise DataError(f"The {split} split, row {row}: question, passage and answers must be texts.", split, row)
        texts = [text for text in texts if text.strip()]
        inside = any(text in context for text in texts)
        if question.strip() and texts and (inside or split != "train"):
            for name, value in (("question", question), ("context", context), ("answers", texts)):
                found[name].append(value)
    kept = len(found["question"])
    if not kept:
        raise DataError(f"The {split} split is empty: it holds no question with an answer in its passage.", split, 0)
    if kept < len(dataset):
        logger.warning("Left out %d of %d %s questions without an answer.", len(dataset) - kept, len(dataset), split)
    return Dataset.from_dict(found)


__all__ = ["QuestionArguments", "load_questions"]
