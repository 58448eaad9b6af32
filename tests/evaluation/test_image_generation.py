"""What is measured and drawn of models that make images."""

import numpy as np
import pytest
import torch
from huggingface_hub.dataclasses import strict
from PIL import Image

from hf_arae.data.corpora.glyphs import build_glyphs
from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_generation import ImageGenerationEvaluator
from hf_arae.evaluation.image_judge import judge_for
from hf_arae.evaluation.image_pictures import class_bars, image_grid, nearest_images
from hf_arae.evaluation.image_pixels import to_unit
from hf_arae.metrics.numbers import known_numbers
from hf_arae.models.ae_image.configuration_ae_image import AeImageConfig
from hf_arae.models.ae_image.modeling_ae_image import AeImageModel
from hf_arae.models.images.image_config import ImageConfig
from hf_arae.models.images.image_model import ImageModel
from hf_arae.models.images.image_processing import AraeImageProcessor

PICTURES = {
    "new-images": True,
    "images-and-reconstructions": False,
    "lines-between-z": True,
    "lines-between-codes": False,
    "new-images-and-nearest-training-images": True,
    "classes-of-new-images": True,
}


@strict
class StubConfig(ImageConfig):
    model_type = "stub_of_images"
    latent_size: int = 2


class Stub(ImageModel):
    """Draws what it is given: rows of images by the first number of z; rebuilds nothing."""

    config_class = StubConfig
    rebuilds_images = decodes_codes = False

    def __init__(self, images, **sizes):
        super().__init__(StubConfig(image_size=images.pixels.shape[1], **sizes))
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.images = to_unit(images.pixels)

    def images_from_z(self, z):
        rows = (torch.special.ndtr(z[:, 0]) * len(self.images)).long()
        low = -1 if self.config.value_range == "signed" else 0
        return low + (1 - low) * self.images[rows]


@pytest.fixture(scope="module")
def data():
    return build_glyphs(16, sizes={"train": 1500, "validation": 300, "test": 200})


@pytest.fixture(scope="module")
def judge(data):
    return judge_for(data, AraeImageProcessor(size=16))


def evaluate(model, data, judge, **arguments):
    processor = AraeImageProcessor.for_config(model.config)
    evaluator = ImageGenerationEvaluator(processor, judge, data["validation"], data["train"], 300, **arguments)
    return evaluator, evaluator(model.eval())


@pytest.mark.parametrize("value_range", ["unit", "signed"])
def test_good_narrow_and_bad_generators_are_told_apart(data, judge, value_range):
    good = evaluate(Stub(data["test"], value_range=value_range), data, judge)[1].metrics
    one_kind = data["test"].take(np.flatnonzero(data["test"].labels == 0))
    narrow = evaluate(Stub(one_kind, value_range=value_range), data, judge)[1].metrics
    source = np.random.default_rng(0)
    noise = LabelledImages(source.integers(0, 255, (200, 16, 16, 1), dtype=np.uint8))
    bad = evaluate(Stub(noise, value_range=value_range), data, judge)[1].metrics
    assert good["frechet_distance"] < 4 * good["real_frechet_distance"]
    assert good["frechet_distance"] < narrow["frechet_distance"] / 5
    assert good["frechet_distance"] < bad["frechet_distance"] / 5
    assert (
        abs(good["i_prime"] - good["real_i_prime"]) < 0.2 * good["real_i_prime"]
        and good["i_prime"] > 2 * narrow["i_prime"]
    )
    assert good["smallest_class_share"] > 1 and narrow["smallest_class_share"] == 0
    assert narrow["precision"] > 60 > 30 > narrow["recall"] and bad["precision"] < 30
    real = [name for name in good if name.startswith("real_")]
    assert len(real) == 10 and all(good[name] == bad[name] for name in real)
    assert good["judge_accuracy"] == judge.accuracy > 50
    assert "reconstruction_error" not in good


