"""Trains an autoencoder of black and white (or grey) images: ARAE, or a plain one, a VAE or an AAE beside it.

    python examples/train_image_autoencoder.py                                   # ARAE, built-in corpus of glyphs
    python examples/train_image_autoencoder.py --family vae_image                # another family
    python examples/train_image_autoencoder.py --preset arae_image-mnist --dataset_name OWNER/NAME
    python examples/train_image_autoencoder.py --help --family aae_image         # the family's own flags

The steps: 1 arguments, 2 data, 3 image processor, 4 model, 5 judge and evaluators, 6 training, 7 the test split's
numbers. The judge, in whose features samples are measured, is a small classifier that is trained here on the images'
own labels, as the model reads them. The result, `--output_dir`, loads with `AutoModel.from_pretrained`; `LatentSpace`
walks through its codes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import set_seed

from hf_arae.data.images.image_arrays import ImageArrays
from hf_arae.data.images.loading import ImageDataArguments, load_images, measured_split
from hf_arae.evaluation.image_anomaly import ImageAnomalyEvaluator
from hf_arae.evaluation.image_codes import ImageCodeEvaluator
from hf_arae.evaluation.image_generation import ImageGenerationEvaluator
from hf_arae.evaluation.image_judge import judge_for
from hf_arae.evaluation.several import SeveralEvaluators
from hf_arae.models.auto import families, family
from hf_arae.models.images.autoencoder_config import ImageAutoencoderConfig
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.run_folder import check_start
from hf_arae.utils.command_line import first_flag, read_command_line, run_script

FAMILIES = [one.name for one in families() if issubclass(one.config, ImageAutoencoderConfig)]


@dataclass
class FamilyArguments:
    """What is trained."""

    family: str = field(
        default="arae_image",
        metadata={"help": "The family of the model. It has flags of its own.", "choices": FAMILIES},
    )


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    image_size: int = field(default=28, metadata={"help": "Images are scaled to this height and width in pixels."})
    num_channels: int = field(default=1, metadata={"help": "Images are grey (1) or in colour (3)."})
    binarize: str = field(
        default="threshold",
        metadata={
            "help": "Pixels become black or white by half of the brightest (threshold), are drawn with their grey "
            "values, anew at every visit (stochastic), or stay as they are (none).",
            "choices": ["threshold", "stochastic", "none"],
        },
    )
    measure_anomalies: bool = field(
        default=False,
        metadata={
            "help": "Evaluations measure how well errors of reconstruction find anomalies of several kinds, too."
        },
    )
    left_out_class: str | None = field(
        default=None,
        metadata={
            "help": "The training sees no image of this class. With measure_anomalies, its images are anomalies."
        },
    )
    num_samples: int = field(
        default=2000, metadata={"help": "An evaluation draws so many new images; the last one draws 10 000."}
    )
    judge_dir: str = field(
        default="runs/judges", metadata={"help": "The judge of each set of images is kept in this folder."}
    )
    minus_label: str | None = field(
        default=None, metadata={"help": "Images of this class are moved to plus_label by adding an offset."}
    )
    plus_label: str | None = field(
        default=None, metadata={"help": "The class that images of minus_label are to become."}
    )

    def __post_init__(self):
        if (self.minus_label is None) != (self.plus_label is None):
            raise ValueError("minus_label and plus_label go together: give both or neither")
        if self.left_out_class is not None and self.left_out_class in (self.minus_label, self.plus_label):
            raise ValueError(f"the class {self.left_out_class!r} is left out, and minus_label or plus_label names it")


def main() -> None:
    # 1. Arguments, of the family that is named or that a preset is for
    name = first_flag(__file__, "family", "arae_image")
    kind = family(name if name in FAMILIES else "arae_image")  # the command line refuses others
    groups = {
        "Family": FamilyArguments,
        "Data": ImageDataArguments,
        "Images and evaluation": ScriptArguments,
        "Model": kind.config,
        "Objective": kind.objective_arguments,
        "Training": TrainingArguments,
    }
    command = read_command_line(__file__, __doc__, groups, f"{kind.name}-glyphs")
    _, data_arguments, script, sizes, objective_arguments, arguments = command.parts
    set_seed(arguments.seed)
    check_start(arguments)
    config = kind.config(**vars(sizes), image_size=script.image_size, num_channels=script.num_channels)

    # 2. Data
    data = load_images(data_arguments, config.image_size, config.num_channels)
    left_out = script.left_out_class
    seen = data if left_out is None else {name: images.without_class(left_out) for name, images in data.items()}

    # 3. Image processor
    processor = AraeImageProcessor.for_config(config, binarize=None if script.binarize == "none" else script.binarize)

    # 4. Model
    model = kind.model(config)
    objective = kind.objectives[0](model, objective_arguments)
    print(f"{len(seen['train'])} images, {model.num_parameters() / 1e6:.1f} M parameters")

    # 5. Judge and evaluators
    split = "test" if "test" in data else "validation"
    anomalies = {}  # made first: they refuse a split that lacks the class, and a judge can take minutes
    if script.measure_anomalies:
        anomalies = {
            name: [ImageAnomalyEvaluator(processor, data[name], left_out=left_out)] for name in {"validation", split}
        }
    device = "cuda" if torch.cuda.is_available() and not arguments.use_cpu else "cpu"
    judge = judge_for(data, processor, script.judge_dir, device)
    if judge is None and script.minus_label is not None:
        raise ValueError("minus_label and plus_label are classes, and the training images have no labels")
    pictures, train = Path(arguments.output_dir), seen["train"]
    classes = None if script.minus_label is None else (script.minus_label, script.plus_label)

    def evaluators(split: str, num_samples: int) -> SeveralEvaluators:
        return SeveralEvaluators(
            ImageGenerationEvaluator(processor, judge, seen[split], train, num_samples, pictures),
            ImageCodeEvaluator(processor, judge, seen[split], train, classes, num_samples),
            *anomalies.get(split, []),
        )

    last = evaluators(split, 10_000)

    # 6. Training
    trainer = PhaseTrainer(
        model,
        objective,
        arguments,
        ImageArrays(train, processor),
        processing_class=processor,
        evaluator=evaluators("validation", script.num_samples),
    )
    result = trainer.train()
    print(f"trained {result.steps} updates in {result.seconds / 60:.1f} minutes")

    # 7. The test split's numbers (the validation split's, where there is no test split)
    model.eval()
    evaluation = last(model)
    if trainer.accelerator.is_main_process:
        print(f"\n{len(seen[split])} images of the {split} split:")
        for name, value in evaluation.metrics.items():
            print(f"  {name:36s} {value:10.3f}")
        print("\n".join(f"  {path}" for path in evaluation.samples))
    found = {"family": kind.name, "draws_images": model.draws_images} | evaluation.metrics
    trainer.finish(found, command.parts, preset=command.preset, measured_split=measured_split(data))


if __name__ == "__main__":
    run_script(main)
