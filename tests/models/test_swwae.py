"""Stacked what-where autoencoders: what they rebuild, the three ways to train them, and what is refused."""

from __future__ import annotations

import pytest
import torch
from ebgan_models import LadderRows
from huggingface_hub.errors import StrictDataclassClassValidationError
from image_mixins import SIZE, ImageFamilyTests, image_rows
from torch.nn import functional as F
from transformers import AutoModel, AutoModelForImageClassification

from hf_arae import (
    SwwaeConfig,
    SwwaeForImageClassification,
    SwwaeModel,
    SwwaeObjective,
    SwwaeObjectiveArguments,
)

NARROW = {"image_size": SIZE, "layers": "(4)3c-2p-(6)3c-(5)3c-2p-7fc-fc", "num_labels": 3, "dropout": 0.0}
CLASSES = {"AutoModel": SwwaeModel, "AutoModelForImageClassification": SwwaeForImageClassification}


class SwwaeTests(ImageFamilyTests):
    changes: dict = {}
    weights: dict = {}

    def build_model(self):
        return SwwaeForImageClassification(SwwaeConfig(**NARROW | self.changes))

    def build_objective(self, model):
        return SwwaeObjective(model, SwwaeObjectiveArguments(**self.weights))

    def data(self, rows: int = 64):
        return LadderRows(self.images(rows))

    @pytest.fixture
    def model(self):
        """As the base's, as the class that rebuilds."""
        torch.manual_seed(0)
        model = SwwaeModel(self.build_model().config).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        return model


class TestSwwae(SwwaeTests):
    """Labels and images in one loss, each group of images normalised by itself."""

    weights = {"separate_statistics": True}


class TestPhaseSwwae(SwwaeTests):
    """Soft places, no batch norm, colour, pixels without mean; the decoder begins with the logits."""

    changes = {
        "where": "phase",
        "batch_norm": False,
        "num_channels": 3,
        "decode_from": "logits",
        "value_range": "signed",
        "pixel_mean": [0.1, 0.0, -0.1],
        "pixel_std": [0.5, 0.4, 0.6],
        "dropout": 0.1,
    }
    weights = {"detach_targets": True, "reconstruction_weight": 1.0}


class TestUnsupervisedSwwae(SwwaeTests):
    """No label; nothing says where a maximum stood."""

    changes = {"where": "none", "layers": "(4)3c-2p-(6)3c-3p"}
    weights = {"nll_weight": 0.0}

    def build_model(self):
        return SwwaeModel(SwwaeConfig(**NARROW | self.changes))

    def data(self, rows: int = 64):
        return image_rows(self.images(rows))


class TestConvNet(SwwaeTests):
    """No reconstruction: a plain ConvNet, whose decoder rests."""

    weights = {"reconstruction_weight": 0.0, "middle_weight": 0.0}

    @property
    def never_moved(self):
        return frozenset(f"decoder.{name}" for name, _ in self.build_model().decoder.named_parameters())


def narrow(**changes) -> SwwaeModel:
    torch.manual_seed(0)
    return SwwaeModel(SwwaeConfig(**NARROW | changes))


def objective(model: SwwaeModel, **settings) -> SwwaeObjective:
    found = SwwaeObjective(model, SwwaeObjectiveArguments(**settings))
    found.begin_iteration(0, 3)
    return found


@torch.no_grad()
def test_the_loss_is_the_sum_of_its_parts_by_hand():
    """The encoder layer by layer, and the decoder backwards: each map beside the one that it mirrors."""
    model, batch = narrow(batch_norm=False).train(), TestSwwae().batch()
    found = objective(model, nll_weight=2.0, reconstruction_weight=3.0, middle_weight=0.5)
    terms = found.learn(batch)
    images = torch.cat([batch["labelled_pixel_values"], batch["pixel_values"]])
    up, down = model.encoder.blocks, model.decoder.blocks
    first, where_1 = F.max_pool2d(up[0](images), 2, return_indices=True)
    second = up[1](first)
    top, where_2 = F.max_pool2d(up[2](second), 2, return_indices=True)
    logits = model.classifier(top.flatten(1))[: len(batch["labels"])]
    back = down[0](F.max_unpool2d(top, where_2, 2, output_size=(3, 3)))
    lower = down[1](back)
    rebuilt = down[2](F.max_unpool2d(lower, where_1, 2))
    nll = F.cross_entropy(logits, batch["labels"])
    middle = F.mse_loss(back, second) + F.mse_loss(lower, first)
    torch.testing.assert_close(terms["nll"], nll)
    torch.testing.assert_close(terms["middle"], middle)
    torch.testing.assert_close(terms["reconstruction"], F.mse_loss(rebuilt, images))
    torch.testing.assert_close(terms["loss"], 2 * nll + 3 * F.mse_loss(rebuilt, images) + 0.5 * middle)
    assert terms["middle_variance"] > 0 and 0 <= terms["accuracy"] <= 1


