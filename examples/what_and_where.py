"""What poolings find, and where: Figures 6.2 and 6.3, by stacked what-where autoencoders that learn without labels.

    python examples/what_and_where.py                                  # built-in glyphs, some minutes
    python examples/what_and_where.py --preset what-and-where-mnist --dataset_name PATH_OR_ID
    python examples/what_and_where.py --figures shifts --shift_layers "(16)5c-(32)3c-16p"

The steps: 1 arguments, 2 data, 3 reconstructions by poolings that tell where and by such that do not, and what of one
image with where of another, 4 what and where of images that are moved. Images are not scaled but put on a larger
ground. Each model is a run in a folder of its own below `--output_dir`: what has ended is not trained again, and what
was stopped goes on where it was.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transformers import set_seed

from hf_arae.data.images.augmentation import ImageAugmentation
from hf_arae.data.images.image_arrays import ImageArrays
from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.data.images.loading import ImageDataArguments, load_images, measured_split
from hf_arae.data.images.placing import placed
from hf_arae.evaluation.image_pictures import image_grid
from hf_arae.evaluation.image_pixels import pixel_values, rebuild_images, unit_pixels
from hf_arae.evaluation.image_reconstruction import ImageReconstructionEvaluator
from hf_arae.evaluation.what_where import AXES, exchange_table, respond, shift_numbers, shown_map, tells_where
from hf_arae.evaluation.what_where_pictures import draw_shifts, reconstruction_rows
from hf_arae.metrics.numbers import legend
from hf_arae.metrics.reconstruction_quality import LEAST_SIDE
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.models.swwae.configuration_swwae import SwwaeConfig
from hf_arae.models.swwae.modeling_swwae import SwwaeModel
from hf_arae.models.swwae.objective_swwae import SwwaeObjective, SwwaeObjectiveArguments
from hf_arae.nn.image.layer_strings import PoolLayer
from hf_arae.nn.image.what_where import WHERES
from hf_arae.storage.files import write_json, write_text
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.interruption import time_left
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.tables import markdown_table
from hf_arae.utils.validation import check_number, check_range

FIGURES = ("reconstructions", "shifts")
TITLES = {"none": "upsampling", "switches": "with switches", "phase": "with phases"}
# Flags of a single training that have no meaning here, where each run has its folder and goes on by itself.
NOT_OF_SEVERAL = (
    "num_train_epochs",
    "eval_steps",
    "metric_for_best_model",
    "greater_is_better",
    "early_stopping_patience",
    "resume_from_checkpoint",
    "overwrite_output_dir",
    *TrainingArguments.flag_groups,
)


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    figures: list[str] = field(
        default_factory=lambda: list(FIGURES), metadata={"help": f"These are made: {', '.join(FIGURES)}."}
    )
    image_size: int = field(default=28, metadata={"help": "Images are scaled to this height and width in pixels."})
    ground_size: int = field(
        default=32, metadata={"help": "Images stand in the middle of a black ground of this height and width."}
    )
    num_channels: int = field(default=1, metadata={"help": "Images are grey (1) or in colour (3)."})
    layers: str = field(
        default="(16)5c-(32)3c", metadata={"help": "The models of reconstructions have these layers, and a pooling."}
    )
    poolings: list[int] = field(
        default_factory=lambda: [2, 4, 8, 16],
        metadata={"help": "A model each pools over squares of so many pixels a side."},
    )
    wheres: list[str] = field(
        default_factory=lambda: ["none", "switches", "phase"],
        metadata={"help": f"A model each has poolings that tell where in these ways: {', '.join(WHERES)}."},
    )
    phase_beta: float = field(
        default=5.0, metadata={"help": "How near phases are to the places of the maxima, at least 0."}
    )
    batch_norm: bool = field(default=True, metadata={"help": "Batch norm follows all convolutions but the last."})
    shift_layers: str = field(
        default="(16)5c-2p-(32)5c-16p",
        metadata={"help": "The model whose images are moved has these layers; its poolings tell where by phases."},
    )
    train_shift: int = field(
        default=4, metadata={"help": "It learns from images that are moved by up to so many pixels along either axis."}
    )
    shift: int = field(default=3, metadata={"help": "Held-out images are moved by so many pixels, both ways."})
    shown: int = field(default=8, metadata={"help": "So many held-out images are drawn."})

    def __post_init__(self):
        check_range(self, "[1, inf)", "image_size", "ground_size", "shift", "shown")
        check_range(self, "[0, inf)", "train_shift")
        for name, known in (("figures", FIGURES), ("wheres", WHERES)):
            if unknown := set(getattr(self, name)) - set(known):
                raise ValueError(f"{name} must be among {', '.join(known)}; got {', '.join(sorted(unknown))}")
            if not getattr(self, name):
                raise ValueError(f"{name} must hold at least one value")
        if not self.poolings:
            raise ValueError("poolings must hold at least one value")
        for size in self.poolings:
            check_number("each of poolings", size, "[2, inf)", whole=True)
        if self.ground_size < self.image_size:
            raise ValueError(f"ground_size must be at least image_size, {self.image_size}; got {self.ground_size}")
        if "reconstructions" in self.figures and self.ground_size < LEAST_SIDE:
            raise ValueError(
                f"reconstructions are compared in windows of {LEAST_SIDE} pixels: ground_size must be at least "
                f"that, got {self.ground_size}"
            )
        if "shifts" in self.figures:
            if 2 * self.shift >= self.ground_size + self.image_size:
                raise ValueError(f"shift moves images off their ground of {self.ground_size} pixels: {self.shift}")
            if self.train_shift >= self.ground_size:
                raise ValueError(f"train_shift must be below ground_size, {self.ground_size}; got {self.train_shift}")

    def config(self, layers: str, where: str) -> SwwaeConfig:
        """The config of a model, whose layers end in a pooling."""
        config = SwwaeConfig(
            image_size=self.ground_size,
            num_channels=self.num_channels,
            layers=layers,
            where=where,
            phase_beta=self.phase_beta,
            batch_norm=self.batch_norm,
        )
        if not isinstance(([*config.map_layers, *config.linear_layers])[-1], PoolLayer):
            raise ValueError(f"models of these figures end in a pooling, and {layers!r} does not")
        return config


@dataclass
class Trainer:
    """What all runs have in common.

    Args:
        settings: of the objective.
        arguments: of the training.
        parts: the command line.
        preset: its preset.
        measured: the split that is measured.
    """

    settings: SwwaeObjectiveArguments
    arguments: TrainingArguments
    parts: tuple[Any, ...]
    preset: str | None
    measured: str
    began: float = field(default_factory=time.monotonic)

    def train(
        self, name: str, config: SwwaeConfig, images: LabelledImages, augmentation: ImageAugmentation | None = None
    ) -> tuple[SwwaeModel, PhaseTrainer]:
        """A model that has been trained, now or earlier, in the folder of this name; and its trainer."""
        set_seed(self.arguments.seed)
        model, processor = SwwaeModel(config), AraeImageProcessor.for_config(config)
        arguments = replace(
            self.arguments,
            output_dir=str(Path(self.arguments.output_dir, name)),
            eval_steps=0,
            resume_from_checkpoint="last",
            max_time=time_left(self.arguments.max_time, self.began),
        )
        data = ImageArrays(images, processor, augmentation=augmentation)
        trainer = PhaseTrainer(model, SwwaeObjective(model, self.settings), arguments, data, processor)
        result = trainer.train()
        print(f"{name}: {result.steps} updates in {result.seconds / 60:.1f} minutes", flush=True)
        return model.eval(), trainer

    def finish(self, trainer: PhaseTrainer, numbers: dict[str, Any]) -> None:
        """Writes the report of a run."""
        found = {"family": "swwae"} | numbers
        trainer.finish(found, self.parts, preset=self.preset, measured_split=self.measured)


def main() -> None:
    # 1. Arguments
    groups = {
        "Figures": ScriptArguments,
        "Data": ImageDataArguments,
        "Objective": SwwaeObjectiveArguments,
        "Training": TrainingArguments,
    }
    without = {TrainingArguments: NOT_OF_SEVERAL, SwwaeObjectiveArguments: ("nll_weight", "separate_statistics")}
    command = read_command_line(__file__, __doc__, groups, "what-and-where-glyphs", without)
    script, data_arguments, settings, arguments = command.parts
    settings = replace(settings, nll_weight=0.0)
    if arguments.max_steps <= 0:
        raise ValueError(f"max_steps, the updates of a model, must be above 0; got {arguments.max_steps}")
    for size in script.poolings:
        script.config(f"{script.layers}-{size}p", "none")  # refuses what is wrong before data are read
    shift_config = script.config(script.shift_layers, "phase")
    output_dir = Path(arguments.output_dir)

    # 2. Data
    loaded = load_images(data_arguments, script.image_size, script.num_channels)
    train, test = loaded["train"], loaded["test" if "test" in loaded else "validation"]
    common = Trainer(settings, arguments, command.parts, command.preset, measured_split(loaded))
    output_dir.mkdir(parents=True, exist_ok=True)

    # 3. Reconstructions
    if "reconstructions" in script.figures:
        rows, pictures = reconstructions(script, common, train, test, output_dir)
        table = f"{markdown_table(rows, 2)}\n\n{legend(rows)}"
        print(f"\n{len(test)} held-out images:\n\n{table}\n\n" + "\n".join(map(str, pictures)))
        write_text(output_dir / "reconstructions.md", table + "\n")
        write_json(output_dir / "reconstructions.json", rows)

    # 4. Movements
    if "shifts" in script.figures:
        rows, picture = movements(script, shift_config, common, train, test, output_dir)
        table = f"{markdown_table(rows, 3)}\n\n{legend(rows)}"
        print(f"\n{len(test)} held-out images, moved:\n\n{table}\n\n{picture or 'matplotlib draws the picture'}")
        write_text(output_dir / "shifts.md", table + "\n")
        write_json(output_dir / "shifts.json", rows)


def reconstructions(
    script: ScriptArguments, common: Trainer, train: LabelledImages, test: LabelledImages, output_dir: Path
) -> tuple[list[dict[str, Any]], list[Path]]:
    """Rows of a table, a pooling and a kind of where each; and pictures (thesis, Figure 6.2)."""
    train, test = (placed(images, script.ground_size) for images in (train, test))
    rows, pictures, shown = [], [], {}
    for where in script.wheres:
        for size in script.poolings:
            model, trainer = common.train(
                f"pooling-{size}-{where}", script.config(f"{script.layers}-{size}p", where), train
            )
            numbers = ImageReconstructionEvaluator(trainer.processing_class, test)(model).metrics
            common.finish(trainer, numbers)
            rows.append({"pooling": size, "where": where, **numbers})
            few = pixel_values(test.take(slice(0, script.shown)), trainer.processing_class)
            blocks = shown.setdefault(TITLES[where], [unit_pixels(few, model.config.value_range)])
            blocks.append(unit_pixels(rebuild_images(model, few), model.config.value_range))
            if tells_where(model):
                pictures.append(output_dir / f"what-of-rows-where-of-columns-{size}-{where}.png")
                image_grid(exchange_table(model, few), len(few) + 1, 2).save(pictures[-1])
    without = {row["pooling"]: row for row in rows if row["where"] == "none"}
    for row in rows if without else ():
        row |= {f"{name}_gain": row[name] - without[row["pooling"]][name] for name in ("psnr", "ssim")}
    picture = output_dir / "reconstructions.png"
    reconstruction_rows(shown, script.shown).save(picture)
    return sorted(rows, key=lambda row: row["pooling"]), [picture, *pictures]


def movements(
    script: ScriptArguments,
    config: SwwaeConfig,
    common: Trainer,
    train: LabelledImages,
    test: LabelledImages,
    output_dir: Path,
) -> tuple[list[dict[str, Any]], Path | None]:
    """Rows of a table, a movement each; and the picture (thesis, Figure 6.3)."""
    augmentation = ImageAugmentation(shift_x=script.train_shift, shift_y=script.train_shift)
    model, trainer = common.train("shifts", config, placed(train, script.ground_size), augmentation)

    def responses(across: int, down: int) -> Any:
        moved = placed(test, script.ground_size, across, down)
        return respond(model, pixel_values(moved, trainer.processing_class))

    still = responses(0, 0)
    moved = {
        (axis, pixels): responses(*((pixels, 0) if axis == AXES[0] else (0, pixels)))
        for axis in AXES
        for pixels in (script.shift, -script.shift)
    }
    rows = shift_numbers(model, still, moved)
    names = ("what_r2", "where_pixels", "other_axis_pixels", "right_sign_maps")
    common.finish(trainer, {f"{name}_{row['axis']}_{row['pixels']}": row[name] for row in rows for name in names})
    picture = output_dir / "shifts.png"
    column = shown_map(still, list(moved.values()))
    return rows, picture if draw_shifts(still, moved, column, picture) else None


if __name__ == "__main__":
    run_script(main)
