"""Trains a classifier of images on few labels and many images without: a ladder, alone or against a generator.

    python examples/train_few_labels.py                                       # 120 labels of the built-in glyphs
    python examples/train_few_labels.py --preset ladder-mnist-100 --dataset_name OWNER/NAME
    python examples/train_few_labels.py --preset ebgan-ln-mnist-100 --dataset_name OWNER/NAME
    python examples/train_few_labels.py --adversarial_weight 100 --margin_decay_steps 2000   # EBGAN-LN, by flags

The steps: 1 arguments, 2 data and labels, 3 image processor, 4 model, 5 evaluator, 6 training, 7 error on the test
split. As many labels of each class are drawn, by the seed, among the training images. The labels of validation images
are for choosing settings alone; the images themselves, without labels, are learnt from like all others. The result,
`--output_dir`, works in `pipeline("image-classification")`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from transformers import set_seed

from hf_arae.data.batching import NO_LABEL
from hf_arae.data.images.image_arrays import ImageArrays, draw_labels
from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.data.images.loading import ImageDataArguments, load_images, measured_split
from hf_arae.evaluation.image_classification import ImageClassificationEvaluator
from hf_arae.models.ebgan.configuration_ebgan import EbganConfig
from hf_arae.models.ebgan.modeling_ebgan import EbganForImageClassification
from hf_arae.models.ebgan.objective_ladder import EbganLadderObjective, EbganLadderObjectiveArguments
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.run_folder import check_start
from hf_arae.utils.command_line import read_command_line, run_script

# Fields that a ladder does not have, or that follow from what it is.
NOT_OF_LADDERS = ("backbone", "dropout", "discriminator_batch_norm", "energy", "value_range")


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    image_size: int = field(default=28, metadata={"help": "Images are scaled to this height and width in pixels."})
    num_channels: int = field(default=1, metadata={"help": "Images are grey (1) or in colour (3)."})
    labelled_images: int = field(
        default=100, metadata={"help": "So many training images keep their labels, as many of each class."}
    )
    labelled_batch_size: int = field(
        default=100,
        metadata={"help": "A batch has so many images with labels on each process, beside those without."},
    )


def main() -> None:
    # 1. Arguments
    groups = {
        "Data": ImageDataArguments,
        "Images and labels": ScriptArguments,
        "Model": EbganConfig,
        "Objective": EbganLadderObjectiveArguments,
        "Training": TrainingArguments,
    }
    command = read_command_line(__file__, __doc__, groups, "ladder-glyphs", {EbganConfig: NOT_OF_LADDERS})
    data_arguments, script, sizes, objective_arguments, arguments = command.parts
    set_seed(arguments.seed)
    check_start(arguments)
    chosen = vars(sizes) | {"backbone": "ladder", "image_size": script.image_size, "num_channels": script.num_channels}
    if not objective_arguments.adversarial_weight:
        chosen["generator_layers"] = None
    EbganConfig(**chosen)  # refuses what is wrong before data are read

    # 2. Data and labels
    data = load_images(data_arguments, script.image_size, script.num_channels)
    if data["train"].labels is None:
        raise ValueError("the training images have no labels: name their column with --label_column")
    labelled = draw_labels(data["train"].labels, script.labelled_images, arguments.seed)
    images = with_unlabelled(data["train"], data["validation"])

    # 3. Image processor; and 4. Model
    config = EbganConfig(**chosen, id2label=dict(enumerate(images.label_names)))
    processor = AraeImageProcessor.for_config(config)
    model = EbganForImageClassification(config)
    objective = EbganLadderObjective(model, objective_arguments)
    print(f"{len(images)} images, {len(labelled)} labels, {model.num_parameters() / 1e6:.1f} M parameters")

    # 5. Evaluators, of validation images, and of test images or, where none has a label, of the same
    if "test" in data and (data["test"].labels is None or not (data["test"].labels != NO_LABEL).any()):
        print("No test image has a label: the last numbers are those of the validation split.")
        del data["test"]
    evaluator = ImageClassificationEvaluator(processor, data["validation"])
    last = ImageClassificationEvaluator(processor, data["test"]) if "test" in data else evaluator

    # 6. Training
    train = ImageArrays(images, processor, labelled, script.labelled_batch_size)
    trainer = PhaseTrainer(model, objective, arguments, train, processing_class=processor, evaluator=evaluator)
    result = trainer.train()
    print(f"trained {result.steps} updates in {result.seconds / 60:.1f} minutes")

    # 7. Error on the test split (the validation split, where there is no test split)
    split = "test" if "test" in data else "validation"
    model.eval()
    found = dict(last(model).metrics)
    found |= {f"validation_{name}": value for name, value in evaluator(model).metrics.items()}
    if trainer.accelerator.is_main_process:
        print(f"\n{len(data[split])} images of the {split} split, in percent:")
        for name, value in found.items():
            print(f"  {name:34s} {value:7.2f}")
    about = {"family": "ebgan", "labelled_images": len(labelled)}
    trainer.finish(about | found, command.parts, preset=command.preset, measured_split=measured_split(data))


def with_unlabelled(train: LabelledImages, more: LabelledImages) -> LabelledImages:
    """The training images, and others after them without their labels."""
    labels = np.concatenate([train.labels, np.full(len(more), NO_LABEL)])
    return LabelledImages(np.concatenate([train.pixels, more.pixels]), labels, train.label_names)


if __name__ == "__main__":
    run_script(main)