def test_without_weights_of_reconstruction_the_decoder_is_not_run():
    model, batch = narrow().train(), TestSwwae().batch()
    model.decoder.forward = None
    terms = objective(model, reconstruction_weight=0.0, middle_weight=0.0).learn(batch)
    assert set(terms) == {"loss", "nll", "accuracy"}
    # Nor do unlabelled images come in.
    other = batch | {"pixel_values": batch["pixel_values"].flip(0) / 2}
    torch.testing.assert_close(objective(model, reconstruction_weight=0, middle_weight=0).learn(other), terms)


def test_labelled_images_alone_are_rebuilt():
    batch = TestSwwae().batch()
    labelled = {name: batch[name] for name in ("labelled_pixel_values", "labels")}
    terms = objective(narrow().train()).learn(labelled)
    assert {"nll", "reconstruction", "middle"} <= set(terms)
    with pytest.raises(ValueError, match="nll_weight"):
        objective(narrow(), nll_weight=0.0).learn(labelled)


def test_detached_targets_are_not_moved():
    """With a decoder that hears nothing of the encoder, only targets could lead to it."""
    batch, settings = TestSwwae().batch(), {"nll_weight": 0.0, "reconstruction_weight": 0.0, "middle_weight": 1.0}
    for detached in (False, True):
        model = narrow(batch_norm=False).train()
        rebuild = model.rebuild
        model.rebuild = lambda what, wheres, rebuild=rebuild: rebuild(what.detach(), wheres)
        objective(model, detach_targets=detached, **settings).learn(batch)["loss"].backward()
        moved = [weight.grad is not None and bool(weight.grad.any()) for weight in model.encoder.parameters()]
        assert any(moved) != detached


def test_images_with_labels_and_without_can_have_statistics_of_their_own():
    batch = TestSwwae().batch()
    losses, dimmed = {}, batch | {"pixel_values": batch["pixel_values"] / 4}
    for separate in (False, True):
        for name, given in (("usual", batch), ("dimmed", dimmed)):
            found = objective(narrow().train(), separate_statistics=separate)
            losses[separate, name] = found.learn(given)["nll"].item()
    assert losses[True, "usual"] == pytest.approx(losses[True, "dimmed"], rel=1e-5)
    assert losses[False, "usual"] != pytest.approx(losses[False, "dimmed"], rel=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("where", ["switches", "phase"])
def test_the_what_of_one_image_goes_to_the_places_of_another(where):
    model = narrow(where=where).eval()
    images = TestSwwae().images(2)
    one, other = (model.encode(image[None]) for image in images)
    moved = model.decode(one.what, other.wheres)
    assert moved.shape == images[:1].shape
    assert not torch.allclose(moved, model.decode(one.what, one.wheres))
    torch.testing.assert_close(model.decode(*one), model.reconstruct(images[:1]))


@torch.no_grad()
def test_a_moved_image_s_what_stays_and_its_where_moves():
    """By one pixel within a region: the same values, one place further."""
    model = narrow(layers="(4)1c-6p-fc").eval()
    images = torch.zeros(1, 1, SIZE, SIZE)
    images[..., 2, 3] = 1.0
    first, second = model.encode(images), model.encode(images.roll(1, 3))
    torch.testing.assert_close(first.what, second.what)
    fires = first.what[0].flatten() > 0
    assert fires.any()
    assert (second.wheres[0] - first.wheres[0]).flatten()[fires].eq(1).all()


@torch.no_grad()
def test_the_networks_see_pixels_without_mean_and_deviation():
    model = narrow(pixel_mean=[0.4], pixel_std=[0.2]).eval()
    plain = narrow().eval()
    images = TestSwwae().images(4)
    torch.testing.assert_close(model.normalized(images), (images - 0.4) / 0.2)
    torch.testing.assert_close(model.encoder(model.normalized(images)).what, plain.encoder((images - 0.4) / 0.2).what)
    rebuilt = plain.rebuild(*model.encode(images))[0]
    torch.testing.assert_close(model.reconstruct(images), (rebuilt * 0.2 + 0.4).clamp(0, 1))


def test_classifier_and_autoencoder_are_one_checkpoint(tmp_path):
    model = TestSwwae().build_model().eval()
    model.config.id2label = {0: "left", 1: "middle", 2: "right"}
    model.save_pretrained(tmp_path)
    images = TestSwwae().images(3)
    classifier = AutoModelForImageClassification.from_pretrained(tmp_path).eval()
    output = classifier(images, labels=torch.tensor([0, 1, 2]), output_hidden_states=True)
    torch.testing.assert_close(output.logits, model(images).logits)
    torch.testing.assert_close(output.loss, F.cross_entropy(output.logits, torch.tensor([0, 1, 2])))
    assert [tuple(what.shape) for what in output.hidden_states] == [(3, 4, 3, 3), (3, 5, 1, 1)]
    autoencoder = AutoModel.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(autoencoder.reconstruct(images), model.reconstruct(images))


def test_widths_are_multiplied_and_statistics_loaded(tmp_path):
    config = SwwaeConfig(**NARROW | {"width_multiplier": 0.5, "pixel_mean": [0.3], "pixel_std": [0.7]})
    assert [layer.maps for layer in config.map_layers if hasattr(layer, "maps")] == [2, 3, 2]
    model = SwwaeModel(config)
    model.save_pretrained(tmp_path)
    loaded = SwwaeModel.from_pretrained(tmp_path)
    assert loaded.pixel_mean.item() == pytest.approx(0.3) and loaded.pixel_std.item() == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"layers": "(4)3c-2q"}, "2q"),
        ({"layers": "(4)4c-2p"}, "4c"),
        ({"layers": "(4)3c2s-2p"}, "2s"),
        ({"layers": "2p-(4)3c"}, "2p"),
        ({"layers": "(4)3c-1p"}, "1p"),
        ({"layers": "(4)3c-fc-2p"}, "2p"),
        ({"layers": "(4)3c-fc-3fc"}, "fc"),
        ({"layers": "3fc"}, "convolution"),
        ({"layers": "(4)3c-7p"}, "7p"),
        ({"layers": "(4)3c-2p", "decode_from": "logits"}, "logits"),
        ({"where": "here"}, "where"),
        ({"phase_beta": -1.0}, "phase_beta"),
        ({"phase_beta": 1e39}, "phase_beta"),
        ({"dropout": 1.0}, "dropout"),
        ({"width_multiplier": 0}, "width_multiplier"),
        ({"pixel_mean": [0.1]}, "pixel_std"),
        ({"pixel_mean": [0.1, 0.2], "pixel_std": [1.0, 1.0]}, "pixel_mean"),
        ({"pixel_mean": [0.1], "pixel_std": [0.0]}, "pixel_std"),
        ({"pixel_mean": [float("nan")], "pixel_std": [1.0]}, "pixel_mean"),
    ],
    ids=str,
)
def test_a_wrong_config_is_refused_by_name(wrong, named):
    with pytest.raises(StrictDataclassClassValidationError, match=named):
        SwwaeConfig(**NARROW | wrong)


