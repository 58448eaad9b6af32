"""What an image autoencoder's codes are like: smooth, spread as drawn ones are, and fit for arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_judge import ImageJudge
from hf_arae.evaluation.image_pixels import (
    as_drawn,
    as_read,
    decode_images,
    encode_images,
    fit_gaussian,
    new_images,
    pixel_values,
    unit_pixels,
)
from hf_arae.evaluation.latent_codes import code_statistics
from hf_arae.metrics import FrechetDistance
from hf_arae.metrics.numbers import Number
from hf_arae.models.images.image_config import VALUE_RANGES
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import from_main

FLIPS = (2, 5, 10, 20)  # per cent of the pixels
SURE = 0.9  # a judge's probability
_ROWS = 256
_LIKE, _NEIGHBOURS = 250, 100  # images whose neighbours are looked at, and how many each

NUMBERS = {
    f"nll_{flips}_flips": Number(
        f"-log p of an image, {flips} % of its pixels flipped before it is encoded (nats)",
        "How badly the decoder rebuilds the clean image; near `image_nll` where codes are smooth.",
    )
    for flips in FLIPS
}
NUMBERS |= {
    "like_cosine": Number(
        "Cosine of the codes of images that share most pixels",
        "The mean over the 100 nearest of an image by the number of pixels that differ; beside `unlike_cosine`.",
    ),
    "unlike_cosine": Number(
        "Cosine of the codes of random pairs of images",
        "What `like_cosine` is compared with.",
    ),
    "gaussian_frechet_distance": Number(
        "Frechet distance of images from a Gaussian fitted to the codes",
        "What `frechet_distance` is to be below: new images without a generator.",
    ),
    "sure_midpoints": Number(
        "Midpoints of lines that the judge is sure of (%)",
        "The share of images halfway between two points whose class the judge gives more than 0.9.",
    ),
    "moved_to_label": Number(
        "Images moved to another class by adding an offset (%)",
        "The share of images of one class that the judge takes for another one after the difference of the two "
        "classes' means was added to their points.",
    ),
    "moved_pixels": Number(
        "Pixels changed by that (%)",
        "The share of pixels that the offset turned over; lower keeps more of the image.",
    ),
}


def flip_pixels(values: Tensor, share: float, value_range: str, seed: int = 0) -> Tensor:
    """Turns a share of each image's pixels over: low + high - value.

    Which pixels depends on the seed and the image's row, and those of a smaller share are among those of a larger one.

    Args:
        values: `(images, channels, height, width)`, in the range.
        share: in [0, 1].
        value_range: of the model's config.

    Raises:
        ValueError: the share is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share of pixels that are flipped must lie in [0, 1], got {share}")
    draws = torch.rand(len(values), values[0].numel(), generator=torch.Generator().manual_seed(seed))
    ranks = draws.argsort(dim=1).argsort(dim=1).view(values.shape).to(values.device)
    return torch.where(ranks < round(share * draws.shape[1]), sum(VALUE_RANGES[value_range]) - values, values)


@torch.no_grad()
def flip_losses(
    model: PreTrainedModel, values: Tensor, flips: Sequence[int] = (0, *FLIPS), seed: int = 0
) -> dict[int, float]:
    """-log p of clean images given the codes of flipped ones, nats an image, by per cent of flipped pixels.

    Args:
        model: with `encode` and `negative_log_likelihood`.
        values: clean images, in the model's range.
    """
    found = {}
    for flip in flips:
        codes = encode_images(model, flip_pixels(values, flip / 100, model.config.value_range, seed))
        parts = zip(codes.split(_ROWS), values.split(_ROWS), strict=True)
        losses = [
            model.negative_log_likelihood(*(part.to(model.device, model.dtype) for part in pair)) for pair in parts
        ]
        found[flip] = torch.cat(losses).double().mean().item()
    return found


def cosines_of_likes(codes: Tensor, values: Tensor, seed: int = 0) -> dict[str, float]:
    """Mean cosine of an image's code to those of its 100 nearest by Hamming distance (thesis, Figure 4.2, right).

    Args:
        codes: `(images, code size)`.
        values: the same images, `(images, ...)`; grey values count by their absolute difference.

    Returns:
        `like_cosine`, and `unlike_cosine` of as many random pairs: where all codes are alike both are high.
    """
    source, flat = torch.Generator().manual_seed(seed), values.flatten(1)
    codes, count = F.normalize(codes, dim=1), min(_LIKE, len(codes))
    near = min(_NEIGHBOURS, len(codes) - 1)
    chosen = torch.randperm(len(codes), generator=source)[:count]
    distances = torch.cdist(flat[chosen], flat, p=1)
    distances[torch.arange(count), chosen] = torch.inf
    rows = {"like": distances.topk(near, largest=False).indices}
    rows["unlike"] = torch.randint(len(codes), (count, near), generator=source)
    return {
        f"{name}_cosine": (codes[chosen, None] * codes[places]).sum(2).double().mean().item()
        for name, places in rows.items()
    }


@torch.no_grad()
def midpoint_sureness(model: PreTrainedModel, judge: ImageJudge, processor: Any, ends: Tensor, space: str) -> float:
    """The share, in 0..100, of midpoints between rows of `ends` and the next ones that the judge is sure of.

    Args:
        ends: codes or z, `(an even number of rows, width)`.
        space: which of the two, "code" or "z".
    """
    middles = (ends[0::2] + ends[1::2]) / 2
    probabilities = judge.probabilities(as_drawn(_images_at(model, middles, space), processor))
    return 100 * (probabilities.amax(1) > SURE).double().mean().item()


