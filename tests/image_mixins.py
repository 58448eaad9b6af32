"""Checks that every family of images must pass: a new family's test names how to build it and inherits these."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from datasets import Dataset
from testing_mixins import FamilyTests

from hf_arae.data.collated_rows import CollatedRows
from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.models.images.image_config import VALUE_RANGES
from hf_arae.models.images.image_processing import AraeImageProcessor

SIZE = 6  # height and width of the made-up images


def made_up_images(rows: int, channels: int = 1, seed: int = 0) -> LabelledImages:
    """Random bright bars on dark ground; an image's label, of three, says where its bar stands."""
    source = np.random.default_rng(seed)
    pixels = source.integers(0, 50, (rows, SIZE, SIZE, channels), np.uint8)
    places = source.integers(0, SIZE - 1, rows)
    for row, place in enumerate(places):
        pixels[row, :, place : place + 2] += 200
    return LabelledImages(pixels, places * 3 // (SIZE - 1), ["left", "middle", "right"])


def image_rows(images: torch.Tensor, **columns: list) -> CollatedRows:
    """Images, and more columns of their rows, as what the loop trains on; batches are tensors of all columns."""
    rows = Dataset.from_dict({"row": list(range(len(images))), **columns})

    def collate(chosen: list[dict]) -> dict[str, torch.Tensor]:
        batch = {name: torch.tensor([one[name] for one in chosen]) for name in columns}
        return {"pixel_values": images[[one["row"] for one in chosen]], **batch}

    return CollatedRows(rows, collate)


class ImageFamilyTests(FamilyTests):
    """What every family of images must pass; its tiny model reads images of `SIZE` x `SIZE` pixels."""

    def data(self, rows: int = 64) -> CollatedRows:
        """Images of the tiny model's channels and range; a family that reads labels has more to say here."""
        return image_rows(self.images(rows))

    def images(self, rows: int = 5, seed: int = 0) -> torch.Tensor:
        """Images that the tiny model reads, in torch's default precision."""
        config = self.build_model().config
        made_up = made_up_images(rows, config.num_channels, seed)
        return AraeImageProcessor.for_config(config).scale(made_up.pixels).to(torch.get_default_dtype())

    @pytest.fixture
    def model(self):
        """A model whose images depend on their codes, in evaluation mode."""
        torch.manual_seed(0)
        model = self.build_model().eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        return model

    def assert_images(self, images: torch.Tensor, model, rows: int) -> None:
        """So many images of the model's shape and range."""
        config = model.config
        assert tuple(images.shape) == (rows, config.num_channels, config.image_size, config.image_size)
        low, high = VALUE_RANGES[config.value_range]
        assert images.min() >= low and images.max() <= high and images.dtype == model.dtype

    @torch.no_grad()
    def test_codes_come_first_and_images_come_back(self, model):
        if not model.rebuilds_images:
            pytest.skip("the family has no codes")
        images = self.images(5)
        seen = model.features(images)
        assert seen.dim() == 3 and len(seen) == 5 and seen.std(0).max() > 1e-4
        output = model(images)
        torch.testing.assert_close(output[0], seen)
        torch.testing.assert_close(output.last_hidden_state, output[0])
        torch.testing.assert_close(model(images, return_dict=False)[0], output[0])
        rebuilt = model.reconstruct(images)
        self.assert_images(rebuilt, model, 5)
        torch.testing.assert_close(output.reconstruction, rebuilt)
        if model.decodes_codes:
            codes = model.encode(images)
            torch.testing.assert_close(codes.unsqueeze(1), seen)
            torch.testing.assert_close(model.decode(codes), rebuilt)

    @torch.no_grad()
    def test_an_image_s_code_does_not_depend_on_the_others(self, model):
        if not model.rebuilds_images:
            pytest.skip("the family has no codes")
        images = self.images(5)
        alone = torch.cat([model.features(images[row : row + 1]) for row in range(5)])
        torch.testing.assert_close(model.features(images), alone)
        assert model.features(images[:0]).shape == (0, *alone.shape[1:])

    @torch.no_grad()
    def test_a_seed_repeats_a_sample_and_leaves_other_draws_alone(self, model):
        if not model.draws_images:
            with pytest.raises(ValueError):
                model.sample(2)
            return
        state = torch.get_rng_state()
        first = model.sample(6, seed=5)
        assert torch.equal(torch.get_rng_state(), state)
        self.assert_images(first, model, 6)
        torch.rand(3)
        assert torch.equal(model.sample(6, seed=5), first)
        assert not torch.allclose(model.sample(6, seed=6), first)
        # Image i of a seed is the same for every number of images and, but for rounding, every batch size.
        torch.testing.assert_close(model.sample(3, seed=5), first[:3])
        torch.testing.assert_close(model.sample(6, seed=5, batch_size=4), first)
        assert not torch.equal(model.sample(2), model.sample(2))
        for wrong in (0, -1, 1.5, True):
            for name in ("num_samples", "batch_size"):
                with pytest.raises(ValueError, match=name):
                    model.sample(**({"num_samples": 2} | {name: wrong}))
        for wrong in (-1, 0.5, "0"):
            with pytest.raises(ValueError, match="seed"):
                model.sample(2, seed=wrong)
        with pytest.raises(ValueError, match="z must be"):
            model.images_from_z(torch.zeros(2, model.config.latent_size + 1))

    def test_a_training_on_pixels_of_another_range_is_refused_at_once(self, tmp_path):
        low, _ = VALUE_RANGES[self.build_model().config.value_range]
        trainer, batch = self.trainer(tmp_path), self.batch()
        with pytest.raises(ValueError, match="pixel_values"):
            wrong = {name: value * 2 - 1 + low for name, value in batch.items() if name.endswith("pixel_values")}
            trainer.run_phase(trainer.phases[0], batch | wrong)

    @torch.no_grad()
    def test_drawing_in_the_middle_of_a_training_changes_nothing(self):
        model = self.build_model()
        if not model.draws_images:
            pytest.skip("the family draws no images")
        expected, z = model.eval().sample(3, seed=5), model.sample_z(2)
        line = model.interpolate(z[:1], z[1:], space="z")
        resting = next(module for module in reversed(list(model.modules())) if module is not model)
        model.train()
        resting.eval()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        assert torch.equal(model.sample(3, seed=5), expected)
        torch.testing.assert_close(model.sample(1, seed=5), expected[:1])
        assert torch.equal(model.interpolate(z[:1], z[1:], space="z"), line)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert model.training and not resting.training

    @torch.no_grad()
    def test_lines_end_at_their_ends(self, model):
        if not model.decodes_codes:
            with pytest.raises(ValueError, match="codes alone"):
                model.interpolate(self.images(4)[:2], self.images(4)[2:])
        elif model.rebuilds_images:
            images = self.images(4)
            lines = model.interpolate(images[:2], images[2:], steps=5)
            self.assert_images(lines.flatten(0, 1), model, 10)
            torch.testing.assert_close(lines[:, 0], model.reconstruct(images[:2]))
            torch.testing.assert_close(lines[:, -1], model.reconstruct(images[2:]))
            codes = model.encode(images)
            torch.testing.assert_close(model.interpolate(codes[:2], codes[2:], steps=5), lines)
        if model.draws_images:
            z = model.sample_z(4, torch.Generator().manual_seed(1))
            lines = model.interpolate(z[:2], z[2:], steps=3, space="z")
            torch.testing.assert_close(lines[:, 0], model.images_from_z(z[:2]))
            torch.testing.assert_close(lines[:, -1], model.images_from_z(z[2:]))
            torch.testing.assert_close(lines[:, 1], model.images_from_z((z[:2] + z[2:]) / 2))
            for wrong in ({"steps": 1}, {"steps": 2.5}, {"space": "codes"}):
                with pytest.raises(ValueError, match=next(iter(wrong))):
                    model.interpolate(z[:2], z[2:], **({"space": "z"} | wrong))
            with pytest.raises(ValueError, match="first and second"):
                model.interpolate(z[:2], z[:1], space="z")

    @torch.no_grad()
    def test_what_are_no_images_of_the_model_s_is_refused(self, model):
        if not model.rebuilds_images:
            pytest.skip("the family reads no images")
        images = self.images(3)
        wrong = {
            "one image without a batch": images[0],
            "another size": images[:, :, 1:, 1:],
            "another number of channels": torch.cat([images, images], 1),
            "too bright": images + 1,
            "bytes": (images * 255).round(),
            "whole numbers": images.round().long(),
            "no number": images.masked_fill(images == images.max(), torch.nan),
        }
        for name, given in wrong.items():
            with pytest.raises(ValueError, match="pixel_values"):
                model.encode(given)
                pytest.fail(f"{name} was taken")
            with pytest.raises(ValueError, match="pixel_values"):
                model.train()(given)
                pytest.fail(f"{name} was taken in a training")
            model.eval()
        with pytest.raises(TypeError, match="pixel_valeus"):
            model(images, pixel_valeus=images)

    def test_a_training_takes_the_calibrated_threshold_back(self, tmp_path):
        torch.manual_seed(0)
        model = self.build_model()
        model.config.anomaly_threshold, model.config.anomaly_quantile = 0.3, 0.95
        trainer = self.trainer(tmp_path, model, max_steps=1)
        assert model.config.anomaly_threshold == 0.3  # the weights are still those that it was found with
        trainer.train()
        for config in (model.config, type(model.config).from_pretrained(tmp_path)):
            assert config.anomaly_threshold is None and config.anomaly_quantile is None
