"""Graphs over images, attached to a model that reads patches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from image_mixins import made_up_images
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor, pipeline

from hf_arae import GlomoConfig, GlomoImageConfig, GlomoImageModel, GlomoModel
from hf_arae.models.glomo.attached_files import load_attached, save_attached
from hf_arae.models.glomo.attaching import attach_graphs, attached_to, detach_graphs

SIZES = {"hidden_size": 8, "num_heads": 2, "head_size": 4, "num_graph_layers": 2, "num_channels": 3}
WIDE = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16, "num_labels": 3}


def predictor(**changes) -> GlomoImageModel:
    torch.manual_seed(1)
    return GlomoImageModel(GlomoImageConfig(**{**SIZES, "image_size": 8, "value_range": "signed"} | changes)).eval()


def vit(image_size=8, patch_size=2, **changes) -> ViTForImageClassification:
    torch.manual_seed(0)
    return ViTForImageClassification(ViTConfig(image_size=image_size, patch_size=patch_size, **WIDE | changes)).eval()


def images(size=8, rows=4) -> torch.Tensor:
    return torch.rand(rows, 3, size, size, generator=torch.Generator().manual_seed(2)) * 2 - 1


@pytest.mark.parametrize("at", ["embeddings", "a layer"])
def test_a_vit_is_unchanged_at_first_trains_and_comes_back(at, tmp_path):
    model, glomo = vit(), predictor()
    if at == "a layer":  # versions of transformers name them differently
        at = next(name for name, module in model.named_modules() if type(module).__name__ == "ViTLayer")
    batch, before = images(), vit()(images()).logits
    attach_graphs(model, glomo, at)
    assert torch.equal(model(batch).logits, before)
    weights = {name: value.clone() for name, value in glomo.state_dict().items()}
    labels, losses = torch.tensor([0, 1, 2, 0]), []
    model.train()
    optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], 1e-2)
    for _ in range(8):
        loss = model(batch, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(torch.equal(value, weights[name]) for name, value in glomo.state_dict().items())
    model.eval()
    processor = ViTImageProcessor(size={"height": 8, "width": 8})
    save_attached(model, tmp_path, processor)
    loaded = load_attached(tmp_path)
    assert type(attached_to(loaded).glomo) is GlomoImageModel
    torch.testing.assert_close(loaded(batch).logits, model(batch).logits)
    picture = Image.fromarray(np.repeat(made_up_images(1).pixels[0], 3, 2))
    found = pipeline("image-classification", model=loaded, image_processor=processor, device="cpu")(picture)
    assert len(found) == 3
    with_graphs = model(batch).logits
    detach_graphs(model)
    assert not torch.equal(model(batch).logits, with_graphs)


@torch.no_grad()
def test_the_token_of_the_class_draws_nothing_and_nothing_draws_from_it():
    model, glomo = vit(), predictor()
    attached = attach_graphs(model, glomo)
    mixer = attached.mixers[0]
    torch.nn.init.normal_(mixer.value.weight)
    plain, seen = vit().vit.embeddings(images()), {}
    place = model.get_submodule(attached.places[0])
    place.register_forward_hook(lambda module, given, output: seen.update(mixed=output))
    model(images())
    assert torch.equal(seen["mixed"][:, 0], plain[:, 0])
    expected = mixer(plain[:, 1:], list(glomo.layer_graphs(images())))
    torch.testing.assert_close(seen["mixed"][:, 1:], expected)


@torch.no_grad()
def test_images_of_another_size_with_the_same_grid():
    model, glomo = vit(image_size=16, patch_size=4), predictor()
    attached = attach_graphs(model, glomo)
    model(images(16))
    graphs = list(attached.layer_graphs(images(16)))
    small = torch.nn.functional.avg_pool2d(images(16), 2)
    torch.testing.assert_close(graphs, list(glomo.layer_graphs(small)))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="grids do not fit"):
        attach_graphs(vit(patch_size=4), predictor())
    with pytest.raises(ValueError, match="channels"):
        attach_graphs(vit(), predictor(num_channels=1))
    with pytest.raises(ValueError, match="gives no sequence"):
        attach_graphs(vit(), predictor(), at="classifier")
    with pytest.raises(ValueError, match="no tokenizer"):
        attach_graphs(vit(), predictor(), glomo_tokenizer=object())
    words = GlomoModel(GlomoConfig(vocab_size=20, hidden_size=8, num_heads=2))
    with pytest.raises(ValueError, match="pixel_values"):
        attach_graphs(vit(), words)
    model = vit()
    attach_graphs(model, predictor(value_range="unit"))
    with pytest.raises(ValueError, match="pixel_values"):
        model(images())
