"""An untrained headline selector, whose choice of words depends on them all the same."""

from __future__ import annotations

import torch

from hf_arae.models.headline_selector.configuration_headline_selector import HeadlineSelectorConfig
from hf_arae.models.headline_selector.modeling_headline_selector import HeadlineSelectorForTokenClassification


def untrained_selector(vocab_size: int, **sizes) -> HeadlineSelectorForTokenClassification:
    """A model with random signals, which may choose all tokens but the special ones."""
    torch.manual_seed(0)
    given = {"hidden_size": 4, "num_members": 1, "signal_size": 10} | sizes
    model = HeadlineSelectorForTokenClassification(HeadlineSelectorConfig(vocab_size=vocab_size, **given))
    model.selector.signals.random_(-127, 128)
    model.selector.selectable[5:] = True
    return model.eval()
