"""Training of stacked what-where autoencoders: labels, reconstruction, or both, by three weights alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_arae.models.swwae.modeling_swwae import SwwaeModel
from hf_arae.nn.across_processes import moments_over_processes
from hf_arae.nn.image.what_where import EncoderPass
from hf_arae.training.objective import Batch, Objective, OptimizerSettings, Phase, Terms
from hf_arae.training.schedules import SCHEDULES
from hf_arae.utils.validation import check_choice, check_range

WEIGHTS = ("nll_weight", "reconstruction_weight", "middle_weight")


@dataclass
class SwwaeObjectiveArguments:
    """Settings of the objective, each of them a flag."""

    nll_weight: float = field(
        default=1.0, metadata={"help": "lambda_NLL: the cross-entropy of labels has this weight, >= 0; 0: no labels."}
    )
    reconstruction_weight: float = field(
        default=0.05,
        metadata={"help": "lambda_L2rec: the mean squared error of pixels has this weight, >= 0."},
    )
    middle_weight: float = field(
        default=0.02,
        metadata={
            "help": "lambda_L2M: the mean squared errors of the decoder's maps, summed over layers, have this weight, "
            ">= 0. With this and reconstruction_weight at 0, the model is a ConvNet and the decoder is not run."
        },
    )
    detach_targets: bool = field(
        default=False,
        metadata={"help": "The encoder's maps are what the decoder's are to be like, and are not moved towards them."},
    )
    separate_statistics: bool = field(
        default=False,
        metadata={"help": "Batch norm takes labelled and unlabelled images of a batch each by themselves."},
    )
    learning_rate: float = field(default=1e-3, metadata={"help": "Adam's highest learning rate, > 0."})
    schedule: str = field(
        default="constant_then_linear",
        metadata={
            "help": f"The learning rate has one of the courses {', '.join(SCHEDULES)}.",
            "choices": SCHEDULES,
        },
    )

    def __post_init__(self):
        check_choice(self, "schedule", SCHEDULES)
        check_range(self, "(0, inf)", "learning_rate")
        check_range(self, "[0, inf)", *WEIGHTS)
        if not any(getattr(self, name) for name in WEIGHTS):
            raise ValueError(f"one of {', '.join(WEIGHTS)} must be above 0: with all at 0 there is nothing to learn")

    @property
    def decodes(self) -> bool:
        """Whether the decoder has a part in the loss."""
        return self.reconstruction_weight > 0 or self.middle_weight > 0


class SwwaeObjective(Objective):
    """L = lambda_NLL NLL + lambda_L2rec |x - x~|^2 + lambda_L2M sum_m |x_m - x~_m|^2 (thesis, equations 6.1, 6.2).

    The squares are means over elements and images. x_m is what enters a convolution, but for the first one, and x~_m
    what the decoder's layer that mirrors it gives. All images are rebuilt, and those with labels are classified too;
    a model without linear layers learns from images alone.

    Batches: `pixel_values` `(batch, channels, size, size)` and, where labels have a weight, `labelled_pixel_values`
    `(labelled, channels, size, size)` and `labels` `(labelled,)`; then there need be no `pixel_values`. Where the
    decoder has no part, these are left alone.

    Args:
        model: a [`SwwaeModel`].
        settings: see [`SwwaeObjectiveArguments`].

    Raises:
        ValueError: labels have a weight and the model knows none, or nothing of the model is left to learn.
    """

    players = {"model": ("encoder",)}

    def __init__(self, model: SwwaeModel, settings: SwwaeObjectiveArguments | None = None):
        super().__init__(model)
        self.settings = s = settings or SwwaeObjectiveArguments()
        config = model.config
        if s.nll_weight and not config.linear_layers:
            raise ValueError(
                f"the model knows no labels, as its layers end in no linear one ({config.layers!r}): set nll_weight=0"
            )
        parts = ["encoder"]
        if s.decodes:
            parts.append("decoder")
        if s.nll_weight or (s.decodes and config.decode_from == "logits"):
            parts.append("classifier")
        if s.decodes and config.decode_from == "logits":
            parts.append("mirror")
        self.players = {"model": tuple(parts)}

    def optimizers(self) -> dict[str, OptimizerSettings]:
        s = self.settings
        return {"model": OptimizerSettings("adam", s.learning_rate, schedule=s.schedule)}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("learn", "model", self.learn),)

    def learn(self, batch: Batch) -> Terms:
        """The loss and its parts.

        Returns:
            `loss`; `nll`, nats a labelled image, and `accuracy` on them, where labels have a weight; where the decoder
            has a part `reconstruction`, the mean squared error of a normalised pixel, `middle`, the sum of those of
            the maps, and `middle_variance`, the sum of the maps' variances: without batch norm, `middle` falls when
            maps shrink.
        """
        s, model = self.settings, self.model
        groups = self._groups(batch)
        labels = batch["labels"] if s.nll_weight else None
        if s.separate_statistics and len(groups) > 1:
            passes = [model.encoder(images) for images in groups]
            images, found = torch.cat(groups), _joined(passes)
        else:
            images = torch.cat(groups) if len(groups) > 1 else groups[0]
            found = model.encoder(images)
        terms: Terms = {}
        loss: Tensor | float = 0.0
        if labels is not None:
            logits = model.classify(found.what[: len(labels)]).float()
            terms["nll"] = F.cross_entropy(logits, labels)
            terms["accuracy"] = (logits.detach().argmax(1) == labels).float().mean()
            loss = loss + s.nll_weight * terms["nll"]
        if s.decodes:
            rebuilt, maps = model.rebuild(found.what, found.wheres)
            terms["reconstruction"] = _mean_square(rebuilt, images)
            loss = loss + s.reconstruction_weight * terms["reconstruction"]
            if s.middle_weight:
                wanted = [one.detach() if s.detach_targets else one for one in found.inputs]
                pairs = zip(maps, wanted, strict=True)
                terms["middle"] = sum((_mean_square(one, own) for one, own in pairs), loss.new_zeros(()))
                loss = loss + s.middle_weight * terms["middle"]
                with torch.no_grad():
                    terms["middle_variance"] = sum(map(_variance, found.inputs), loss.new_zeros(()))
        return {"loss": loss, **terms}

    def _groups(self, batch: Batch) -> list[Tensor]:
        """Normalised images: those with labels first, where labels have a weight, then the others, where they do."""
        s, model = self.settings, self.model
        groups = []
        if s.nll_weight:
            if "labels" not in batch or not len(batch["labels"]):
                raise ValueError(
                    "a batch has no labelled image, and nll_weight is above 0: give data with labels, or nll_weight=0"
                )
            groups.append(batch["labelled_pixel_values"])
        if "pixel_values" in batch and (s.decodes or not s.nll_weight):
            groups.append(batch["pixel_values"])
        if not groups:
            raise ValueError("a batch has no image without a label, and nll_weight is 0: there is nothing to learn")
        model.check_first_batch(groups[-1])
        return [model.normalized(images) for images in groups]


def _mean_square(one: Tensor, other: Tensor) -> Tensor:
    """In float32; unlike torch's own, its gradient keeps the memory layout that convolutions work in."""
    return (one.float() - other.float()).square().sum() / one.numel()


def _variance(maps: Tensor) -> Tensor:
    """Mean over maps of the variance (by n) of a map's values, those of all processes."""
    values = maps.permute(0, 2, 3, 1).flatten(0, 2).float()  # (positions, maps): one pass over memory as it lies
    return moments_over_processes(values)[1].mean()


def _joined(passes: list[EncoderPass]) -> EncoderPass:
    """The passes of several groups of images as one."""

    def cat(parts: tuple) -> Tensor | None:
        return None if parts[0] is None else torch.cat(parts)

    what, *rest = zip(*passes, strict=True)
    return EncoderPass(torch.cat(what), *(tuple(map(cat, zip(*parts, strict=True))) for parts in rest))


__all__ = ["SwwaeObjective", "SwwaeObjectiveArguments"]
