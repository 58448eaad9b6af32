"""The operating point of a trained model: weights of the choice for a wanted accuracy, found on held-out sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from transformers.utils import logging

from hf_arae.models.infilling.modeling_infilling import InfillingModel
from hf_arae.utils.validation import check_number

logger = logging.get_logger(__name__)

_CONTENT = (8.0, 12.0, 16.0, 20.0, 30.0)  # where fluency has a weight of 1
_LIMITS = (0.0625, 0.125, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)


@dataclass(frozen=True)
class OperatingPoint:
    """What a choice of weights comes to on held-out sentences.

    Args:
        content_weight, style_limit: of the choice; its other weights are as they were.
        accuracy: share of outputs that the judge gives the wanted label, 0..1.
        content: mean likeness to the source, 0..1.
        fluency: mean fluency, nats a word.
    """

    content_weight: float
    style_limit: float
    accuracy: float
    content: float
    fluency: float


@torch.no_grad()
def choose_operating_point(
    model: InfillingModel,
    sentences: Sequence[Sequence[int]],
    attributes: Sequence[int],
    judge: Callable[[list[list[int]]], Sequence[int]],
    accuracy: float = 0.95,
    num_candidates: int = 32,
    seed: int = 0,
) -> OperatingPoint:
    """Sets limit and content's weight in the model's config: the greatest likeness to the sources at an accuracy.

    Only choices that are as fluent as the sources themselves, in the mean, are considered; where none is, the most
    fluent one. Where the accuracy is out of reach, the nearest point is taken, and a warning names it.

    Args:
        model: trained, in evaluation mode.
        sentences: held-out ones, token ids with `<bos>` and `<eos>`.
        attributes: their labels.
        judge: gives sentences (words, without `<bos>` and `<eos>`) their labels; it should not be kin to the model.
        accuracy: wanted, in (0, 1].
        num_candidates, seed: of the candidates that are chosen from.

    Raises:
        ValueError: `accuracy` is out of range, or there are no sentences.
    """
    check_number("accuracy", accuracy, "(0, 1]")
    if not sentences:
        raise ValueError("an operating point is found on held-out sentences, and there are none")
    count = model.config.num_attributes
    words = [list(sentence[1:-1]) for sentence in sentences]
    wanted = [(label + 1 + row % (count - 1)) % count for row, label in enumerate(attributes)]
    found = model.candidates(words, wanted, num_candidates, seed)
    every = [one for several in found for one in several.words]
    judged = np.asarray(judge(every)) if every else np.empty(0)  # a model that has hardly learnt may have none
    verdicts = np.split(judged, np.cumsum([len(several.words) for several in found])[:-1])
    usual = float(model.fluency(words, list(attributes)).mean())
    points = []
    for content, limit in product(_CONTENT, _LIMITS):
        weights = model.choice_weights | {"content": content}
        rows = []
        for several, labels, target in zip(found, verdicts, wanted, strict=True):
            if several.words:
                at = int(several.scores(weights, limit).argmax())
                rows.append((labels[at] == target, float(several.content[at]), float(several.fluency[at])))
            else:
                rows.append((False, 1.0, usual))
        points.append(OperatingPoint(content, limit, *np.mean(np.asarray(rows, float), 0).tolist()))
    fluent = [point for point in points if point.fluency >= usual] or [max(points, key=lambda point: point.fluency)]
    reached = [point for point in fluent if point.accuracy >= accuracy]
    if reached:
        best = max(reached, key=lambda point: point.content)
    else:
        best = max(fluent, key=lambda point: (point.accuracy, point.content))
        logger.warning(
            "An accuracy of %.3g is out of reach on %d held-out sentences: the nearest is %.3f, which is taken.",
            accuracy,
            len(words),
            best.accuracy,
        )
    model.config.content_weight, model.config.style_limit = best.content_weight, best.style_limit
    return best
