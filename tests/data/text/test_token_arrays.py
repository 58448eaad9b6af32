import numpy as np
import torch
from datasets import Dataset

from hf_arae.data.text.token_arrays import TokenArrays, flat_column

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
