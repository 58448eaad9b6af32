"""The loss of a classifier: rows without a label, and labels that are none."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hf_arae.losses.classification import label_loss

LOGITS = torch.tensor([[0.5, -1.0, 2.0], [0.0, 1.0, 0.3]])


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.uint8])
def test_it_is_the_cross_entropy(kind):
    labels = torch.tensor([2, 0], dtype=kind)
    torch.testing.assert_close(label_loss(LOGITS, labels), F.cross_entropy(LOGITS, labels.long()))


def test_rows_without_a_label_do_not_count():
    torch.testing.assert_close(
        label_loss(LOGITS, torch.tensor([-100, 1])), F.cross_entropy(LOGITS[1:], torch.tensor([1]))
    )
    logits = LOGITS.clone().requires_grad_()
    none = label_loss(logits, torch.tensor([-100, -100]))
    none.backward()
    assert none == 0 and not logits.grad.any()


@pytest.mark.parametrize(
    "wrong", [[0, 3], [-1, 0], [True, False], [0.0, 1.0], [0], [[0], [1]], [[0.0, 1.0, 0.0]] * 2], ids=str
)
def test_what_is_no_label_is_refused(wrong):
    with pytest.raises(ValueError, match="labels"):
        label_loss(LOGITS, torch.tensor(wrong))
    with pytest.raises(ValueError, match="labels"):
        label_loss(LOGITS, wrong)
