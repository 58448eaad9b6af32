import math
import time

import numpy as np
import pytest
import torch

from hf_arae.data.text.salience import attribute_log_odds

# Words 5..8; <bos> 1 and <eos> 2 frame each sentence. Word 5 twice in one sentence counts once.
IDS = [[1, 5, 5, 6, 2], [1, 5, 2], [1, 6, 7, 2]]
ATTRIBUTES = [0, 0, 1]


def test_values_by_hand():
    odds = attribute_log_odds(IDS, ATTRIBUTES, vocab_size=9, num_attributes=2)
    # Two sentences of value 0 and one of value 1, s = 1: p(5 | 0) = 3/4, p(5 | 1) = 1/3.
    assert odds[5, 0].item() == pytest.approx(math.log((3 / 4) / (1 / 3)))
    assert odds[6, 0].item() == pytest.approx(math.log((2 / 4) / (2 / 3)))
    assert odds[7, 1].item() == pytest.approx(math.log((2 / 3) / (1 / 4)))
    torch.testing.assert_close(odds[:, 0], -odds[:, 1])
    assert odds.shape == (9, 2) and odds.dtype == torch.float32
    assert not odds[:5].any() and not odds[8].any()


def test_smoothing():
    odds = attribute_log_odds(IDS, ATTRIBUTES, vocab_size=9, num_attributes=2, smoothing=0.5)
    assert odds[5, 0].item() == pytest.approx(math.log((2.5 / 3) / (0.5 / 2)))


def test_more_than_two_values_are_each_against_the_rest():
    odds = attribute_log_odds([*IDS, [1, 5, 7, 2]], [*ATTRIBUTES, 2], vocab_size=9, num_attributes=3)
    # Word 5: in both sentences of value 0, in one of the two others.
    assert odds[5, 0].item() == pytest.approx(math.log((3 / 4) / (2 / 4)))
    assert odds[7, 2].item() == pytest.approx(math.log((2 / 3) / (2 / 5)))


@pytest.mark.parametrize(
    ("ids", "attributes", "message"),
    [
        (IDS, [0, 1], "3 sentences, but 2"),
        (IDS, [0, 1, 2], "must lie in 0..1"),
        (IDS, [0, 0, 0], r"value \[1\]"),
        ([[1, 9, 2], [1, 5, 2]], [0, 1], "must lie in 0..8"),
    ],
)
def test_wrong_inputs(ids, attributes, message):
    with pytest.raises(ValueError, match=message):
        attribute_log_odds(ids, attributes, vocab_size=9, num_attributes=2)


def test_no_smoothing_is_refused():
    with pytest.raises(ValueError, match="smoothing"):
        attribute_log_odds(IDS, ATTRIBUTES, vocab_size=9, num_attributes=2, smoothing=0)


def test_a_corpus_takes_about_a_second():
    source = np.random.default_rng(0)
    ids = source.integers(5, 10_000, size=(130_000, 10)).tolist()
    attributes = source.integers(0, 2, size=130_000).tolist()
    begin = time.process_time()
    attribute_log_odds(ids, attributes, vocab_size=10_000, num_attributes=2)
    assert time.process_time() - begin < 2
