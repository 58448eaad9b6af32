"""How good and how varied a model's new images are, beside what two sets of real images have, and how it rebuilds."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_judge import ImageJudge, Readings
from hf_arae.evaluation.image_pictures import ImagePictures
from hf_arae.evaluation.image_pixels import (
    as_drawn,
    as_read,
    fit_gaussian,
    new_images,
    pixel_values,
    rebuild_images,
    unit_pixels,
)
from hf_arae.metrics import ClassDiversity, FrechetDistance, PrecisionRecall
from hf_arae.metrics.class_diversity import NUMBERS as OF_CLASSES
from hf_arae.metrics.frechet_distance import NUMBERS as OF_DISTANCES
from hf_arae.metrics.numbers import Number
from hf_arae.metrics.precision_recall import NUMBERS as OF_NEIGHBOURS
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import from_main

_ROWS = 256  # images that a model reads at once
_OF_TWO_SETS = (*OF_DISTANCES, *OF_NEIGHBOURS)
_REBUILT = ("reconstruction_error", "image_nll", "exact_pixels", "reconstruction_frechet_distance")

NUMBERS = {
    "reconstruction_error": Number(
        "Error of reconstructions",
        "The mean distance (l2) of an image and its reconstruction, pixels being in 0 to 1; lower is better.",
        in_metadata=True,
    ),
    "image_nll": Number(
        "-log p of an image given its code (nats)",
        "How badly the decoder rebuilds an image, summed over its pixels; lower is better.",
        in_metadata=True,
    ),
    "exact_pixels": Number(
        "Pixels rebuilt exactly (%)",
        "The share of binary pixels whose likelier value is the image's; higher is better.",
    ),
    "reconstruction_frechet_distance": Number(
        "Frechet distance of reconstructions to real images",
        "The same as `frechet_distance`, of reconstructions of the real images; lower is better.",
    ),
    **{
        f"real_{name}": Number(
            f"{number.label}: of real training images",
            f"What as many training images have in place of samples, by the same measure as `{name}`.",
        )
        for name, number in (OF_DISTANCES | OF_NEIGHBOURS).items()
    },
    **{
        f"real_{name}": Number(f"{number.label}: of real images", f"`{name}` of held-out images in place of samples.")
        for name, number in OF_CLASSES.items()
    },
}


def judge_samples(samples: Readings, real: Readings) -> dict[str, float]:
    """Numbers of samples beside real images, both as a judge reads them.

    Returns:
        What [`~hf_arae.metrics.frechet_distance.FrechetDistance`],
        [`~hf_arae.metrics.precision_recall.PrecisionRecall`] and
        [`~hf_arae.metrics.class_diversity.ClassDiversity`] give.
    """
    features = {"predictions": samples.features, "references": real.features}
    found = FrechetDistance().compute(**features) | PrecisionRecall().compute(**features)
    return found | ClassDiversity().compute(predictions=samples.probabilities)


class ImageGenerationEvaluator:
    """Evaluator for the loop, for models that make images.

    Metrics, if there is a judge:
        `frechet_distance`, `kernel_distance`, `precision`, `recall`, `density`, `coverage`: of new images, against the
            held-out ones; `real_frechet_distance` and so on: of as many training images, against the same;
        `i_prime`, `inception_score`, `smallest_class_share`, `class_entropy`: of new images; `real_i_prime` and so on:
            of the held-out ones;
        `judge_accuracy` (%);
    and, of a model that rebuilds images:
        `reconstruction_error`: l2, of held-out images, pixels in 0..1; `reconstruction_frechet_distance`;
        `image_nll`: nats an image, if the model has a likelihood; `exact_pixels` (%): if its images are binary.

    Of a model of binary images, whose pixels are probabilities, what is measured is their likelier values, or draws
    where its processor draws; errors of reconstructions are those of the probabilities.

    Numbers of real images are computed once. Samples of the evaluation are the paths of its pictures.

    Args:
        processor: the model's.
        judge: see `judge_for`; `None`: nothing is measured in features.
        images: held-out images that are measured against; of more than `max_real`, a fixed draw.
        train_images: training images: for real against real, for the nearest ones to samples, and to fit a Gaussian to
            their codes, if the model does not know where codes of new images lie. `None`: none of these.
        num_samples: new images that are measured, at least 6.
        folder: pictures are drawn into its subfolder `pictures`; `None`: none are.
        max_real: held-out images that are measured against, at most; at least 6.
        max_train: training images that are measured, or that a Gaussian is fitted to, at most.
        seed: of the new images.
        fit_codes: new images are drawn from a Gaussian fitted to codes, though the model knows where codes lie: what
            its generator is to better.

    Raises:
        ValueError: a number is too small, the judge reads other images, or there is nothing to fit a Gaussian to.
    """

    def __init__(
        self,
        processor: Any,
        judge: ImageJudge | None,
        images: LabelledImages,
        train_images: LabelledImages | None = None,
        num_samples: int = 2000,
        folder: str | os.PathLike | None = None,
        max_real: int = 10_000,
        max_train: int = 10_000,
        seed: int = 0,
        fit_codes: bool = False,
    ):
        if fit_codes and train_images is None:
            raise ValueError("fit_codes needs train_images, to whose codes a Gaussian is fitted")
        if min(num_samples, max_real, len(images)) < 6:
            raise ValueError(
                f"num_samples, max_real and the held-out images must be at least 6, got {num_samples}, {max_real} and "
                f"{len(images)}"
            )
        if judge is not None and images.pixels.shape[1:] != (judge.image_size, judge.image_size, judge.num_channels):
            raise ValueError(
                f"the judge reads images of {judge.image_size} pixels and {judge.num_channels} channels, and the "
                f"held-out ones are {images.pixels.shape[1:]}"
            )
        self.processor, self.judge, self.num_samples, self.seed = processor, judge, num_samples, seed
        self.fit_codes = fit_codes
        self.images = as_read(_some(images, max_real), processor)
        train_images = None if train_images is None else as_read(train_images, processor)
        self.pictures = None if folder is None else ImagePictures(folder, self.images, train_images, processor, judge)
        self.train_images = None if train_images is None else _some(train_images, max_train)
        self._real: Readings | None = None
        self._real_numbers: dict[str, float] = {}

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation of that model."""
        left_out = {
            "image_nll": not hasattr(model, "negative_log_likelihood"),
            "exact_pixels": getattr(self.processor, "binarize", None) is None,
            "reconstruction_frechet_distance": self.judge is None,
        }
        rebuilt = [name for name in _REBUILT if model.rebuilds_images and not left_out.get(name)]
        if self.judge is None:
            return rebuilt
        names, train = [], self.train_images is not None
        if self._draws(model):
            names = [*_OF_TWO_SETS, *OF_CLASSES]
        real = [f"real_{name}" for name in ([*_OF_TWO_SETS] if train else []) + [*OF_CLASSES]]
        return [*names, *rebuilt, *real, "judge_accuracy"]

    def _draws(self, model: PreTrainedModel) -> bool:
        fitted = self.train_images is not None and model.decodes_codes
        return fitted if self.fit_codes else model.draws_images or fitted

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        return from_main(lambda: self._evaluate(model))

    def _evaluate(self, model: PreTrainedModel) -> Evaluation:
        metrics: dict[str, float] = {}
        samples = copies = None
        if self._draws(model):
            fitted = self.fit_codes or not model.draws_images
            gaussian = fit_gaussian(model, self.train_images, self.processor) if fitted else None
            samples = new_images(model, self.num_samples, gaussian, self.seed)
        if model.rebuilds_images:
            copies, metrics = self._rebuild(model)
        readings = None
        if self.judge is not None:
            self._measure_real()
            if samples is not None:
                readings = self.judge.read(as_drawn(samples, self.processor))
                metrics = judge_samples(readings, self._real) | metrics
            if copies is not None:
                features = {
                    "predictions": self.judge.features(as_drawn(copies, self.processor)),
                    "references": self._real.features,
                }
                metrics["reconstruction_frechet_distance"] = FrechetDistance().compute(**features)["frechet_distance"]
            metrics |= self._real_numbers
        drawn = [] if self.pictures is None else self.pictures.draw(model, samples, copies, readings)
        return Evaluation(metrics, drawn)

    def _rebuild(self, model: PreTrainedModel) -> tuple[Tensor, dict[str, float]]:
        """Reconstructions of the held-out images, pixels in [0, 1], and how far they are from these."""
        values = pixel_values(self.images, self.processor)
        originals = unit_pixels(values, model.config.value_range)
        copies = unit_pixels(rebuild_images(model, values), model.config.value_range)
        found = {"reconstruction_error": (copies - originals).flatten(1).norm(dim=1).mean().item()}
        if hasattr(model, "negative_log_likelihood"):
            losses = [
                model.negative_log_likelihood(model.encode(part), part).sum().item()
                for part in (part.to(model.device, model.dtype) for part in values.split(_ROWS))
            ]
            found["image_nll"] = sum(losses) / len(values)
        if getattr(self.processor, "binarize", None) is not None:
            found["exact_pixels"] = 100 * ((copies >= 0.5) == (originals >= 0.5)).float().mean().item()
        return copies, found

    def _measure_real(self) -> None:
        """Reads the real images, once."""
        if self._real is not None:
            return
        self._real = self.judge.read(self.images.pixels)
        numbers = ClassDiversity().compute(predictions=self._real.probabilities)
        if self.train_images is not None:
            train = self.judge.read(_some(self.train_images, self.num_samples).pixels)
            numbers = judge_samples(train, self._real) | numbers
        self._real_numbers = {f"real_{name}": value for name, value in numbers.items()}
        self._real_numbers["judge_accuracy"] = self.judge.accuracy


def _some(images: LabelledImages, most: int) -> LabelledImages:
    """The images, or a fixed draw of so many of them."""
    if len(images) <= most:
        return images
    return images.take(np.sort(np.random.default_rng(0).permutation(len(images))[:most]))