@torch.no_grad()
def offset_arithmetic(
    model: PreTrainedModel,
    judge: ImageJudge,
    processor: Any,
    points: Tensor,
    space: str,
    minus: str,
    plus: str,
) -> dict[str, float]:
    """Moves points of one class by the difference of two classes' means (thesis, section 4.8, on images).

    Classes are what the judge sees in the images of the points.

    Args:
        points: codes or z, `(rows, width)`.
        space: which of the two.
        minus: the class that is moved.
        plus: the class that it is to become.

    Returns:
        `moved_to_label` and `moved_pixels`, both in 0..100; NaN where the judge sees none of either class.

    Raises:
        ValueError: the judge knows no such class.
    """
    for name in (minus, plus):
        if name not in judge.label_names:
            raise ValueError(f"there is no class {name!r}; accepted: {', '.join(judge.label_names)}")
    wanted = judge.label_names.index(plus)
    images = as_drawn(_images_at(model, points, space), processor)
    seen = judge.probabilities(images).argmax(1)
    moved, goal = points[seen == judge.label_names.index(minus)], points[seen == wanted]
    if not len(moved) or not len(goal):
        return {"moved_to_label": float("nan"), "moved_pixels": float("nan")}
    there = as_drawn(_images_at(model, moved + goal.mean(0) - moved.mean(0), space), processor)
    before = images[seen == judge.label_names.index(minus)]
    return {
        "moved_to_label": 100 * (judge.probabilities(there).argmax(1) == wanted).double().mean().item(),
        "moved_pixels": 100 * ((there >= 0.5) != (before >= 0.5)).double().mean().item(),
    }


def _images_at(model: PreTrainedModel, points: Tensor, space: str) -> Tensor:
    """Pixels in [0, 1] at codes or z."""
    if space == "code":
        return unit_pixels(decode_images(model, points), model.config.value_range)
    parts = [model.images_from_z(part.to(model.device, model.dtype)) for part in points.split(_ROWS)]
    return unit_pixels(torch.cat(parts), model.config.value_range)


class ImageCodeEvaluator:
    """Evaluator for the loop, for models that encode images and have a likelihood.

    Metrics: `nll_2_flips` and so on (nats an image), `code_norm`, `code_variance`, `like_cosine`, `unlike_cosine`; of
    a model that draws codes `drawn_norm`, `drawn_variance`; and, with a judge, `sure_midpoints` (%), between z where
    the model draws images and else between codes, `gaussian_frechet_distance` if training images are given, and
    `moved_to_label`, `moved_pixels` (%) if two classes are.

    Args:
        processor: the model's.
        judge: see `judge_for`; `None`: nothing is judged.
        images: held-out images.
        train_images: a Gaussian is fitted to the codes of 10 000 of these; `None`: none is.
        classes: the class that is moved and the one that it is to become; `None`: nothing is moved.
        num_samples: points that are drawn for each of the judged numbers.
        max_images: held-out images that are looked at, the first ones.
        seed: of all draws.

    Raises:
        ValueError: the judge knows no such class.
    """

    def __init__(
        self,
        processor: Any,
        judge: ImageJudge | None,
        images: LabelledImages,
        train_images: LabelledImages | None = None,
        classes: tuple[str, str] | None = None,
        num_samples: int = 2000,
        max_images: int = 2000,
        seed: int = 0,
    ):
        for name in () if judge is None else classes or ():
            if name not in judge.label_names:
                raise ValueError(f"there is no class {name!r}; accepted: {', '.join(judge.label_names)}")
        self.processor, self.judge, self.classes, self.num_samples, self.seed = (
            processor,
            judge,
            classes,
            num_samples,
            seed,
        )
        self.all_images = images
        self.values = pixel_values(images.take(slice(0, max_images)), processor)
        self.train_images = None if train_images is None else train_images.take(slice(0, 10_000))

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation of that model."""
        names = [*(f"nll_{flips}_flips" for flips in FLIPS), "code_norm", "code_variance"]
        names += ["drawn_norm", "drawn_variance"] * model.draws_images + ["like_cosine", "unlike_cosine"]
        if self.judge is not None:
            names += ["sure_midpoints"] + ["gaussian_frechet_distance"] * (self.train_images is not None)
            names += ["moved_to_label", "moved_pixels"] * (self.classes is not None)
        return names

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        return Evaluation(from_main(lambda: self._measure(model)))

    @torch.no_grad()
    def _measure(self, model: PreTrainedModel) -> dict[str, float]:
        losses = flip_losses(model, self.values, FLIPS, self.seed)
        found = {f"nll_{flips}_flips": loss for flips, loss in losses.items()}
        codes = encode_images(model, self.values)
        points, space, drawn = codes, "code", None
        if model.draws_images:
            points = model.sample_z(self.num_samples, torch.Generator().manual_seed(self.seed))
            space, drawn = "z", model.generate_codes(points).float().cpu()
        found |= code_statistics(codes, drawn) | cosines_of_likes(codes, self.values, self.seed)
        if self.judge is None:
            return found
        ends = points[: len(points) // 2 * 2]
        found["sure_midpoints"] = midpoint_sureness(model, self.judge, self.processor, ends, space)
        if self.train_images is not None:
            gaussian = fit_gaussian(model, self.train_images, self.processor)
            made = as_drawn(new_images(model, self.num_samples, gaussian, self.seed), self.processor)
            real = self.judge.features(as_read(self.all_images, self.processor).pixels)
            distance = FrechetDistance().compute(predictions=self.judge.features(made), references=real)
            found["gaussian_frechet_distance"] = distance["frechet_distance"]
        if self.classes is not None:
            found |= offset_arithmetic(model, self.judge, self.processor, points, space, *self.classes)
        return found
