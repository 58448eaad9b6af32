"""Documents to be summarized, their summaries where there are any, and titles of other documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from datasets import Dataset, DatasetDict, Features, Value, concatenate_datasets
from transformers.utils import logging

from hf_arae.data.corpora.news import build_news
from hf_arae.data.files import EXTENSIONS, Columns, extension, file_paths, read_columns, read_lines
from hf_arae.data.sources import (
    TEXT_TYPES,
    Source,
    check_limits,
    check_sources,
    detached,
    load_named,
    located,
    require_column,
    rows_with_text,
)
from hf_arae.data.splits import SPLITS, shorten, split_off_validation, usual_splits
from hf_arae.data.text.news import first_sentence, normalize_news

logger = logging.get_logger(__name__)

NORMALIZATIONS = ("news", "none")


@dataclass
class DocumentArguments:
    """Where documents and titles come from; each field is a flag. With no source: the built-in news."""

    dataset_name: str | None = field(
        default=None,
        metadata={
            "help": "A dataset on the Hub (owner/name) or a local folder in the Hub's layout; or several, separated "
            "by commas, each as name or name:configuration. All training splits are used; for the held-out splits, "
            "those with summaries, or all if none has them."
        },
    )
    dataset_config_name: str | None = field(
        default=None, metadata={"help": "The configuration of `dataset_name`, where that is a single dataset."}
    )
    train_file: str | None = field(
        default=None,
        metadata={
            "help": f"Training data: files of type {EXTENSIONS}, separated by commas. A .txt file holds one document "
            "a line; a .json file an array of objects or an object a line; .csv is quoted in the usual way, .tsv not "
            "at all; both begin with a line of column names."
        },
    )
    validation_file: str | None = field(
        default=None,
        metadata={"help": "Validation data, like train_file. Without it, a twentieth of train_file is split off."},
    )
    test_file: str | None = field(default=None, metadata={"help": "Test data, like train_file."})
    document_column: str = field(
        default="document",
        metadata={"help": "The column of documents; of several, separated by commas, the first that is there."},
    )
    summary_column: str | None = field(
        default="summary",
        metadata={"help": "The column of summaries, where there is one; of several, the first that is there."},
    )
    titles_name: str | None = field(
        default=None,
        metadata={"help": "Datasets, as in dataset_name, whose training splits hold titles (of any documents)."},
    )
    titles_config_name: str | None = field(
        default=None, metadata={"help": "The configuration of `titles_name`, where that is a single dataset."}
    )
    titles_file: str | None = field(
        default=None, metadata={"help": "Files, as in train_file, that hold titles; in a .txt file one a line."}
    )
    titles_column: str = field(default="title", metadata={"help": "The column of titles; see document_column."})
    first_sentence: bool = field(default=True, metadata={"help": "Cut documents to their first sentence."})
    max_document_words: int | None = field(default=None, metadata={"help": "Cut documents to this many words."})
    min_document_words: int = field(default=1, metadata={"help": "Leave out documents with fewer words than this."})
    normalization: str = field(
        default="news",
        metadata={
            "help": "How texts are rewritten. news: as Gigaword has them, in lower case, with # for each digit and "
            "spaces around punctuation. none: not at all.",
            "choices": list(NORMALIZATIONS),
        },
    )
    max_train_samples: int | None = field(
        default=None, metadata={"help": "Train on a random subset of at most this size (always the same one)."}
    )
    max_eval_samples: int | None = field(
        default=None, metadata={"help": "Shorten the validation and the test split to subsets of at most this size."}
    )


def load_documents(arguments: DocumentArguments, summary_required: bool = False) -> DatasetDict:
    """Loads the documents that `arguments` names, and their summaries where there are any.

    A document is cut to its first sentence, then rewritten, then cut to `max_document_words`; its summary is only
    rewritten. Rows without a word in the document, with fewer than `min_document_words` or with a blank summary are
    dropped, with one warning. Where there is no validation split, 5 % of the training split (always the same rows)
    becomes one. Random subsets are taken before rows are dropped, so that of a large corpus no more is rewritten than
    is used. Splits of other names are left out.

    Args:
        arguments: the sources, their columns, and how texts are cut and rewritten.
        summary_required: whether the held-out splits must have summaries. The training split never needs them.

    Returns:
        A `DatasetDict` with the splits `train` and `validation`, and `test` where there is one; columns `document`
        and, in each split that has it, `summary` (`Value("string")`).

    Raises:
        FileNotFoundError: a file is missing, or a name is neither a local folder nor a dataset that the Hub gave out.
        ValueError: contradictory arguments or sizes out of range; an unknown extension or normalization; a file that
            is not valid UTF-8 or not well-formed; a missing column; a text that is None or not a string (the row is
            named); no training split; a split without a document that is left.
    """
    _check_arguments(arguments, summary_required)
    sources = _load_raw(arguments)
    splits = split_off_validation(usual_splits(_merged(sources, arguments)), ("document",))
    if summary_required:
        for split, dataset in splits.items():
            if split != "train" and "summary" not in dataset.column_names:
                _raise_missing_summary(split, sources, arguments.summary_column)
    splits = shorten(splits, arguments.max_train_samples, arguments.max_eval_samples)
    return _rewritten(splits, arguments)


def load_titles(arguments: DocumentArguments) -> list[str]:
    """The titles that `arguments` names, rewritten as documents are, without blank ones; none if none are named.

    Raises:
        FileNotFoundError, ValueError: as in `load_documents`.
    """
    return load_titled_documents(arguments)[0]


def load_titled_documents(arguments: DocumentArguments) -> tuple[list[str], list[str]]:
    """As `load_titles`, and each title's own document, as `load_documents` rewrites it; "" where there is none.

    With the document it can be told which article a title must not be put beside, if it is to be an unpaired one.

    Raises:
        FileNotFoundError, ValueError: as in `load_documents`.
    """
    _check_normalization(arguments.normalization)
    if arguments.titles_name is not None and arguments.titles_file is not None:
        raise ValueError("Both titles_name and titles_file are given; give one of them.")
    if arguments.titles_config_name is not None and arguments.titles_name is None:
        raise ValueError("titles_config_name goes with titles_name, which is not given.")
    sources: list[Source] = []
    columns = _text_columns([arguments.titles_column, arguments.document_column])
    if arguments.titles_file is not None:
        sources = [_read_file(path, "train", columns) for path in file_paths(arguments.titles_file)]
    elif arguments.titles_name is not None:
        sources = _load_several(arguments.titles_name, arguments.titles_config_name, "titles", columns)
    titles: list[str] = []
    documents: list[str] = []
    for source in sources:
        part = usual_splits(source.splits)["train"]
        name = next((name for name in _alternatives(arguments.document_column) if name in part.column_names), None)
        texts = [""] * len(part) if name is None else [text or "" for text in part[name]]
        with located(source.files, columns):
            part = _with_columns(part, "train", {"title": arguments.titles_column}, "titles_column")
        rows = rows_with_text(part, "title", "train")
        rewritten = _rewrite_rows(
            {"title": part.select(rows)["title"][:], "document": [texts[row] for row in rows]}, **_options(arguments)
        )
        for title, document in zip(rewritten["title"], rewritten["document"], strict=True):
            if title.strip():
                titles.append(title)
                documents.append(document)
    if sources and not titles:
        raise ValueError("The titles are empty: there is none that is more than white space.")
    return titles, documents


def _check_arguments(arguments: DocumentArguments, summary_required: bool) -> None:
    named = (arguments.train_file, arguments.validation_file, arguments.test_file)
    check_sources(arguments.dataset_name, arguments.dataset_config_name, dict(zip(SPLITS, named, strict=True)))
    check_limits(
        max_train_samples=arguments.max_train_samples,
        max_eval_samples=arguments.max_eval_samples,
        max_document_words=arguments.max_document_words,
    )
    _check_normalization(arguments.normalization)
    min_words, max_words = arguments.min_document_words, arguments.max_document_words
    if min_words < 0:
        raise ValueError(f"min_document_words is {min_words}; it must be at least 0.")
    if max_words is not None and min_words > max_words:
        raise ValueError(f"min_document_words is {min_words}, more than max_document_words, which is {max_words}.")
    if arguments.document_column == arguments.summary_column:
        raise ValueError(f"document_column and summary_column are the same: {arguments.document_column!r}.")
    if summary_required and arguments.summary_column is None:
        raise ValueError("Summaries are required here, but summary_column is None; name the column of summaries.")


def _check_normalization(normalization: str) -> None:
    if normalization not in NORMALIZATIONS:
        raise ValueError(f"normalization is {normalization!r}; accepted are {', '.join(NORMALIZATIONS)}.")


# ------------------------------------------------------------------------------------------------------- sources


def _load_raw(arguments: DocumentArguments) -> list[Source]:
    """Sources with the columns that they have, each of one or more splits."""
    columns = _text_columns([arguments.document_column, arguments.summary_column])
    if arguments.dataset_name is not None:
        return _load_several(arguments.dataset_name, arguments.dataset_config_name, "dataset", columns)
    if arguments.train_file is None:
        return [Source(build_news())]
    named = zip(SPLITS, (arguments.train_file, arguments.validation_file, arguments.test_file), strict=True)
    return [
        _read_file(path, split, columns) for split, names in named if names is not None for path in file_paths(names)
    ]


def _merged(sources: list[Source], arguments: DocumentArguments) -> dict[str, Dataset]:
    """Each split with the columns `document` and, where it has one, `summary`."""
    columns = {"document": arguments.document_column, "summary": arguments.summary_column}
    used = _text_columns(list(columns.values()))
    merged: dict[str, Dataset] = {}
    for split in dict.fromkeys(split for source in sources for split in source.splits):
        parts = []
        for source in sources:
            if split in source.splits:
                with located(source.files, used):
                    part = source.splits[split]
                    parts.append(_with_columns(part, split, columns) if split in SPLITS else part)
        if split not in SPLITS:
            merged[split] = parts[0]  # only its name is used, for a warning
            continue
        with_summary = [part for part in parts if "summary" in part.column_names]
        if split != "train" and with_summary:
            parts = with_summary
        elif len(with_summary) < len(parts):
            parts = [part.select_columns("document") for part in parts]
        merged[split] = concatenate_datasets(parts)
    return merged


def _load_several(names: str, config: str | None, argument: str, columns: Columns) -> list[Source]:
    listed = [name.strip() for name in names.split(",")]
    if config is not None and len(listed) > 1:
        raise ValueError(
            f"{argument}_config_name goes with a single {argument}_name; of several write each as name:configuration."
        )
    if "" in listed:
        raise ValueError(f"{argument}_name {names!r} lists an empty name.")
    sources = []
    for name in listed:
        own_config = config
        if config is None and not Path(name).expanduser().exists():
            name, _, after = name.partition(":")
            own_config = after or None
        sources.append(load_named(name, own_config, columns))
    return sources


def _read_file(path: Path, split: str, columns: Columns) -> Source:
    """A file's rows as a split. `columns`: those that may hold text; the lines of a .txt file get the first."""
    if extension(path) == ".txt":
        name = next(iter(columns))
        rows = Dataset.from_dict({name: read_lines(path)}, features=Features({name: Value("string")}))
    else:
        rows = read_columns(path, columns)
    return Source({split: rows}, {split: [path]})


