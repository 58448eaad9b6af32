"""The classifier in whose features and probabilities images are measured, trained here on the data themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
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
_LARGEST = 64  # pixels; larger images are averaged down to this before the first layer
_VERSION = "1"  # of the network and its training: a judge saved by another one is not taken


class Readings(NamedTuple):
    """What a judge reads in images.

    Args:
        features: `(images, 64)`, float32.
        probabilities: of the classes, `(images, classes)`, float64.
    """

    features: Tensor
    probabilities: Tensor


class ImageJudge(nn.Module):
    """A small convolutional classifier: blocks that halve the image, 64 rectified features, the classes.

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
        while size > 8 or not blocks:
            wider = min(16 * 2 ** len(blocks), 64)
            blocks.append(
                nn.Sequential(nn.Conv2d(width, wider, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True))
            )
            size, width = -(-size // 2), wider
        self.blocks = nn.Sequential(*blocks)
        self.to_features = nn.Linear(width * size**2, NUM_FEATURES)
        self.to_logits = nn.Linear(NUM_FEATURES, len(self.label_names))

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
    epochs: float = 2,
    batch_size: int = 50,
    learning_rate: float = 3e-3,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> ImageJudge:
    """Trains a classifier of the images, or loads the one that was trained on the same images before.

    Everything is fixed but the data, so that two calls give one judge: Adam, its rate falling linearly to 0, a fixed
    number of passes. MNIST takes about 25 seconds of one CPU core, and the judge is right about 98.9 % of its test
    images. Rows without a label are left out. Torch's global generators are left as they were. May be called inside an
    evaluation: gradients are switched on.

    Args:
        images: of the training split, as the model sees them (binarised, for a model of binarised images).
        held_out: images that its accuracy is measured on, which is kept in `ImageJudge.accuracy`.
        folder: the judge is looked for in it, by a digest of all that it depends on, and saved there if it is new.
        epochs: passes over the images, > 0.
        batch_size: images an update.
        learning_rate: of Adam, at the start.
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
        settings = repr((_VERSION, epochs, batch_size, learning_rate, seed, list(images.label_names), pixels.shape))
        parts = [settings.encode(), np.ascontiguousarray(pixels), np.ascontiguousarray(labels)]
        if measured is not None:
            parts += [np.ascontiguousarray(held_out.pixels[measured]), np.ascontiguousarray(held_out.labels[measured])]
        path = Path(folder, f"judge-{digest(*parts)}.safetensors")
        if path.is_file():
            return ImageJudge.load(path).to(device)
    with torch.random.fork_rng([]), torch.enable_grad():
        torch.manual_seed(seed)
        judge = ImageJudge(pixels.shape[1], pixels.shape[3], images.label_names).to(device)
        _fit(judge, pixels, torch.from_numpy(labels), epochs, batch_size, learning_rate)
    judge.eval()
    if measured is not None:
        found = judge.probabilities(held_out.pixels[measured]).argmax(1).numpy()
        judge.accuracy = 100 * float((found == held_out.labels[measured]).mean())
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

    Args:
        data: splits by name, "train" and "test" or "validation" among them.
        processor: the model's.
        folder, device: see `train_judge`.

    Returns:
        `None` where the training images have no labels to learn; a warning says what cannot be measured then.
    """
    labels = data["train"].labels
    if labels is None or not (labels >= 0).any():
        logger.warning(
            "The training images have no labels, so no judge can be trained on them: Frechet distance, I', inception "
            "score, precision, recall and the shares of classes are left out."
        )
        return None
    held_out = data["test" if "test" in data else "validation"]
    return train_judge(as_read(data["train"], processor), as_read(held_out, processor), folder, device=device)


def _labelled(images: LabelledImages, name: str) -> np.ndarray:
    """The rows that have a label."""
    if images.labels is None or not (images.labels >= 0).any():
        raise ValueError(
            f"{name} have no labels, and images are measured in the features of a classifier that is trained on "
            "labelled ones: name their column of labels, or leave these measurements out"
        )
    return np.flatnonzero(images.labels >= 0)


def _fit(
    judge: ImageJudge, pixels: np.ndarray, labels: Tensor, epochs: float, batch_size: int, learning_rate: float
) -> None:
    """Trains the judge in place; order from torch's generator of the CPU."""
    device, updates = judge.to_logits.weight.device, max(round(epochs * len(labels) / batch_size), 1)
    optimizer = torch.optim.Adam(judge.parameters(), learning_rate, fused=True)
    order = torch.empty(0, dtype=torch.long)
    for update in range(updates):
        while len(order) < batch_size:
            order = torch.cat([order, torch.randperm(len(labels))])
        rows, order = order[:batch_size], order[batch_size:]
        logits = judge.to_logits(judge(to_unit(pixels[rows.numpy()]).to(device)))
        loss = functional.cross_entropy(logits, labels[rows].to(device))
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - update / updates)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
