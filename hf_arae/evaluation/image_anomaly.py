"""Whether the energy of a model, or its error of reconstruction, tells images unlike its own from images like them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_pixels import as_drawn, new_images, pixel_values, to_bytes, unit_pixels
from hf_arae.metrics import AnomalyDetection
from hf_arae.metrics.numbers import Number
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import from_main

# By the name of a kind of anomalies: what they are.
KINDS = {
    "samples": "the model's own new images",
    "other_images": "images of another dataset",
    "noise": "noise",
    "noisy_images": "images with noise",
    "blends": "means of two images",
    "upside_down": "images upside down",
    "left_out_class": "images of a class that the training left out",
}
NUMBERS = {
    f"auroc_{kind}": Number(
        f"AUROC, {about} (%)",
        f"How often the score of {about} is higher than that of a held-out image; 50 is chance.",
        in_metadata=kind in ("noisy_images", "other_images"),
    )
    for kind, about in KINDS.items()
}

_NOISE_STD = 0.2  # of images with noise, pixels being in 0 to 1


@torch.no_grad()
def anomaly_scores(model: PreTrainedModel, values: Tensor, batch_size: int = 256) -> Tensor:
    """The energy of images or, of a model without one, the distance (l2) of an image and its reconstruction.

    Args:
        model: of images.
        values: as it reads them, `(images, channels, height, width)`.
        batch_size: images at once.

    Returns:
        `(images,)` float32 on the CPU; for errors of reconstruction, pixels are in 0 to 1.

    Raises:
        ValueError: the model has neither.
    """
    has_energy = callable(getattr(model, "energy", None))
    if not has_energy and not getattr(model, "rebuilds_images", False):
        raise ValueError(f"{type(model).__name__} has no energy and rebuilds no images: nothing scores anomalies")
    scores, value_range = [], model.config.value_range
    for part in values.split(batch_size):
        part = part.to(model.device, model.dtype)
        if has_energy:
            scores.append(model.energy(part).float().cpu())
        else:
            copies = unit_pixels(model.reconstruct(part), value_range)
            scores.append((copies - unit_pixels(part, value_range)).flatten(1).norm(dim=1))
    return torch.cat(scores)


class ImageAnomalyEvaluator:
    """Evaluator for the loop: AUROC (%) of a model's energy, or error of reconstruction, for kinds of anomalies.

    Metrics: `auroc_samples`, if the model draws images; `auroc_other_images`, if there are some; `auroc_noise`,
    uniform; `auroc_noisy_images`, normal noise of deviation 0.2 on pixels in 0 to 1; `auroc_blends`, the mean of two
    images, of different classes where there are labels; `auroc_upside_down`, turned by half a circle;
    `auroc_left_out_class`, if one was left out. A trained energy need not tell what is real from what is new
    (thesis, section 3.3): measure it over the training.

    Args:
        processor: the model's.
        images: held-out images: what is normal.
        other_images: of another dataset, of the same size and channels.
        left_out: the name of a class that the training did not see: its images are anomalies, and only the others
            normal.
        num_images: of each set, at most.
        seed: of draws, noise and the model's images.

    Raises:
        ValueError: there are fewer than two images or other sizes; the class is unknown, or one of both sets is empty.
    """

    def __init__(
        self,
        processor: Any,
        images: LabelledImages,
        other_images: LabelledImages | None = None,
        left_out: str | None = None,
        num_images: int = 2000,
        seed: int = 0,
    ):
        self.processor, self.num_images, self.seed = processor, num_images, seed
        source = np.random.default_rng(seed)
        kinds: dict[str, LabelledImages] = {}
        if left_out is not None:
            if images.labels is None or left_out not in images.label_names:
                raise ValueError(f"left_out must be one of the classes {list(images.label_names)}, got {left_out!r}")
            own = images.labels == list(images.label_names).index(left_out)
            if own.all() or not own.any():
                raise ValueError(f"{int(own.sum())} of {len(own)} held-out images are of the class {left_out!r}")
            kinds["left_out_class"] = self._some(images.take(np.flatnonzero(own)), source)
            images = images.take(np.flatnonzero(~own))
        if num_images < 2 or len(images) < 2:
            raise ValueError(f"anomalies are told from at least two images, got {min(num_images, len(images))}")
        self.images = self._some(images, source)
        if other_images is not None:
            if other_images.pixels.shape[1:] != images.pixels.shape[1:]:
                shapes = other_images.pixels.shape[1:], images.pixels.shape[1:]
                raise ValueError(f"the other images are {shapes[0]}, and the held-out ones {shapes[1]}")
            kinds["other_images"] = self._some(other_images, source)
        kinds |= {name: LabelledImages(pixels) for name, pixels in _spoilt(self.images, source).items()}
        self.kinds = {name: kinds[name] for name in KINDS if name in kinds}

    def _some(self, images: LabelledImages, source: np.random.Generator) -> LabelledImages:
        return images.take(source.permutation(len(images))[: self.num_images])

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation of that model."""
        return [f"auroc_{kind}" for kind in KINDS if kind in self.kinds or (kind == "samples" and model.draws_images)]

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        rows = from_main(lambda: self.table(model))
        return Evaluation({f"auroc_{kind}": row["auroc"] for kind, row in rows.items()})

    def table(self, model: PreTrainedModel) -> dict[str, dict[str, float]]:
        """By the kind of anomalies: `auroc`, `aupr`, `fpr_at_95` (%), the mean `score`, and the `normal_score`."""
        normal, found = self._scores(model, self.images), {}
        kinds = dict(self.kinds)
        if model.draws_images:
            drawn = as_drawn(new_images(model, len(self.images), seed=self.seed), self.processor)
            kinds = {"samples": LabelledImages(to_bytes(drawn))} | kinds
        for kind, images in kinds.items():
            scores = self._scores(model, images)
            numbers = AnomalyDetection().compute(
                predictions=torch.cat([normal, scores]), references=[0] * len(normal) + [1] * len(scores)
            )
            found[kind] = numbers | {"score": scores.mean().item(), "normal_score": normal.mean().item()}
        return found

    def _scores(self, model: PreTrainedModel, images: LabelledImages) -> Tensor:
        return anomaly_scores(model, pixel_values(images, self.processor, self.seed))


def _spoilt(images: LabelledImages, source: np.random.Generator) -> dict[str, np.ndarray]:
    """Anomalies that are made of the images, or of nothing."""
    pixels = images.pixels
    noise = source.normal(0, 255 * _NOISE_STD, pixels.shape)
    partners = source.permutation(len(pixels))
    if images.labels is not None:  # of another class, wherever another draw finds one
        for _ in range(20):
            same = np.flatnonzero(images.labels[partners] == images.labels)
            partners[same] = source.integers(len(pixels), size=len(same))
    return {
        "noise": source.integers(0, 256, pixels.shape, dtype=np.uint8),
        "noisy_images": np.clip(np.round(pixels + noise), 0, 255).astype(np.uint8),
        "blends": ((pixels.astype(np.uint16) + pixels[partners]) // 2).astype(np.uint8),
        "upside_down": np.ascontiguousarray(pixels[:, ::-1, ::-1]),
    }
