import numpy as np
import pytest
import torch
from datasets import Dataset

from hf_arae.data.text.encoding import encode_dataset, read_dataset
from hf_arae.data.text.token_arrays import TokenArrays, flat_column
from hf_arae.data.text.tokenization import train_tokenizer

ROWS = {"input_ids": [[1, 5, 2], [1, 2], [1, 6, 7, 8, 2], [1, 9, 2]], "attribute": [1, 0, 0, 1]}


def test_a_batch_is_padded_on_the_right_to_its_longest_sentence():
    batch = TokenArrays(Dataset.from_dict(ROWS), 0).__getitems__([3, 1, 0])
    assert batch["input_ids"].tolist() == [[1, 9, 2], [1, 2, 0], [1, 5, 2]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0], [1, 1, 1]]
    assert batch["attribute"].tolist() == [1, 0, 1]
    assert {value.dtype for value in batch.values()} == {torch.int64}


def test_rows_that_were_selected_keep_their_places():
    chosen = Dataset.from_dict(ROWS).select([2, 0])
    packed = TokenArrays(chosen, 0)
    assert len(packed) == 2 and packed.lengths.tolist() == [5, 3] and packed.attributes.tolist() == [0, 1]
    assert packed.__getitems__([1, 0])["input_ids"].tolist() == [[1, 5, 2, 0, 0], [1, 6, 7, 8, 2]]
    values, lengths = flat_column(chosen, "input_ids")
    assert np.array_equal(values, [1, 6, 7, 8, 2, 1, 5, 2]) and lengths.tolist() == [5, 3]


def test_rows_without_an_attribute():
    packed = TokenArrays(Dataset.from_dict({"input_ids": ROWS["input_ids"]}), 0)
    assert packed.attributes is None
    assert packed.__getitems__([0]).keys() == {"input_ids", "attention_mask"}


def test_plain_texts_are_rows_as_those_of_a_dataset():
    texts = ["The food was great!", "", "i will come again .", "long " * 9]
    tokenizer = train_tokenizer(texts, max_length=6)
    rows = read_dataset(Dataset.from_dict({"text": texts}), tokenizer, "train")
    expected = TokenArrays(encode_dataset(rows, tokenizer), tokenizer.pad_token_id)
    for given in (texts, Dataset.from_dict({"text": texts})["text"], (text for text in texts)):
        found = TokenArrays.from_texts(given, tokenizer)
        assert found.lengths.tolist() == [7, 7]
        assert found.digest() == expected.digest()


def test_texts_that_cannot_be_trained_on():
    tokenizer = train_tokenizer(["a b"])
    for texts, error, said in (
        ("a b", TypeError, "str"),
        (Dataset.from_dict({"text": ["a b"]}), TypeError, "row 0"),
        (["a b", None], TypeError, "row 1"),
        (5, TypeError, "int"),
        ([], ValueError, "empty"),
        (["", "\u200b"], ValueError, "seen"),
    ):
        with pytest.raises(error, match=said):
            TokenArrays.from_texts(texts, tokenizer)
    tokenizer.pad_token = None
    with pytest.raises(ValueError, match="pad_token"):
        TokenArrays.from_texts(["a b"], tokenizer)
