"""From text columns to the columns that a model is trained on."""

from __future__ import annotations

from datasets import Dataset
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.utils import logging

logger = logging.get_logger(__name__)


def read_dataset(
    dataset: Dataset, tokenizer: PreTrainedTokenizerFast, split: str, drop_longer: bool = True
) -> Dataset:
    """Writes the texts as the tokenizer reads them, so that what a model writes can be compared with them.

    Args:
        dataset: column `text`, and any others.
        tokenizer: see [`~hf_arae.data.tokenization.train_tokenizer`].
        split: name of the split, for messages.
        drop_longer: leave out the sentences that the tokenizer would cut, and say how many.

    Returns:
        The dataset with words and marks separated by spaces in `text`, in the case that the tokenizer's style says.

    Raises:
        ValueError: no sentence is left.
    """
    normalizer, limit = tokenizer.backend_tokenizer.normalizer, tokenizer.model_max_length - 2
    columns = dataset.with_format(None)[:]
    words = [normalizer.normalize_str(text).split() for text in columns["text"]]
    columns["text"] = [" ".join(sentence) for sentence in words]
    read = Dataset.from_dict(columns, features=dataset.features)
    kept = [row for row, sentence in enumerate(words) if len(sentence) <= limit or not drop_longer]
    if not kept:
        raise ValueError(f"Every sentence of the {split} split has more than {limit} words.")
    if len(kept) == len(words):
        return read
    left_out = len(words) - len(kept)
    logger.warning("Left out %d of %d %s sentences, of over %d words.", left_out, len(words), split, limit)
    return read.select(kept)


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


def token_ids(texts: list[str], tokenizer: PreTrainedTokenizerBase, drop_longer: bool = False) -> list[list[int]]:
    """The ids of each text, `<bos>` and `<eos>` included; one over the tokenizer's limit is cut, or left out."""
    limit = tokenizer.model_max_length + drop_longer  # one more tells which are longer
    ids = tokenizer(texts, truncation=True, max_length=limit, return_attention_mask=False)["input_ids"]
    return [sentence for sentence in ids if len(sentence) < limit] if drop_longer else ids