def test_what_cannot_learn_is_refused():
    with pytest.raises(ValueError, match="10 outputs"):
        SwwaeModel(SwwaeConfig(**NARROW | {"layers": "(4)3c-2p-10fc"}))
    with pytest.raises(ValueError, match="linear"):
        SwwaeForImageClassification(SwwaeConfig(**NARROW | {"layers": "(4)3c-2p"}))
    with pytest.raises(ValueError, match="nll_weight"):
        SwwaeObjective(narrow(layers="(4)3c-2p"))
    for wrong in ({"middle_weight": -0.1}, {"nll_weight": float("nan")}, {"learning_rate": 0}, {"schedule": "steps"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SwwaeObjectiveArguments(**wrong)
    with pytest.raises(ValueError, match="above 0"):
        SwwaeObjectiveArguments(nll_weight=0, reconstruction_weight=0, middle_weight=0)
    batch = TestSwwae().batch()
    with pytest.raises(ValueError, match="labelled"):
        objective(narrow()).learn({"pixel_values": batch["pixel_values"]})


@torch.no_grad()
def test_what_and_where_of_another_model_are_refused():
    model = narrow().eval()
    what, wheres = model.encode(TestSwwae().images(2))
    for wrong in (
        (what[:, :1], wheres),
        (what, wheres[:1]),
        (what, [where[:1] for where in wheres]),
        (what, [where.float() for where in wheres]),
        (what, [where + 100 for where in wheres]),
        (what, [where - 100 for where in wheres]),
        (what, [where.to("meta") for where in wheres]),
        (what, ["first", "second"]),
        (what, None),
        (what.double(), wheres),
        ("what", wheres),
    ):
        with pytest.raises(ValueError, match="must be"):
            model.decode(*wrong)
    model = narrow(where="phase").eval()
    what, wheres = model.encode(TestSwwae().images(2))
    with pytest.raises(ValueError, match="fractions"):
        model.decode(what, [where.long() for where in wheres])


def test_large_betas_work_in_half_precision():
    for beta in (0.0, 1e6):
        for kind in (torch.bfloat16, torch.float16):
            model = narrow(where="phase", phase_beta=beta).to(kind)
            output = model(TestSwwae().images(2).to(kind))
            output.loss.backward()
            assert output.reconstruction.dtype == kind and output.reconstruction.isfinite().all()
            assert all(one.grad.isfinite().all() for one in model.encoder.parameters())


def test_hidden_states_come_if_the_config_asks_for_them():
    model = SwwaeForImageClassification(SwwaeConfig(**NARROW, output_hidden_states=True)).eval()
    images = TestSwwae().images(2)
    assert len(model(images).hidden_states) == 2
    assert model(images, output_hidden_states=False).hidden_states is None


def test_a_classifier_of_no_label_is_refused():
    with pytest.raises(ValueError, match="labels"):
        SwwaeForImageClassification(SwwaeConfig(**NARROW | {"num_labels": 0, "layers": "(4)3c-2p-fc"}))