def _text_columns(listed: list[str | None]) -> Columns:
    return {name: "text" for names in listed for name in _alternatives(names)}


def _alternatives(names: str | None) -> list[str]:
    return [] if names is None else [name.strip() for name in names.split(",")]


def _with_columns(
    dataset: Dataset, split: str, columns: Mapping[str, str | None], argument: str = "document_column"
) -> Dataset:
    """Only `columns`, by their keys. The first must be there; another may lack, or hold no text at all."""
    required, *_ = columns
    found: dict[str, str] = {}
    for column, names in columns.items():
        name = next((name for name in _alternatives(names) if name in dataset.column_names), None)
        if name is not None:
            found[column] = name
    if required not in found:
        require_column(dataset, split, " or ".join(_alternatives(columns[required])), argument)
    if "summary" in found and not _holds_any(dataset, found["summary"]):
        del found["summary"]
    chosen = dataset.select_columns(list(found.values()))
    for column, name in found.items():
        rows_with_text(chosen, name, split)  # names the first row that holds no string
        if column != name:
            chosen = chosen.rename_column(name, column)
    features = Features({column: Value("string") for column in found})
    return chosen if chosen.features == features else chosen.cast(features)


def _holds_any(dataset: Dataset, column: str) -> bool:
    """Whether a row has a value: splits whose summaries are kept back have a column of None or of blanks."""
    if not len(dataset):
        return False
    values = dataset.with_format("arrow")[column][:]
    if getattr(dataset.features[column], "dtype", "") not in TEXT_TYPES:
        return values.null_count < len(values)
    return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(values), "")).as_py())


