"""Trains a classifier of images on few labels and many images without: a ladder, or a stacked what-where autoencoder.

    python examples/train_few_labels.py                                       # 120 labels of the built-in glyphs
    python examples/train_few_labels.py --preset ladder-mnist-100 --dataset_name OWNER/NAME
    python examples/train_few_labels.py --adversarial_weight 100 --margin_decay_steps 2000   # EBGAN-LN, by flags
    python examples/train_few_labels.py --family swwae                        # a what-where autoencoder
    python examples/train_few_labels.py --preset swwae-svhn --dataset_name OWNER/NAME --labelled_images 250
    python examples/train_few_labels.py --preset convnet-svhn --dataset_name OWNER/NAME --labelled_images 250
    python examples/train_few_labels.py --family swwae --nll_weight 0         # no labels: an autoencoder
    python examples/train_few_labels.py --help --family swwae                 # the family's own flags

The steps: 1 arguments, 2 data and labels, 3 image processor, 4 model, 5 evaluators, 6 training, 7 error on the test
split. As many labels of each class are drawn, by the seed, among the training images. The labels of validation images
are for choosing settings alone; the images themselves, without labels, are learnt from like all others. Runs of one
seed have the same labels, in the same batches, and what-where autoencoders of the same layers the same first weights:
with `--reconstruction_weight 0 --middle_weight 0` they are the plain ConvNet to compare with. The result,
`--output_dir`, works in `pipeline("image-classification")`; without labels, in `pipeline("image-feature-extraction")`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from transformers import set_seed

from hf_arae.data.images.augmentation import ImageAugmentation
from hf_arae.data.images.columns import NO_LABELS
from hf_arae.data.images.image_arrays import ImageArrays, draw_labels
from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.data.images.loading import ImageDataArguments, load_images, measured_split
from hf_arae.data.images.pixels import contrasted
from hf_arae.evaluation.image_classification import ImageClassificationEvaluator
from hf_arae.evaluation.image_generation import ImageGenerationEvaluator
from hf_arae.losses.classification import NO_LABEL
from hf_arae.models.ebgan.configuration_ebgan import EbganConfig
from hf_arae.models.ebgan.modeling_ebgan import EbganForImageClassification
from hf_arae.models.ebgan.objective_ladder import EbganLadderObjective, EbganLadderObjectiveArguments
from hf_arae.models.images.image_config import VALUE_RANGES
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.models.swwae.configuration_swwae import SwwaeConfig
from hf_arae.models.swwae.modeling_swwae import SwwaeForImageClassification, SwwaeModel
from hf_arae.models.swwae.objective_swwae import SwwaeObjective, SwwaeObjectiveArguments
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.run_folder import check_start
from hf_arae.utils.command_line import first_flag, read_command_line, run_script
from hf_arae.utils.validation import check_range

ALL = "all"  # as labelled_images: every training image keeps its label


@dataclass
class FamilyArguments:
    """What is trained."""

    family: str = field(
        default="ebgan",
        metadata={
            "help": "The family of the model: a ladder, alone or against a generator (ebgan), or a stacked what-where "
            "autoencoder (swwae). It has flags of its own.",
            "choices": ["ebgan", "swwae"],
        },
    )


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    image_size: int = field(default=28, metadata={"help": "Images are scaled to this height and width in pixels."})
    num_channels: int = field(default=1, metadata={"help": "Images are grey (1) or in colour (3)."})
    labelled_images: str = field(
        default="100",
        metadata={"help": f"So many training images keep their labels, as many of each class; or {ALL} of them."},
    )
    labelled_batch_size: int = field(
        default=100,
        metadata={"help": "A batch has so many images with labels on each process, beside those without."},
    )
    unlabelled_dataset_name: str | None = field(
        default=None,
        metadata={
            "help": "Images of this dataset, on the Hub or in a local folder, are learnt from too, scaled to the size "
            "and channels of the others. It can be dataset_name itself, whose unlabelled_split has more images."
        },
    )
    unlabelled_dataset_config_name: str | None = field(
        default=None, metadata={"help": "The configuration of unlabelled_dataset_name, where it has several."}
    )
    unlabelled_split: str = field(
        default="train", metadata={"help": "The split of unlabelled_dataset_name that images are taken from."}
    )
    unlabelled_image_column: str | None = field(
        default=None,
        metadata={"help": "The column of unlabelled_dataset_name that holds the images; else the only one that does."},
    )
    max_unlabelled_samples: int | None = field(
        default=None, metadata={"help": "So many images of unlabelled_dataset_name, drawn at random, are used."}
    )
    unlabelled: bool = field(
        default=True,
        metadata={"help": "Images without labels are learnt from; with false, only images with labels are."},
    )
    normalize_contrast: bool = field(
        default=False,
        metadata={"help": "Each image is brought to one brightness and contrast, by the image processor."},
    )
    normalize_pixels: bool = field(
        default=True,
        metadata={
            "help": "The networks see pixels without the mean of the training images, divided by their deviation, "
            "each channel by itself."
        },
    )

    def __post_init__(self):
        check_range(self, "[0, inf)", "labelled_batch_size")
        if self.labelled_images != ALL and not (self.labelled_images.isdecimal() and int(self.labelled_images)):
            raise ValueError(f"labelled_images must be a whole number above 0, or {ALL}; got {self.labelled_images!r}")
        given = [name for name in vars(self) if name.startswith("unlabelled_") and name != "unlabelled_dataset_name"]
        given = [name for name in given if getattr(self, name) not in (None, "train")]
        if self.unlabelled_dataset_name is None and (given or self.max_unlabelled_samples is not None):
            name = (given or ["max_unlabelled_samples"])[0]
            raise ValueError(f"{name} goes with unlabelled_dataset_name, which is not given")
        if self.unlabelled_dataset_name is not None and not self.unlabelled:
            raise ValueError("unlabelled_dataset_name is given, and unlabelled is false: give one of the two")


# ------------------------------------------------------------------------------------------------- the two families


class Ladder:
    """A ladder that classifies, alone or against a generator."""

    config, settings, preset = EbganConfig, EbganLadderObjectiveArguments, "ladder-glyphs"
    # Flags that a ladder does not have, or that follow from what it is.
    without = {
        EbganConfig: ("backbone", "dropout", "discriminator_batch_norm", "energy", "value_range"),
        ScriptArguments: ("unlabelled", "normalize_pixels"),
    }
    objective = EbganLadderObjective

    def __init__(self, script: ScriptArguments, sizes: Any, settings: EbganLadderObjectiveArguments):
        self.classifies, self.model = True, EbganForImageClassification
        self.chosen = vars(sizes) | {"backbone": "ladder"}
        if not settings.adversarial_weight:
            self.chosen["generator_layers"] = None

    def of_images(self, images: LabelledImages) -> dict[str, Any]:
        """What the config is to know of the training images, beside the names of labels."""
        return {}


class WhatWhere:
    """A stacked what-where autoencoder: with labels a classifier."""

    config, settings, preset, without = SwwaeConfig, SwwaeObjectiveArguments, "swwae-glyphs", {}
    objective = SwwaeObjective

    def __init__(self, script: ScriptArguments, sizes: Any, settings: SwwaeObjectiveArguments):
        self.script, self.chosen, self.classifies = script, dict(vars(sizes)), settings.nll_weight > 0
        self.model = SwwaeForImageClassification if self.classifies else SwwaeModel
        if self.classifies:
            if not SwwaeConfig(**self._of_size()).linear_layers:
                raise ValueError(
                    f"layers must end in a linear one, such as ...-fc, for labels to be learnt; got {sizes.layers!r}"
                )
            return
        if not script.unlabelled:
            raise ValueError("nll_weight=0 learns from images without labels, and unlabelled is false: leave one out")
        if sizes.decode_from == "logits":
            raise ValueError("nll_weight=0 makes no logits of labels: decode_from must be features")
        convolutional = [part for part in sizes.layers.split("-") if not part.strip().endswith("fc")]
        self.chosen["layers"] = "-".join(convolutional)

    def of_images(self, images: LabelledImages) -> dict[str, Any]:
        """What the config is to know of the training images, beside the names of labels."""
        if not self.script.normalize_pixels:
            return {}
        low, high = VALUE_RANGES[self.chosen["value_range"]]
        if self.script.normalize_contrast:
            images = replace(images, pixels=contrasted(images.pixels))
        mean, deviation = images.statistics()
        return {
            "pixel_mean": (low + (high - low) * mean).tolist(),
            "pixel_std": ((high - low) * deviation).tolist(),
        }

    def _of_size(self) -> dict[str, Any]:
        return self.chosen | {"image_size": self.script.image_size, "num_channels": self.script.num_channels}


def main() -> None:
    # 1. Arguments, of the family that is named or that a preset is for
    kind = WhatWhere if first_flag(__file__, "family", "ebgan") == "swwae" else Ladder
    groups = {
        "Family": FamilyArguments,
        "Data": ImageDataArguments,
        "Images and labels": [ScriptArguments, ImageAugmentation],
        "Model": kind.config,
        "Objective": kind.settings,
        "Training": TrainingArguments,
    }
    command = read_command_line(__file__, __doc__, groups, kind.preset, kind.without)
    family, data_arguments, script, augmentation, sizes, settings, arguments = command.parts
    set_seed(arguments.seed)
    check_start(arguments)
    kind = kind(script, sizes, settings)
    augmentation.check_size(script.image_size)
    if kind.classifies and not script.labelled_batch_size:
        raise ValueError("labelled_batch_size must be at least 1: without it no batch has an image with a label")
    shape = {"image_size": script.image_size, "num_channels": script.num_channels}
    kind.config(**kind.chosen, **shape)  # refuses what is wrong before data are read

    # 2. Data and labels
    data = load_images(data_arguments, script.image_size, script.num_channels)
    labelled = labelled_rows(data["train"], script.labelled_images, arguments.seed) if kind.classifies else None
    images = unlabelled_after(data["train"], [data["validation"], *more_images(script)])
    about = {"family": family.family, "labelled_images": 0 if labelled is None else len(labelled)}

    # 3. Image processor; and 4. Model
    names = {"id2label": dict(enumerate(images.label_names))} if kind.classifies else {}
    seen = images if script.unlabelled else images.take(labelled)
    config = kind.config(**kind.chosen, **shape, **kind.of_images(seen), **names)
    contrast = {"normalize_contrast": True} if script.normalize_contrast else {}
    processor = AraeImageProcessor.for_config(config, **contrast)
    model = kind.model(config)
    objective = kind.objective(model, settings)
    print(f"{len(seen)} images, {about['labelled_images']} labels, {model.num_parameters() / 1e6:.1f} M parameters")

    # 5. Evaluators, of validation images, and of test images or, where none has a label, of the same
    if kind.classifies and "test" in data and not has_labels(data["test"]):
        print("No test image has a label: the last numbers are those of the validation split.")
        del data["test"]

    def evaluator_of(images: LabelledImages) -> ImageClassificationEvaluator | ImageGenerationEvaluator:
        if kind.classifies:
            return ImageClassificationEvaluator(processor, images)
        return ImageGenerationEvaluator(processor, None, images)

    evaluator = evaluator_of(data["validation"])
    last = evaluator_of(data["test"]) if "test" in data else evaluator

    # 6. Training
    rows = (labelled, script.labelled_batch_size if kind.classifies else 0)
    train = ImageArrays(images, processor, *rows, augmentation, script.unlabelled)
    trainer = PhaseTrainer(model, objective, arguments, train, processing_class=processor, evaluator=evaluator)
    result = trainer.train()
    print(f"trained {result.steps} updates in {result.seconds / 60:.1f} minutes")

    # 7. Numbers of the test split (the validation split, where there is no test split)
    split = "test" if "test" in data else "validation"
    model.eval()
    found = dict(last(model).metrics)
    found |= {f"validation_{name}": value for name, value in evaluator(model).metrics.items()}
    if trainer.accelerator.is_main_process:
        print(f"\n{len(data[split])} images of the {split} split{', in percent' * kind.classifies}:")
        for name, value in found.items():
            print(f"  {name:34s} {value:7.2f}")
    trainer.finish(about | found, command.parts, preset=command.preset, measured_split=measured_split(data))


def labelled_rows(train: LabelledImages, wanted: str, seed: int) -> np.ndarray:
    """The training images that keep their labels: so many, drawn by the seed, or all that have one."""
    if train.labels is None:
        raise ValueError("the training images have no labels: name their column with --label_column")
    if wanted == ALL:
        return np.flatnonzero(train.labels != NO_LABEL)
    return draw_labels(train.labels, int(wanted), seed)


def more_images(script: ScriptArguments) -> list[LabelledImages]:
    """The images of the dataset without labels, if one is named."""
    if script.unlabelled_dataset_name is None:
        return []
    source = ImageDataArguments(
        dataset_name=script.unlabelled_dataset_name,
        dataset_config_name=script.unlabelled_dataset_config_name,
        train_split=script.unlabelled_split,
        image_column=script.unlabelled_image_column,
        label_column=NO_LABELS,
        max_train_samples=script.max_unlabelled_samples,
    )
    splits = load_images(source, script.image_size, script.num_channels)
    found = [splits["train"], *([splits["validation"]] if splits["validation"].split_off else [])]
    kind = "grey" if script.num_channels == 1 else "in colour"
    print(
        f"{sum(map(len, found))} images without labels of {script.unlabelled_dataset_name}, whose middle squares are "
        f"scaled to {script.image_size} x {script.image_size} pixels where they are of another size, {kind}"
    )
    return found


def unlabelled_after(train: LabelledImages, more: Sequence[LabelledImages]) -> LabelledImages:
    """The training images, and others after them without their labels."""
    labels = None
    if train.labels is not None:
        labels = np.concatenate([train.labels, np.full(sum(map(len, more)), NO_LABEL)])
    return LabelledImages(np.concatenate([train.pixels, *(one.pixels for one in more)]), labels, train.label_names)


def has_labels(images: LabelledImages) -> bool:
    """Whether at least one image has a label."""
    return images.labels is not None and (images.labels != NO_LABEL).any()


if __name__ == "__main__":
    run_script(main)
