"""The classifier in whose features and probabilities images are measured, trained here on the data themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers.utils import logging

from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.evaluation.image_pixels import as_read, to_unit
from hf_arae.metrics.numbers import Number
from hf_arae.utils.digests import digest

NUMBERS = {
    "judge_accuracy": Number(
        "Accuracy of the judge on held-out images (%)",
        "How often the classifier in whose features samples are measured is right about real images.",
    ),
}

logger = logging.get_logger(__name__)

NUM_FEATURES = 64
# Updates of the rounds of a training, each at least one pass over the images.
_ROUNDS = (150, 600, 2400, 2400)
_GOOD = 98.0  # accuracy (%) at which no further round is made
_RISE = 1.0  # points that a later round must gain for another one to follow
_SHIFT = 2  # pixels that images are moved by, at most, from the second round on
_MANY = 2000  # images from which on a twentieth is held off, to decide on further rounds
_LEAST_GAIN = 0.25  # share of the errors of always naming the commonest class that a judge must not make
_LARGEST = 64  # pixels; larger images are averaged down to this before the first layer
_VERSION = "2"  # of the network and its training: a judge saved by another one is not taken


class Readings(NamedTuple):
    """What a judge reads in images.

    Args:
        features: `(images, 64)`, float32.
        probabilities: of the classes, `(images, classes)`, float64.
    """

    features: Tensor
    probabilities: Tensor


class ImageJudge(nn.Module):
    """A small convolutional classifier: blocks that halve the image, 64 rectified features, the classes, batch norm.

    Called on pixels it returns the features, as torchmetrics wants of a `feature` network (`num_features` is there
    too). Distances in these features depend on the judge: compare numbers of one judge only.

    Args:
        image_size: height and width in pixels; above 64 images are averaged down to 64 first.
        num_channels: 1 or 3.
        label_names: of the classes, at least two.
        accuracy: on held-out images, in 0..100; NaN if there were none.
    """

    num_features = NUM_FEATURES

    def __init__(self, image_size: int, num_channels: int, label_names: list[str], accuracy: float = float("nan")):
        super().__init__()
        self.image_size, self.num_channels = image_size, num_channels
        self.label_names, self.accuracy = list(label_names), accuracy
        size, width, blocks = min(image_size, _LARGEST), num_channels, []
        while size > 4 or not blocks:
            wider = min(16 * 2 ** len(blocks), 64)
            convolution = nn.Conv2d(width, wider, 3, padding=1, bias=False)
            pool = nn.MaxPool2d(2, ceil_mode=True)
            blocks.append(nn.Sequential(convolution, nn.BatchNorm2d(wider), nn.ReLU(), pool))
            size, width = -(-size // 2), wider
        self.blocks = nn.Sequential(*blocks)
        features = nn.Linear(width * size**2, NUM_FEATURES, bias=False)
        self.to_features = nn.Sequential(features, nn.BatchNorm1d(NUM_FEATURES))
        self.to_logits = nn.Linear(NUM_FEATURES, len(self.label_names))
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """Features `(images, 64)` of pixels `(images, channels, size, size)` in [0, 1]."""
        if self.image_size > _LARGEST:
            pixels = functional.adaptive_avg_pool2d(pixels, _LARGEST)
        return self.to_features(self.blocks(pixels - 0.5).flatten(1)).relu()

    @torch.no_grad()
    def read(self, images: Tensor | np.ndarray, batch_size: int = 500) -> Readings:
        """Features and probabilities of images, on the CPU.

        Args:
            images: pixels `(images, channels, size, size)` in [0, 1], or the bytes `(images, size, size, channels)` of
                [`~hf_arae.data.images.labelled_images.LabelledImages`].
            batch_size: images that are read at once.

        Raises:
            ValueError: the shape is not the judge's, there are no images, or a pixel is not finite.
        """
        shape = (self.num_channels, self.image_size, self.image_size)
        whole = to_unit(images[:1]) if isinstance(images, np.ndarray) else images
        if whole.dim() != 4 or tuple(whole.shape[1:]) != shape or not len(images):
            raise ValueError(f"the judge reads images {shape}, at least one; got {tuple(whole.shape[1:])}")
        device, features, probabilities = self.to_logits.weight.device, [], []
        for start in range(0, len(images), batch_size):
            part = images[start : start + batch_size]
            part = (to_unit(part) if isinstance(part, np.ndarray) else part).to(device, torch.float32)
            if not part.isfinite().all():
                raise ValueError("images must be finite, got NaN or infinity among their pixels")
            features.append(self(part))
            probabilities.append(self.to_logits(features[-1]).double().softmax(1).cpu())
        return Readings(torch.cat(features).cpu(), torch.cat(probabilities))

    def features(self, images: Tensor | np.ndarray) -> Tensor:
        """See `read`."""
        return self.read(images).features

    def probabilities(self, images: Tensor | np.ndarray) -> Tensor:
        """See `read`."""
        return self.read(images).probabilities

    def save(self, path: str | os.PathLike) -> None:
        """Writes the judge into one safetensors file."""
        about = {name: getattr(self, name) for name in ("image_size", "num_channels", "label_names", "accuracy")}
        unfinished = Path(path).with_name(f".{Path(path).name}.{os.getpid()}.unfinished")
        save_file(self.state_dict(), unfinished, {"judge": json.dumps(about), "version": _VERSION})
        os.replace(unfinished, path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> ImageJudge:
        """Reads what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it holds no judge, or one of another version.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no judge {path}")
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
            if about.get("version") != _VERSION:
                raise ValueError("it is of another version")
            judge = cls(**json.loads(about["judge"]))
            judge.load_state_dict(load_file(path))
        except Exception as error:  # safetensors, JSON and torch have errors of their own
            raise ValueError(f"{path} holds no judge of images that can be used: {error}") from error
        return judge.eval()