def _raise_missing_summary(split: str, sources: list[Source], names: str | None) -> None:
    held_out = any(split in source.splits for source in sources)
    taken = "" if held_out else ", which was taken from the train split,"
    found = dict.fromkeys(
        name
        for source in sources
        for name in source.splits.get(split if held_out else "train", Dataset.from_dict({})).features
    )
    raise ValueError(
        f"The {split} split{taken} has no summaries in a column {' or '.join(map(repr, _alternatives(names)))} "
        f"(summary_column). Columns found: {', '.join(found)}."
    )


# -------------------------------------------------------------------------------------------------------- texts


def _rewrite(text: str, arguments: DocumentArguments) -> str:
    return normalize_news(text) if arguments.normalization == "news" else text


def _options(arguments: DocumentArguments) -> dict[str, Any]:
    """What decides how texts are rewritten."""
    return {name: getattr(arguments, name) for name in ("first_sentence", "max_document_words", "normalization")}


def _rewrite_rows(rows: dict[str, list[str]], **options: Any) -> dict[str, list[str]]:
    arguments = DocumentArguments(**options)
    rewritten = {column: [_rewrite(text, arguments) for text in rows[column]] for column in rows.keys() - {"document"}}
    documents = rows["document"]
    if arguments.first_sentence:
        documents = [first_sentence(text) for text in documents]
    documents = [_rewrite(text, arguments) for text in documents]
    if arguments.max_document_words is not None:
        documents = [_cut(text, arguments.max_document_words) for text in documents]
    return {**rewritten, "document": documents}


