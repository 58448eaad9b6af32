"""From text columns to the columns that a model is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from datasets import Dataset
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.utils import logging

from hf_arae.data.text.characters import whole_characters
from hf_arae.data.text.hidden_words import warn_of_texts

logger = logging.get_logger(__name__)


def read_texts(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Texts in the words that the tokenizer reads, separated by spaces, as models write them.

    Whatever is compared with what a model writes has to be in these words: case, marks and numbers are the
    tokenizer's. Texts that are in them already stay as they are.

    Args:
        texts: any texts, such as reviews as people type them.
        tokenizer: see [`~hf_arae.data.text.tokenization.train_tokenizer`]. Of another one the normalizer is used,
            if it has one.
    """
    normalizer = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None)
    normalize = str if normalizer is None else normalizer.normalize_str
    return [" ".join(normalize(whole_characters(text)).split()) for text in texts]


def with_read_texts(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, names: Sequence[str] = ("text",)) -> Dataset:
    """The rows of a dataset, the columns that are named as `read_texts` gives them."""
    columns = dataset.with_format(None)[:]
    read = {name: read_texts(columns[name], tokenizer) for name in names}
    rows = Dataset.from_dict(columns | read, features=dataset.features)
    rows.info.description = dataset.info.description  # says whether they were split off, see `measured_split`
    return rows


def read_dataset(
    dataset: Dataset, tokenizer: PreTrainedTokenizerFast, split: str, drop_longer: bool = True
) -> Dataset:
    """Writes the texts as the tokenizer reads them, so that what a model writes can be compared with them.

    Warnings say how many sentences are left out or will be cut, and whether most words are unknown.

    Args:
        dataset: column `text`, and any others.
        tokenizer: see [`~hf_arae.data.text.tokenization.train_tokenizer`].
        split: name of the split, for messages.
        drop_longer: leave out the sentences that the tokenizer would cut.

    Returns:
        The dataset with words and marks separated by spaces in `text`, in the case that the tokenizer's style says.

    Raises:
        ValueError: no sentence is left.
    """
    limit = tokenizer.model_max_length - 2
    read = with_read_texts(dataset, tokenizer)
    texts = read["text"][:]
    lengths = [len(text.split()) for text in texts]
    filled = [row for row, length in enumerate(lengths) if length]
    kept = [row for row in filled if lengths[row] <= limit or not drop_longer]
    if not filled:
        raise ValueError(f"No sentence of the {split} split holds a character that is seen.")
    if not kept:
        raise ValueError(f"Every sentence of the {split} split has more than {limit} words.")
    if len(filled) < len(lengths):
        blank = len(lengths) - len(filled)
        logger.warning("Left out %d of %d %s sentences, which hold no word.", blank, len(lengths), split)
    if len(kept) < len(filled):
        left_out = len(filled) - len(kept)
        logger.warning("Left out %d of %d %s sentences, of over %d words.", left_out, len(lengths), split, limit)
    warn_of_texts([texts[row] for row in kept], tokenizer, split)
    return read if len(kept) == len(lengths) else read.select(kept)


def encode_dataset(dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """Tokenizes a dataset with the fixed schema (`text` and, for transfer, `label`).

    Sentences over the tokenizer's `model_max_length` are cut there.

    Returns:
        Columns `input_ids` (list of ids, `<bos>` and `<eos>` included), `length` and, if there is a `label`,
        `attribute` (its id).
    """

    def encode(rows: dict) -> dict:
        ids = token_ids(rows["text"], tokenizer)
        columns = {"input_ids": ids, "length": [len(sentence) for sentence in ids]}
        if "label" in rows:
            columns["attribute"] = rows["label"]
        return columns

    return dataset.map(encode, batched=True, batch_size=10_000, remove_columns=dataset.column_names, desc="Tokenizing")


def token_ids(texts: list[str], tokenizer: PreTrainedTokenizerBase, room: int = 0) -> list[list[int]]:
    """The ids of each text, `<bos>` and `<eos>` included, cut to the tokenizer's limit and `room` tokens more."""
    limit = tokenizer.model_max_length + room
    return tokenizer(texts, truncation=True, max_length=limit, return_attention_mask=False)["input_ids"]