def train_judge(
    images: LabelledImages,
    held_out: LabelledImages | None = None,
    folder: str | os.PathLike | None = None,
    *,
    rounds: Sequence[int] = _ROUNDS,
    batch_size: int = 50,
    learning_rate: float = 3e-3,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> ImageJudge:
    """Trains a classifier of the images, or loads the one that was trained on the same images before.

    Two calls give one judge. Adam's rate rises and falls to 0 in each round of updates. After a round the judge is
    asked about a twentieth of the images, at most 1000, that it does not learn from (of fewer than 2000 images, about
    those it learns from). Rounds end where it is right about 98 % or, after the third, where it gained less than a
    point; from the second round on, which only harder images need, these are moved by up to two pixels. MNIST takes
    about 20 seconds of one CPU core, and the judge is right about 99 % of its test images; 7600 images of SVHN take
    about two minutes, for over 90 %. A judge that is hardly better than naming the commonest class is warned of.

    Rows without a label are left out. Torch's global generators are left as they were. May be called inside an
    evaluation: gradients are switched on.

    Args:
        images: of the training split, as the model sees them (binarised, for a model of binarised images).
        held_out: images that its accuracy is measured on, which is kept in `ImageJudge.accuracy`.
        folder: the judge is looked for in it, by a digest of all that it depends on, and saved there if it is new.
        rounds: the updates of each round, >= 1; a round is at least one pass over the images.
        batch_size: images an update.
        learning_rate: the highest one of Adam.
        seed: of initialisation and order.
        device: what it is trained on, and stays on.

    Raises:
        ValueError: there are fewer than two labels among the images, or the two sets differ in size or labels.
    """
    labelled = _labelled(images, "the training images")
    measured = None if held_out is None else _labelled(held_out, "the held-out images")
    if measured is not None:
        if list(images.label_names) != list(held_out.label_names):
            raise ValueError(f"training images have the labels {images.label_names}, others {held_out.label_names}")
        if images.pixels.shape[1:] != held_out.pixels.shape[1:]:
            shapes = images.pixels.shape[1:], held_out.pixels.shape[1:]
            raise ValueError(f"training images are {shapes[0]}, and held-out ones {shapes[1]}")
    pixels, labels = images.pixels[labelled], images.labels[labelled]
    if len(np.unique(labels)) < 2:
        raise ValueError("a judge tells labels apart: the training images have fewer than two")
    path = None
    if folder is not None:
        settings = repr((_VERSION, *rounds, batch_size, learning_rate, seed, list(images.label_names), pixels.shape))
        parts = [settings.encode(), np.ascontiguousarray(pixels), np.ascontiguousarray(labels)]
        if measured is not None:
            parts += [np.ascontiguousarray(held_out.pixels[measured]), np.ascontiguousarray(held_out.labels[measured])]
        path = Path(folder, f"judge-{digest(*parts)}.safetensors")
        if path.is_file():
            judge = ImageJudge.load(path).to(device)
            if measured is not None:
                _warn_of_bad_judge(judge, held_out.labels[measured])
            return judge
    with torch.random.fork_rng([]), torch.enable_grad():
        torch.manual_seed(seed)
        judge = ImageJudge(pixels.shape[1], pixels.shape[3], images.label_names).to(device)
        _fit(judge, pixels, labels, rounds, batch_size, learning_rate)
    if measured is not None:
        judge.accuracy = _accuracy(judge, held_out.pixels[measured], held_out.labels[measured])
        _warn_of_bad_judge(judge, held_out.labels[measured])
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        judge.save(path)
    return judge


def judge_for(
    data: Mapping[str, LabelledImages],
    processor: Any,
    folder: str | os.PathLike | None = None,
    device: torch.device | str = "cpu",
) -> ImageJudge | None:
    """The judge of a model's images: trained on the training split as the model reads it, measured on the test split.

    Where there is no test split, or one without labels, it is measured on the validation split.

    Args:
        data: splits by name, "train" and "test" or "validation" among them.
        processor: the model's.
        folder, device: see `train_judge`.

    Returns:
        `None` where the training images have no labels to learn; a warning says what cannot be measured then.
    """
    if not _has_labels(data["train"]):
        logger.warning(
            "The training images have no labels, so no judge can be trained on them: Frechet distance, I', inception "
            "score, precision, recall and the shares of classes are left out."
        )
        return None
    splits = [data[split] for split in ("test", "validation") if split in data]
    held_out = next(filter(_has_labels, splits), splits[0])
    return train_judge(as_read(data["train"], processor), as_read(held_out, processor), folder, device=device)


def _has_labels(images: LabelledImages) -> bool:
    return images.labels is not None and bool((images.labels >= 0).any())


def _labelled(images: LabelledImages, name: str) -> np.ndarray:
    """The rows that have a label."""
    if not _has_labels(images):
        raise ValueError(
            f"{name} have no labels, and images are measured in the features of a classifier that is trained on "
            "labelled ones: name their column of labels, or leave these measurements out"
        )
    return np.flatnonzero(images.labels >= 0)


def _accuracy(judge: ImageJudge, pixels: np.ndarray, labels: np.ndarray) -> float:
    """How often the judge is right, in percent."""
    return 100 * float((judge.probabilities(pixels).argmax(1).numpy() == labels).mean())


def _warn_of_bad_judge(judge: ImageJudge, labels: np.ndarray) -> None:
    """Warns where the judge is hardly better on held-out images of these labels than naming the commonest one."""
    commonest = 100 * np.bincount(labels).max() / len(labels)
    if judge.accuracy < commonest + _LEAST_GAIN * (100 - commonest):
        logger.warning(
            "The judge is right about %.1f %% of held-out images, always naming the commonest class about %.1f %%: it "
            "has not learnt these classes, and Frechet distance, I', inception score, precision, recall and shares "
            "of classes that are measured by it mean nothing.",
            judge.accuracy,
            commonest,
        )


def _fit(
    judge: ImageJudge,
    pixels: np.ndarray,
    labels: np.ndarray,
    rounds: Sequence[int],
    batch_size: int,
    learning_rate: float,
) -> None:
    """Trains the judge in place; order and moves come from torch's generator of the CPU."""
    rows = torch.randperm(len(labels)).numpy()
    held_off = rows[: min(len(rows) // 20, 1000)] if len(rows) >= _MANY else rows[:1000]
    if len(rows) >= _MANY:
        rows = rows[len(held_off) :]
    optimizer = torch.optim.Adam(judge.parameters(), learning_rate, fused=True)
    judge.to(memory_format=torch.channels_last)
    best = 0.0
    for number, updates in enumerate(rounds):
        shift = _SHIFT if number else 0
        _run_round(judge, optimizer, pixels, labels, rows, max(updates, len(rows) // batch_size), batch_size, shift)
        accuracy = _accuracy(judge, pixels[held_off], labels[held_off])
        if accuracy >= _GOOD or (number >= 2 and accuracy < best + _RISE):
            break
        best = max(best, accuracy)
    judge.to(memory_format=torch.contiguous_format)


def _run_round(
    judge: ImageJudge,
    optimizer: torch.optim.Optimizer,
    pixels: np.ndarray,
    labels: np.ndarray,
    rows: np.ndarray,
    updates: int,
    batch_size: int,
    shift: int,
) -> None:
    """Updates on the rows, the rate rising for a tenth of them, for 100 at most, and then falling to 0."""
    device, order, batch_size = judge.to_logits.weight.device, rows[:0], min(batch_size, len(rows))
    highest, rising = optimizer.defaults["lr"], min(100, updates // 10 + 1)
    judge.train()
    for update in range(updates):
        while len(order) < batch_size:
            order = np.concatenate([order, rows[torch.randperm(len(rows)).numpy()]])
        chosen, order = order[:batch_size], order[batch_size:]
        some = _moved(pixels[chosen], shift) if shift else pixels[chosen]
        loss = functional.cross_entropy(
            judge.to_logits(judge(to_unit(some).to(device))), torch.from_numpy(labels[chosen]).to(device)
        )
        optimizer.param_groups[0]["lr"] = highest * min(1, (update + 1) / rising) * (1 - update / updates)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    judge.eval()


def _moved(pixels: np.ndarray, most: int) -> np.ndarray:
    """Each image moved by up to so many pixels both ways, its edge being drawn out."""
    height, width = pixels.shape[1:3]
    wider = np.pad(pixels, ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    places = torch.randint(2 * most + 1, (len(pixels), 2)).tolist()
    return np.stack([one[y : y + height, x : x + width] for one, (y, x) in zip(wider, places, strict=True)])