def _cut(text: str, limit: int) -> str:
    words = text.split()
    return text if len(words) <= limit else " ".join(words[:limit])


def _rewritten(splits: Mapping[str, Dataset], arguments: DocumentArguments) -> DatasetDict:
    options = _options(arguments)
    finished = DatasetDict()
    dropped = 0
    for split, dataset in splits.items():
        texts = dataset.map(
            _rewrite_rows,
            batched=True,
            fn_kwargs=options,
            load_from_cache_file=False,  # the cache would not notice that the rules have changed
            desc=f"Reading the {split} split",
        )
        lengths = [len(text.split()) for text in texts["document"]]
        kept = {row for row, length in enumerate(lengths) if length >= max(1, arguments.min_document_words)}
        if "summary" in texts.column_names:
            kept.intersection_update(rows_with_text(texts, "summary", split))
        if not kept:
            raise ValueError(
                f"The {split} split is empty: it holds no document of {max(1, arguments.min_document_words)} words or "
                "more (with a summary, if it has summaries)."
            )
        dropped += len(texts) - len(kept)
        finished[split] = detached(texts.select(sorted(kept)) if len(kept) < len(texts) else texts)
    if dropped:
        logger.warning(
            "Dropped %d documents that are empty, shorter than %d words or have an empty summary.",
            dropped,
            arguments.min_document_words,
        )
    return finished
