"""Learns graphs over images without labels (GLoMo): how much each pixel or patch draws from which other.

    python examples/pretrain_image_graphs.py                                      # the built-in corpus of glyphs
    python examples/pretrain_image_graphs.py --preset glomo-cifar10 --dataset_name OWNER/NAME
    python examples/pretrain_image_graphs.py --graph uniform --output_dir runs/glomo-image-uniform    # a control

The steps: 1 arguments, 2 data, 3 image processor, 4 model, 5 evaluators, 6 training, 7 held-out images and pictures of
where the centre and the last unit of one draw from. The result, `--output_dir`, loads with
`AutoModel.from_pretrained`, without the decoders that only the training needs; with them, `AutoModelForPreTraining`.
`transfer_image_graphs.py` puts its graphs into classifiers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel, set_seed

from hf_arae import GlomoImageConfig, GlomoImageForPreTraining, GlomoImageObjective, GlomoImageObjectiveArguments
from hf_arae.data.images.augmentation import ImageAugmentation
from hf_arae.data.images.image_arrays import ImageArrays
from hf_arae.data.images.loading import ImageDataArguments, load_images, measured_split
from hf_arae.evaluation.graph_pictures import draw_sources
from hf_arae.evaluation.image_graphs import ImageGraphEvaluator
from hf_arae.models.glomo_image.image_task_config import IMAGE_TASK_FIELDS
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.run_folder import check_start
from hf_arae.utils.command_line import read_command_line, run_script


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    image_size: int = field(default=28, metadata={"help": "Images are scaled to this height and width in pixels."})
    num_channels: int = field(default=1, metadata={"help": "Images are grey (1) or in colour (3)."})
    evaluated_images: int = field(
        default=200, metadata={"help": "So many held-out images are measured while the model is trained, >= 1."}
    )

    def __post_init__(self):
        if self.evaluated_images < 1:
            raise ValueError(f"evaluated_images must be at least 1, got {self.evaluated_images}")


def main() -> None:
    # 1. Arguments
    groups = {
        "Data": (ImageDataArguments, ImageAugmentation),
        "Images and evaluation": ScriptArguments,
        "Model": GlomoImageConfig,
        "Objective": GlomoImageObjectiveArguments,
        "Training": TrainingArguments,
    }
    command = read_command_line(__file__, __doc__, groups, "glomo-image", {GlomoImageConfig: IMAGE_TASK_FIELDS})
    data_arguments, augmentation, script, sizes, objective_arguments, arguments = command.parts
    set_seed(arguments.seed)
    check_start(arguments)
    config = GlomoImageConfig(**vars(sizes), image_size=script.image_size, num_channels=script.num_channels)

    # 2. Data: images, whose labels are left alone
    data = load_images(data_arguments, config.image_size, config.num_channels)

    # 3. Image processor
    processor = AraeImageProcessor.for_config(config)

    # 4. Model
    model = GlomoImageForPreTraining(config)
    objective = GlomoImageObjective(model, objective_arguments)
    size = f"{config.units_size} x {config.units_size} units"
    print(f"{len(data['train'])} images of {size}, {model.num_parameters() / 1e6:.2f} M parameters")

    # 5. Evaluators
    split = "test" if "test" in data else "validation"
    last = ImageGraphEvaluator(processor, data[split])
    few = data["validation"].take(slice(script.evaluated_images))

    # 6. Training
    trainer = PhaseTrainer(
        model,
        objective,
        arguments,
        ImageArrays(data["train"], processor, augmentation=augmentation),
        processing_class=processor,
        evaluator=ImageGraphEvaluator(processor, few),
    )
    result = trainer.train()
    print(f"trained {result.steps} updates in {result.seconds / 60:.1f} minutes")

    # 7. The test split's numbers (the validation split's, where there is no test split)
    evaluation = last(model)
    if trainer.accelerator.is_main_process:
        print(f"\n{len(data[split])} images of the {split} split:")
        for name, value in evaluation.metrics.items():
            print(f"  {name:18s} {value:8.3f}")
        print("\n".join(draw(model, processor.scale(data[split].pixels[:1]), Path(arguments.output_dir))))
    found = {"graph": sizes.graph} | evaluation.metrics
    trainer.finish(found, command.parts, preset=command.preset, measured_split=measured_split(data))


def draw(model: PreTrainedModel, images: Tensor, folder: Path) -> list[str]:
    """Draws where the centre and the last unit of an image draw from (the first one, of the backward network)."""
    if find_spec("matplotlib") is None:
        return ["(no pictures: matplotlib is not installed)"]
    units, side = model.config.context_length, model.config.units_size
    with torch.no_grad():
        graphs = model.eval().graphs(images.to(model.device))[0]
    centre, names = side // 2 * side + side // 2, []
    for direction, part, end in zip(("forward", "backward"), graphs, (units - 1, 0), strict=True):
        names.append(str(folder / f"graphs_{direction}.png"))
        draw_sources(part, (centre, end), names[-1])
    return names


if __name__ == "__main__":
    run_script(main)
