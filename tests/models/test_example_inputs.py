"""Example inputs are valid for every text autoencoder, however small its vocabulary."""

import pytest
import torch

from hf_arae import AaeConfig, AaeModel, AraeConfig, AraeModel, VaeConfig, VaeModel

SIZES = {"embedding_size": 4, "hidden_size": 4, "code_size": 4}
LABELS = {"num_attributes": 3, "id2label": {0: "sad", 1: "calm", 2: "glad"}}


@pytest.mark.parametrize("vocab_size", [5, 6, 300])
@pytest.mark.parametrize(
    ("config", "model", "labels"),
    [
        (AraeConfig, AraeModel, {}),
        (AraeConfig, AraeModel, LABELS),
        (VaeConfig, VaeModel, {}),
        (AaeConfig, AaeModel, {}),
    ],
    ids=["arae", "arae with labels", "vae", "aae"],
)
@torch.no_grad()
def test_example_inputs(config, model, labels, vocab_size):
    model = model(config(vocab_size=vocab_size, **SIZES, **labels)).eval()
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
