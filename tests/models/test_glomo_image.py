"""GLoMo over images: graphs, pre-training, and the classifier that has them inside."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from image_mixins import SIZE, ImageFamilyTests, made_up_images
from PIL import Image
from transformers import AutoModel, AutoModelForImageClassification, AutoModelForPreTraining, pipeline

from hf_arae import (
    GlomoImageConfig,
    GlomoImageForImageClassification,
    GlomoImageForPreTraining,
    GlomoImageModel,
    GlomoImageObjective,
    GlomoImageObjectiveArguments,
    GlomoImageTaskObjective,
)
from hf_arae.data.images.augmentation import ImageAugmentation
from hf_arae.data.images.image_arrays import ImageArrays
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.nn.image.raster import RasterConvolutions, patches, window_after
from hf_arae.training import PhaseTrainer, TrainingArguments

SIZES = {
    "image_size": SIZE,
    "hidden_size": 8,
    "num_heads": 2,
    "head_size": 3,
    "num_graph_layers": 2,
    "levels": 4,
    "task_maps": 4,
    "task_stages": "(4)1-(6)1",
    "num_labels": 3,
}
VARIANTS = {
    "usual": {},
    "pixels": {"patch_size": 1, "window": 5, "kernel_size": 5},
    "colour": {"num_channels": 3, "value_range": "signed", "threshold": "query"},
    "coupled": {"coupled": True, "compose": "linear"},
    "softmax": {"sparsity": "softmax", "strict_mask": False},
    "uniform": {"graph": "uniform"},
    "random": {"graph": "random"},
    "none": {"graph": "none"},
}


def make_model(auto_class=GlomoImageForPreTraining, spread=3.0, **settings):
    """A model in evaluation mode; `spread` makes its graphs differ from uniform ones."""
    torch.manual_seed(0)
    model = auto_class(GlomoImageConfig(**{**SIZES, **settings})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.rpartition(".")[2] not in ("bias", "by_query"):
                parameter.mul_(spread)
    return model


def pictures(model, rows=3, seed=0):
    made_up = made_up_images(rows, model.config.num_channels, seed)
    return AraeImageProcessor.for_config(model.config).scale(made_up.pixels)


@pytest.fixture(params=VARIANTS)
def variant(request):
    return make_model(**VARIANTS[request.param])


class TestGlomoImage(ImageFamilyTests):
    def build_model(self):
        return GlomoImageForPreTraining(GlomoImageConfig(**SIZES, threshold="query"))

    def build_objective(self, model):
        return GlomoImageObjective(model, GlomoImageObjectiveArguments(positions=3))


@torch.no_grad()
def test_a_column_sums_to_one_or_is_zero(variant):
    images, units = pictures(variant), variant.config.context_length
    graphs = variant.graphs(images)
    assert graphs.shape == (3, 2, 2, 2, units, units) and (graphs >= 0).all()
    assert torch.equal(graphs, torch.stack(list(variant.layer_graphs(images)), 2))
    torch.testing.assert_close(graphs.sum(-2), graphs.any(-2).float())
    itself = 0 if variant.config.strict_mask else 1
    assert not graphs[:, 0].tril(-itself).any() and not graphs[:, 1].triu(itself).any(), "from later units"
    assert not (graphs.any((1, 2, 3)) & ~variant.allowed_edges(images).any(1)).any()
    output = GlomoImageModel.forward(variant, images, output_graphs=True, output_hidden_states=True)
    assert torch.equal(output.graphs, graphs) and output.last_hidden_state.shape == (3, units, 16)
    assert len(output.hidden_states) == 3 and torch.equal(output.hidden_states[-1], output.last_hidden_state)
    if variant.config.graph == "none":
        assert variant.sparsity(images) == {"edges": 0.0, "empty_columns": 1.0}
    if variant.config.graph == "random":
        assert torch.equal(graphs, variant.graphs(images)) and graphs[0, 0, 0, 0, :4, 4].std() > 0.01


@torch.no_grad()
@pytest.mark.parametrize("share", [0.0, 0.4, 0.7, 1.0])
def test_nothing_is_known_of_the_future_bit_for_bit(variant, share):
    config, images = variant.config, pictures(variant, 1)
    side, patch, units = config.units_size, config.patch_size, config.context_length
    changed = round(share * (units - 1))
    row, column = (patch * place for place in divmod(changed, side))
    other = images.clone()
    one = other[..., row : row + patch, column : column + patch]
    one.copy_(one.flip(1) * 0.3 + 0.5)
    before, after = slice(changed), slice(changed + 1, None)
    graphs, others = variant.graphs(images), variant.graphs(other)
    assert torch.equal(graphs[:, 0, ..., before], others[:, 0, ..., before])
    assert torch.equal(graphs[:, 1, ..., after], others[:, 1, ..., after])
    seen, others = (GlomoImageModel.forward(variant, one).last_hidden_state for one in (images, other))
    assert torch.equal(seen[:, before, :8], others[:, before, :8])
    assert torch.equal(seen[:, after, 8:], others[:, after, 8:])
    assert not torch.equal(seen[:, changed, :8], others[:, changed, :8])
    losses, others = variant.unit_losses(images), variant.unit_losses(other)
    later = window_after(side, config.window)
    knows_not = later < changed
    assert torch.equal(losses[0, 0][knows_not].nan_to_num(), others[0, 0][knows_not].nan_to_num())
    knows_not = (units - 1 - later.flip(0) > changed) | (later.flip(0) < 0)
    assert torch.equal(losses[0, 1][knows_not].nan_to_num(), others[0, 1][knows_not].nan_to_num())
    assert not torch.equal(losses.nan_to_num(), others.nan_to_num())


@torch.no_grad()
def test_the_backward_network_is_the_forward_one_of_the_image_turned_round(variant):
    images = pictures(variant)
    turned = copy.deepcopy(variant)
    for one, other in (("forward_network", "backward_network"), ("backward_network", "forward_network")):
        getattr(turned, one).load_state_dict(getattr(variant, other).state_dict())
    turned.decoders.forward_gru, turned.decoders.backward_gru = (
        variant.decoders.backward_gru,
        variant.decoders.forward_gru,
    )
    # The order of units is turned round, and not what is in a unit.
    patch, config = variant.config.patch_size, variant.config
    units = patches(images, patch).flip(1).transpose(1, 2).unflatten(2, (config.units_size, config.units_size))
    mirrored = torch.nn.functional.pixel_shuffle(units, patch)
    for places in (turned.embeddings.rows, turned.embeddings.columns):
        places.copy_(places.flip(0))
    torch.testing.assert_close(turned.graphs(mirrored).flip((1, 4, 5)), variant.graphs(images))
    expected = variant.unit_losses(images)
    torch.testing.assert_close(turned.unit_losses(mirrored).flip((1, 2)), expected, equal_nan=True)


@torch.no_grad()
def test_the_loss_is_the_mean_of_what_units_lose(variant):
    images, output = pictures(variant), variant(pictures(variant))
    losses = variant.unit_losses(images)
    later = window_after(variant.config.units_size, variant.config.window)
    assert losses.shape == (3, 2, *later.shape)
    assert torch.equal(losses[:, 0].isnan(), (later < 0).expand(3, -1, -1))
    torch.testing.assert_close(losses[:, 0].nanmean(), output.forward_loss)
    torch.testing.assert_close(losses[:, 1].nanmean(), output.backward_loss)
    torch.testing.assert_close(output.loss, (output.forward_loss + output.backward_loss) / 2)
    everything = GlomoImageObjective(variant, GlomoImageObjectiveArguments(positions=0))
    terms = everything.predict({"pixel_values": images})
    torch.testing.assert_close(terms["loss"], output.loss)
    assert terms["edges"].item() == pytest.approx(variant.sparsity(images)["edges"])


def test_the_window_s_later_half():
    found = window_after(4, 3)
    assert found.shape == (16, 4)
    assert found[5].tolist() == [6, 8, 9, 10] and found[0].tolist() == [1, -1, 4, 5]
    assert found[7].tolist() == [-1, 10, 11, -1] and found[15].tolist() == [-1] * 4
    assert window_after(5, 5)[12].tolist() == [13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]


@torch.no_grad()
def test_a_convolution_sees_the_earlier_half_of_its_window():
    network = RasterConvolutions(2, 1, 3, 4).eval()
    network.norms[0] = torch.nn.Identity()
    units = torch.zeros(1, 16, 2)
    seen_by = []
    for place in range(16):
        one = units.clone()
        one[0, place] = 100.0
        seen_by.append((network.forward(one) != network.forward(units)).any(2)[0].nonzero().flatten().tolist())
    for place, seen in enumerate(seen_by):
        row, column = divmod(place, 4)
        wanted = {(row, column), (row, column + 1), *((row + 1, column + step) for step in (-1, 0, 1))}
        assert {divmod(one, 4) for one in seen} <= wanted
    assert {one for seen in seen_by for one in seen} == set(range(16))


def test_before_training_the_loss_is_that_of_guessing():
    torch.manual_seed(0)
    model = GlomoImageForPreTraining(GlomoImageConfig(image_size=8, hidden_size=64, levels=16))
    assert model(torch.rand(4, 1, 8, 8)).loss.item() == pytest.approx(math.log(16), abs=0.2)


def test_a_pretrained_model_loads_with_and_without_its_decoders(tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path)
    whole, graphs = AutoModelForPreTraining.from_pretrained(tmp_path), AutoModel.from_pretrained(tmp_path)
    assert (type(whole), type(graphs)) == (GlomoImageForPreTraining, GlomoImageModel)
    images = pictures(model)
    assert torch.equal(whole(images).loss, model(images).loss)
    assert torch.equal(graphs.graphs(images), model.graphs(images))
    classifier = AutoModelForImageClassification.from_pretrained(tmp_path)
    assert torch.equal(classifier.glomo.graphs(images), model.graphs(images))


@pytest.mark.parametrize("graph", ["learned", "uniform", "random", "none"])
def test_a_classifier_trains_around_its_frozen_predictor_and_labels_pictures(graph, tmp_path):
    model, images = make_model(GlomoImageForImageClassification, 1.0, graph=graph), made_up_images(48)
    model.config.id2label = dict(enumerate(images.label_names))
    processor = AraeImageProcessor.for_config(model.config)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rows = np.arange(48)
    data = ImageArrays(images, processor, rows, 16, ImageAugmentation(mirror=True), unlabelled=False)
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=6,
        per_device_train_batch_size=16,
        save_steps=0,
        eval_steps=0,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    PhaseTrainer(model, GlomoImageTaskObjective(model), arguments, data, processing_class=processor).train()
    for name, value in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, before[name]) == name.startswith("glomo."), name
    model.eval()
    pixels = processor.scale(images.pixels[:3])
    loaded = AutoModelForImageClassification.from_pretrained(tmp_path)
    assert type(loaded) is GlomoImageForImageClassification
    torch.testing.assert_close(loaded(pixels).logits, model(pixels).logits)
    assert not any(one.requires_grad for one in loaded.glomo.parameters()) and not loaded.train().glomo.training
    labels = torch.tensor([0, 1, -100])
    output = model(pixels, labels=labels)
    torch.testing.assert_close(output.loss, torch.nn.functional.cross_entropy(output.logits, labels))
    found = pipeline("image-classification", model=str(tmp_path), device="cpu")(
        Image.fromarray(images.pixels[0, :, :, 0])
    )
    assert {one["label"] for one in found} == set(images.label_names)


@torch.no_grad()
def test_the_classifier_s_graphs_count():
    model = make_model(GlomoImageForImageClassification, 1.0)
    images = pictures(model)
    logits = model(images).logits
    for parameter in model.glomo.parameters():
        parameter.mul_(-2.0)
    assert not torch.equal(model(images).logits, logits)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"patch_size": 4}, "patch_size"),
        ({"patch_size": 6}, "one unit"),
        ({"patch_size": 0}, "patch_size"),
        ({"window": 2}, "window"),
        ({"kernel_size": 1}, "kernel_size"),
        ({"kernel_size": 4}, "kernel_size"),
        ({"levels": 1}, "levels"),
        ({"num_heads": 3}, "num_heads"),
        ({"task_stages": "64x2"}, "task_stages"),
        ({"task_stages": ""}, "task_stages"),
        ({"gate_size": 0}, "gate_size"),
    ],
    ids=str,
)
def test_a_wrong_config_is_refused_by_name(wrong, named):
    with pytest.raises(StrictDataclassClassValidationError, match=named):
        GlomoImageConfig(**SIZES | wrong)


def test_wrong_images_are_refused():
    model = make_model()
    for images in (torch.rand(2, 1, 7, 7), torch.rand(2, 3, 6, 6), torch.rand(1, 6, 6), torch.rand(2, 1, 6, 6) + 1):
        for verb in (model, model.graphs, model.sparsity, model.unit_losses, model.features):
            with pytest.raises(ValueError, match="pixel_values"):
                verb(images)
    with pytest.raises(TypeError, match="labels"):
        model(pictures(model), labels=torch.zeros(3))
