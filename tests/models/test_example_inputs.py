"""Example inputs are valid for every text autoencoder, however small its vocabulary."""

import pytest
import torch
from family_tests import has_field, narrow_model, text_autoencoders

from hf_arae.models.auto import family

LABELS = {"num_attributes": 3, "id2label": {0: "sad", 1: "calm", 2: "glad"}}
CASES = [(name, {}) for name in text_autoencoders()]
CASES += [(name, LABELS) for name in text_autoencoders() if has_field(family(name), "num_attributes")]


@pytest.mark.parametrize("vocab_size", [5, 6, 300])
@pytest.mark.parametrize(("name", "labels"), CASES)
@torch.no_grad()
def test_example_inputs(name, labels, vocab_size):
    model = narrow_model(name, vocab_size, **labels)
    inputs = model.example_inputs
    shapes = {"input_ids": (2, 6), "attention_mask": (2, 6), "decoder_input_ids": (2, 5)}
    shapes |= {"attribute": (2,)} if labels else {}
    assert {name: tuple(part.shape) for name, part in inputs.items()} == shapes
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    assert ids[:, 0].tolist() == [1, 1] and ids[0, -1] == 2 and ids[1, 3:].tolist() == [2, 0, 0]
    assert mask.sum(1).tolist() == [6, 4] and ids.max() < vocab_size
    assert model(**inputs).logits.shape == (2, 5, vocab_size)
    assert all(torch.equal(part, inputs[name]) for name, part in model.example_inputs.items())
    assert model.reconstruct(ids, mask, inputs.get("attribute")).shape[0] == 2
