"""Small models of EBGAN, its rivals and ladders, and what their tests ask of them."""

from __future__ import annotations

import torch
from image_mixins import SIZE, image_rows, made_up_images

from hf_arae import (
    EbganConfig,
    EbganLadderObjective,
    EbganLadderObjectiveArguments,
    EbganModel,
    EbganObjective,
    EbganObjectiveArguments,
)
from hf_arae.models.images.image_processing import AraeImageProcessor

CONV = {
    "image_size": SIZE,
    "latent_size": 5,
    "backbone": "conv",
    "generator_layers": "(8)3c-(1)4c2s",
    "discriminator_layers": "(4)4c2s-(6)3c",
    "discriminator_batch_norm": True,
}
DENSE = {"image_size": SIZE, "latent_size": 5, "generator_layers": "12-10", "discriminator_layers": "8"}
LADDER = DENSE | {"backbone": "ladder", "discriminator_layers": "9-7", "num_labels": 3}


def make_model(**changes) -> EbganModel:
    torch.manual_seed(0)
    return EbganModel(EbganConfig(**(DENSE | changes)))


def make_objective(model: EbganModel, **settings) -> EbganObjective:
    objective = EbganObjective(model, EbganObjectiveArguments(**settings))
    objective.begin_iteration(0, 3)
    return objective


def buffers(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.named_buffers()}


def moved(module: torch.nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return any(not torch.equal(value, before[name]) for name, value in module.named_buffers())


def some_images(rows: int) -> torch.Tensor:
    """Images that the dense and the convolutional model read."""
    return AraeImageProcessor(size=SIZE).scale(made_up_images(rows).pixels).to(torch.get_default_dtype())


class LadderRows:
    """Images, of which those of a batch's second half are the labelled ones too."""

    def __init__(self, images: torch.Tensor):
        self.images = images

    def batches(self, *arguments):
        source = image_rows(self.images, labels=[row % 3 for row in range(len(self.images))]).batches(*arguments)
        load = source.load

        def with_labels(number: int, rows: list[int]) -> dict[str, torch.Tensor]:
            batch = load(number, rows)
            half = len(batch["labels"]) // 2
            return batch | {
                "labelled_pixel_values": batch["pixel_values"][half:],
                "labels": batch["labels"][half:],
            }

        source.load = with_labels
        return source


def ladder_objective(model: EbganModel, **settings) -> EbganLadderObjective:
    objective = EbganLadderObjective(model, EbganLadderObjectiveArguments(**settings))
    objective.begin_iteration(0, 3)
    return objective
