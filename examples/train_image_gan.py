"""Trains an energy-based GAN of images, or one of its rivals, and shows what it draws.

    python examples/train_image_gan.py                                        # EBGAN-PT, built-in corpus of glyphs
    python examples/train_image_gan.py --dataset_name OWNER/NAME              # images of the Hub or of a local folder
    python examples/train_image_gan.py --preset gan-mnist --dataset_name OWNER/NAME
    python examples/train_image_gan.py --image_size 32 --num_channels 3 --preset ebgan-pt-32 --dataset_name OWNER/NAME

The steps: 1 arguments, 2 data, 3 image processor, 4 model, 5 judge and evaluator, 6 training, 7 the test split's
numbers. The judge, in whose features samples are measured, is a small classifier that is trained here on the images'
own labels; without labels a run is not measured. The best checkpoint is chosen by the Frechet distance to validation
images. The result, `--output_dir`, loads with `AutoModel.from_pretrained` and draws by `model.sample`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import set_seed

from hf_arae.data.images.image_arrays import ImageArrays
from hf_arae.data.images.loading import ImageDataArguments, load_images, measured_split
from hf_arae.evaluation.image_anomaly import ImageAnomalyEvaluator
from hf_arae.evaluation.image_generation import ImageGenerationEvaluator
from hf_arae.evaluation.image_judge import judge_for
from hf_arae.evaluation.image_pixels import pixel_values
from hf_arae.evaluation.several import SeveralEvaluators
from hf_arae.models.ebgan.configuration_ebgan import EbganConfig
from hf_arae.models.ebgan.margin import estimate_margin
from hf_arae.models.ebgan.modeling_ebgan import EbganModel
from hf_arae.models.ebgan.objective_ebgan import EbganObjective, EbganObjectiveArguments
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.run_folder import check_start
from hf_arae.utils.command_line import read_command_line, run_script


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    image_size: int = field(default=28, metadata={"help": "Images are scaled to this height and width in pixels."})
    num_channels: int = field(default=1, metadata={"help": "Images are grey (1) or in colour (3)."})
    num_samples: int = field(
        default=2000,
        metadata={"help": "An evaluation draws so many new images; the last one as many as the test split has."},
    )
    judge_dir: str = field(
        default="runs/judges", metadata={"help": "The judge of each set of images is kept in this folder."}
    )
    measure_anomalies: bool = field(
        default=False,
        metadata={"help": "Evaluations measure how well the energy finds anomalies of several kinds, too."},
    )
    left_out_class: str | None = field(
        default=None,
        metadata={
            "help": "The training sees no image of this class. With measure_anomalies, its images are anomalies."
        },
    )
    estimate_margin: bool = field(
        default=False,
        metadata={
            "help": "The margin is the energy of a discriminator that is first trained on real images alone; it "
            "overrides margin."
        },
    )


def main() -> None:
    # 1. Arguments
    groups = {
        "Data": ImageDataArguments,
        "Images and evaluation": ScriptArguments,
        "Model": EbganConfig,
        "Objective": EbganObjectiveArguments,
        "Training": TrainingArguments,
    }
    command = read_command_line(__file__, __doc__, groups, "ebgan-pt-glyphs", {EbganConfig: ("ladder_noise",)})
    data_arguments, script, sizes, objective_arguments, arguments = command.parts
    if script.estimate_margin and objective_arguments.game != "ebgan":
        raise ValueError(f"estimate_margin is of --game ebgan alone: {objective_arguments.game} has no margin")
    set_seed(arguments.seed)
    check_start(arguments)
    config = EbganConfig(
        **vars(sizes),
        image_size=script.image_size,
        num_channels=script.num_channels,
        discriminator=objective_arguments.discriminator,
    )

    # 2. Data
    data = load_images(data_arguments, config.image_size, config.num_channels)
    left_out = script.left_out_class
    seen = data if left_out is None else {name: images.without_class(left_out) for name, images in data.items()}

    # 3. Image processor
    processor = AraeImageProcessor.for_config(config)

    # 4. Model
    model = EbganModel(config)
    objective = EbganObjective(model, objective_arguments)
    print(f"{len(seen['train'])} images, {model.num_parameters() / 1e6:.1f} M parameters")

    # 5. Judge and evaluator
    device = "cuda" if torch.cuda.is_available() and not arguments.use_cpu else "cpu"
    if script.estimate_margin:
        some = pixel_values(seen["train"].take(slice(10_000)), processor)
        objective_arguments.margin = estimate_margin(model.to(device), some, seed=arguments.seed)
        objective = EbganObjective(model, objective_arguments)
        print(f"estimated margin: {objective_arguments.margin:.3g}")
    judge = judge_for(data, processor, script.judge_dir, device)
    if judge is None:
        arguments.metric_for_best_model = None
    pictures = Path(arguments.output_dir)
    evaluator = ImageGenerationEvaluator(
        processor, judge, seen["validation"], seen["train"], script.num_samples, pictures
    )
    split = "test" if "test" in data else "validation"
    count = min(len(seen[split]), 10_000)
    last = ImageGenerationEvaluator(processor, judge, seen[split], seen["train"], count, pictures)
    if script.measure_anomalies:
        anomalies = ImageAnomalyEvaluator(processor, data["validation"], left_out=left_out)
        evaluator = SeveralEvaluators(evaluator, anomalies)

    # 6. Training
    train = ImageArrays(seen["train"], processor)
    trainer = PhaseTrainer(model, objective, arguments, train, processing_class=processor, evaluator=evaluator)
    result = trainer.train()
    print(f"trained {result.steps} updates in {result.seconds / 60:.1f} minutes")

    # 7. The test split's numbers (the validation split's, where there is no test split)
    model.eval()
    evaluation = last(model)
    if trainer.accelerator.is_main_process:
        print(f"\n{count} images of the {split} split, as many new ones:")
        for name, value in evaluation.metrics.items():
            print(f"  {name:32s} {value:10.3f}")
        print("\n".join(f"  {path}" for path in evaluation.samples))
    found = {"family": "ebgan", "draws_images": model.draws_images} | evaluation.metrics
    trainer.finish(found, command.parts, preset=command.preset, measured_split=measured_split(data))


if __name__ == "__main__":
    run_script(main)
