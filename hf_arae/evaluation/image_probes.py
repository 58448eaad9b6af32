"""What labels can be read from a model's features of images, as they are: by a linear probe and by neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from transformers import PreTrainedModel

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_pixels import encode_images, pixel_values
from hf_arae.losses.classification import NO_LABEL
from hf_arae.metrics.numbers import Number
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import from_main
from hf_arae.utils.extras import import_extra

NEIGHBOURS = 5

NUMBERS = {
    "linear_probe_error": Number(
        "Error of a linear probe of the features (%)",
        "How often a logistic regression on the model's features, which learns from training images, is wrong about "
        "held-out ones; lower is better.",
        in_metadata=True,
    ),
    "neighbours_error": Number(
        "Error of nearest neighbours in the features (%)",
        f"The same of the most frequent label among the {NEIGHBOURS} training images whose features are nearest.",
    ),
}


class ImageProbeEvaluator:
    """Evaluator for the loop, for models that have features of images: `linear_probe_error`, `neighbours_error` (%).

    Features of all positions side by side are brought to one size, each by its mean and deviation over the training
    images. Images without a label are left out.

    Args:
        processor: the model's.
        train_images: probe and neighbours learn from these.
        images: held-out ones.
        max_train: so many training images are used, the first ones that have labels.
        max_images: held-out ones, likewise.

    Raises:
        ValueError: no image of one of both has a label, or all training images have the same.
    """

    def __init__(
        self,
        processor: Any,
        train_images: LabelledImages,
        images: LabelledImages,
        max_train: int = 5000,
        max_images: int = 5000,
    ):
        train, held_out = _labelled(train_images, max_train), _labelled(images, max_images)
        if len(np.unique(train.labels)) < 2:
            raise ValueError("a probe tells labels apart, and all training images have the same")
        self.train, self.train_labels = pixel_values(train, processor), train.labels
        self.values, self.labels = pixel_values(held_out, processor), held_out.labels

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation."""
        return list(NUMBERS)

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        return Evaluation(from_main(lambda: self._measure(model)))

    def _measure(self, model: PreTrainedModel) -> dict[str, float]:
        scale = import_extra("sklearn.preprocessing").StandardScaler()
        train = scale.fit_transform(encode_images(model, self.train).numpy())
        held_out = scale.transform(encode_images(model, self.values).numpy())
        probes = {
            "linear_probe_error": import_extra("sklearn.linear_model").LogisticRegression(C=0.1, max_iter=500),
            "neighbours_error": import_extra("sklearn.neighbors").KNeighborsClassifier(
                min(NEIGHBOURS, len(train)), algorithm="brute"
            ),
        }
        return {
            name: 100 - 100 * float(probe.fit(train, self.train_labels).score(held_out, self.labels))
            for name, probe in probes.items()
        }


def _labelled(images: LabelledImages, most: int) -> LabelledImages:
    rows = () if images.labels is None else np.flatnonzero(images.labels != NO_LABEL)
    if not len(rows):
        raise ValueError("a probe reads labels, and no image has one")
    return images.take(rows[:most])


__all__ = ["ImageProbeEvaluator"]