def test_an_autoencoder_without_a_generator_draws_from_a_gaussian(data, judge):
    torch.manual_seed(0)
    config = AeImageConfig(image_size=16, code_size=8, encoder_sizes=[16], decoder_sizes=[16])
    model = AeImageModel(config)
    evaluator, evaluation = evaluate(model, data, judge)
    metrics = evaluation.metrics
    assert set(metrics) == set(evaluator.metric_names(model)) <= set(known_numbers())
    assert 0.68 * 256 < metrics["image_nll"] < 0.72 * 256  # untrained: about ln 2 a pixel
    assert metrics["reconstruction_error"] > 1 and np.isfinite(list(metrics.values())).all()
    assert evaluator(model).metrics == metrics  # the same again
    # Binary images: most likely pixels are measured, and how many of them are right.
    processor = AraeImageProcessor.for_config(config, binarize="threshold")
    binary = ImageGenerationEvaluator(processor, judge, data["validation"], data["train"], 50)
    found = binary(model).metrics
    assert set(found) == set(binary.metric_names(model)) and 20 < found["exact_pixels"] < 80
    # Without training images nothing says where to draw, and what remains is measured.
    alone = ImageGenerationEvaluator(processor, judge, data["validation"])
    assert "frechet_distance" not in alone(model).metrics and "image_nll" in alone(model).metrics
    assert set(alone(model).metrics) == set(alone.metric_names(model))


def test_without_a_judge_there_is_no_distance_to_choose_by(data):
    model = Stub(data["test"])
    evaluator = ImageGenerationEvaluator(AraeImageProcessor(size=16), None, data["validation"], data["train"])
    assert evaluator.metric_names(model) == [] and evaluator(model).metrics == {}


def test_pictures_are_in_the_run_s_folder_and_are_what_their_names_say(data, judge, tmp_path):
    _, evaluation = evaluate(Stub(data["train"]), data, judge, folder=tmp_path)
    assert [path.name for path in evaluation.samples] == [f"{name}.png" for name, there in PICTURES.items() if there]
    pictures = {path.stem: np.asarray(Image.open(path)) for path in (tmp_path / "pictures").iterdir()}
    assert pictures["new-images"].shape == (10 * 34 + 2,) * 2
    nearest = pictures["new-images-and-nearest-training-images"]
    assert np.array_equal(nearest[2:34], nearest[36:68])  # this model has them by heart
    assert np.array_equal(nearest[:, 2:34][2:34], pictures["new-images"][2:34, 2:34])
    config = AeImageConfig(image_size=16, code_size=8, encoder_sizes=[16], decoder_sizes=[16])
    _, evaluation = evaluate(AeImageModel(config), data, judge, folder=tmp_path / "other")
    wanted = set(PICTURES) - {"lines-between-z"}
    assert {path.stem for path in evaluation.samples} == wanted and all(path.is_file() for path in evaluation.samples)


def test_grids_and_bars():
    images = np.arange(5, dtype=np.uint8).repeat(12).reshape(5, 2, 2, 3)
    grid = np.asarray(image_grid(images, 3))
    assert grid.shape == (2 * 4 + 2, 3 * 4 + 2, 3)
    assert [int(grid[2 + 4 * row, 2 + 4 * column, 0]) for row in (0, 1) for column in (0, 1, 2)] == [
        0,
        1,
        2,
        3,
        4,
        255,
    ]
    assert np.asarray(image_grid(torch.ones(1, 1, 2, 2), 9, scale=3)).shape == (10, 10)
    for wrong in ({"images": images[:0], "columns": 2}, {"images": images, "columns": 0}):
        with pytest.raises(ValueError):
            image_grid(**wrong)
    even = class_bars({"one": np.full(100, 0.01), "two": np.full(100, 0.01)}, [str(one) for one in range(100)])
    assert even.width > 300


def test_nearest_images_are_those_of_least_distance(data):
    rows = [3, 1200, 77]
    samples = to_unit(data["train"].pixels[rows]) * 0.95
    assert nearest_images(samples, data["train"]).tolist() == rows


def test_sets_that_cannot_be_measured_are_refused_at_once(data, judge):
    processor = AraeImageProcessor(size=16)
    few, other = data["validation"].take(slice(0, 5)), build_glyphs(20, sizes={"validation": 20})["validation"]
    for images, arguments in ((few, {}), (data["validation"], {"num_samples": 5}), (other, {})):
        with pytest.raises(ValueError):
            ImageGenerationEvaluator(processor, judge, images, **arguments)
