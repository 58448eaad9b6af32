"""Compares graphs in classifiers of images: learned ones, those of an untrained predictor, uniform, random, and none.

    python examples/transfer_image_graphs.py --predictor runs/glomo-image           # the built-in corpus of glyphs
    python examples/transfer_image_graphs.py --preset transfer-cifar10 --dataset_name OWNER/NAME
    python examples/transfer_image_graphs.py --labelled 1000 --graphs none learned

The steps: 1 arguments, 2 predictor and data, 3 runs, 4 table. All runs of a seed have the same labelled images in the
same order, and the same weights at the start, as far as they have the same; so differences are taken within seeds.
Each run is a line of runs.jsonl in `--output_dir`: a call that was stopped goes on where it was, and one with more
seeds or graphs adds to the same table, which is written to table.md and, for reproduce.py, table.json.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from hf_arae import GlomoImageModel, GlomoImageTaskObjective
from hf_arae.data.images.augmentation import ImageAugmentation
from hf_arae.data.images.image_arrays import ImageArrays, draw_labels
from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.data.images.loading import ImageDataArguments, load_images, measured_split
from hf_arae.evaluation.graph_models import GRAPHS, image_classifier
from hf_arae.evaluation.graph_runs import (
    REFERENCES,
    TABLE_FILE,
    GraphRunArguments,
    averages,
    digest_of_runs,
    learned_predictor,
    run_missing,
    train_one,
)
from hf_arae.evaluation.image_classification import ImageClassificationEvaluator
from hf_arae.evaluation.paired_runs import paired_table
from hf_arae.losses.classification import NO_LABEL
from hf_arae.models.glomo.objective_glomo_tasks import GlomoTaskObjectiveArguments
from hf_arae.models.glomo_image.image_task_config import ImageTaskConfig
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.storage.files import write_json, write_text
from hf_arae.training.run_folder import RunFolder
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.tables import markdown_table
from hf_arae.utils.validation import check_range


@dataclass
class ScriptArguments(GraphRunArguments):
    """What belongs to this script alone."""

    predictor: str = field(
        default="runs/glomo-image",
        metadata={"help": "A run of pretrain_image_graphs.py, or a model on the Hub, whose graphs are compared."},
    )
    output_dir: str = field(
        default="runs/transfer-image", metadata={"help": "The table of runs goes into this folder."}
    )
    labelled: int = field(
        default=0, metadata={"help": "So many training images keep their labels, other ones a seed; 0: all."}
    )
    split_off: int = field(
        default=0,
        metadata={
            "help": "So many training images are taken off, always the same, and none of them is trained on (the "
            "thesis: 8 000 of 50 000). They are the validation images then; 0: the data's own are."
        },
    )

    def __post_init__(self):
        super().__post_init__()
        check_range(self, "[0, inf)", "labelled", "split_off")


def with_split_off(data: dict[str, LabelledImages], count: int) -> dict[str, LabelledImages]:
    """The data with so many training images as the validation split; those that were split off before come back."""
    if not count:
        return data
    train, validation = data["train"], data["validation"]
    if validation.split_off and train.labels is not None:
        both = (train, validation)
        pixels, labels = np.concatenate([one.pixels for one in both]), np.concatenate([one.labels for one in both])
        train = LabelledImages(pixels, labels, train.label_names)
    if count >= len(train):
        raise ValueError(f"split_off={count} leaves none of the {len(train)} training images")
    order = np.random.default_rng(0).permutation(len(train))
    taken = train.take(np.sort(order[:count]))
    taken = LabelledImages(taken.pixels, taken.labels, taken.label_names, split_off=True)
    return data | {"train": train.take(np.sort(order[count:])), "validation": taken}


def main() -> None:
    # 1. Arguments
    groups = {
        "Data": (ImageDataArguments, ImageAugmentation),
        "Runs": ScriptArguments,
        "Model": ImageTaskConfig,
        "Objective": GlomoTaskObjectiveArguments,
    }
    command = read_command_line(__file__, __doc__, groups, "transfer-image")
    data_arguments, augmentation, script, sizes, objective_arguments = command.parts
    output_dir = Path(script.output_dir)

    # 2. Predictor and data
    predictor = learned_predictor(GlomoImageModel, script.predictor)
    config = predictor.config
    data = with_split_off(load_images(data_arguments, config.image_size, config.num_channels), script.split_off)
    train, names = data["train"], list(data["train"].label_names)
    if train.labels is None:
        raise ValueError("the training images have no labels: name their column with --label_column")
    processor = AraeImageProcessor.for_config(config)
    evaluators = {split: ImageClassificationEvaluator(processor, data[split]) for split in data if split != "train"}
    split = "test" if "test" in data else "validation"
    image_classifier(predictor, vars(sizes), names, "learned", 0)  # refuses what is wrong with the sizes
    settings = digest_of_runs(command.parts, predictor, (part.digest() for part in data.values()))
    wanted = [{"graphs": graphs, "seed": seed} for graphs, seed in product(script.graphs, dict.fromkeys(script.seeds))]
    print(f"{len(wanted)} runs of {len(train)} training images, {len(data['validation'])} held out")

    # 3. Runs
    def run(row: dict[str, Any]) -> dict[str, Any]:
        began = time.perf_counter()
        model = image_classifier(predictor, vars(sizes), names, row["graphs"], row["seed"])
        rows = np.flatnonzero(train.labels != NO_LABEL)
        if script.labelled:
            rows = draw_labels(train.labels, script.labelled, row["seed"])
        batch = min(script.per_device_train_batch_size, len(rows))
        updates = train_one(
            model,
            GlomoImageTaskObjective(model, objective_arguments),
            ImageArrays(train.take(rows), processor, np.arange(len(rows)), batch, augmentation, unlabelled=False),
            output_dir,
            row["seed"],
            max_steps=script.max_steps,
            num_train_epochs=script.num_train_epochs,
            per_device_train_batch_size=batch,
            use_cpu=script.use_cpu,
        )
        errors = {name: evaluator(model).metrics["classification_error"] for name, evaluator in evaluators.items()}
        if script.keep_models:
            folder = output_dir / f"{row['graphs']}-seed{row['seed']}"
            model.save_pretrained(folder)
            processor.save_pretrained(folder)
        about = {"predictor": script.predictor, "training_rows": len(rows), "updates": updates}
        found = {"accuracy": 100 - errors[split], "validation_accuracy": 100 - errors["validation"]}
        return about | found | {"measured_split": measured_split(data), "seconds": time.perf_counter() - began}

    def told(found: dict[str, Any]) -> str:
        about = f"accuracy {found['accuracy']:.2f} ({found['seconds']:.0f} s)"
        return f"{found['graphs']}, seed {found['seed']}: {about}"

    with RunFolder(output_dir, True):
        found = run_missing(wanted, output_dir, settings, run, told)

        # 4. Table
        results: dict[str, dict[int, float]] = {graph: {} for graph in GRAPHS}
        for one in found:
            results[one["graphs"]][one["seed"]] = one["accuracy"]
        table = markdown_table(paired_table(results, REFERENCES, "accuracy"), 2)
        text = f"{split} accuracy; differences with seeds paired, 95 % intervals, sign test:\n\n{table}\n"
        print(f"\n{text}")
        write_text(output_dir / TABLE_FILE, text)
        write_json(output_dir / "table.json", averages(found, ("graphs",), ("accuracy",)))


if __name__ == "__main__":
    run_script(main)
