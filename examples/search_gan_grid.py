"""Trains EBGANs and GANs over a grid of architectures and optimizers, and draws how good they came out.

    python examples/search_gan_grid.py --dataset_name PATH_OR_ID --sample 100        # of 512 EBGANs and 6 144 GANs
    python examples/search_gan_grid.py --preset gan-grid-reduced --dataset_name PATH_OR_ID --num_parallel_runs 2
    python examples/search_gan_grid.py --preset ebgan-margins --dataset_name PATH_OR_ID

The steps: 1 arguments, 2 data, 3 a judge, 4 the runs that are not in the table yet, 5 comparison, 6 pictures. Each run
is a line of runs.jsonl in `--output_dir`, so a search that was stopped goes on where it was, and one with other flags
adds to the same table. What is compared and drawn are the runs that the flags name, by I' (thesis, section 3.4) of a
classifier that is trained here; those that diverged count as 0. Of a run only its numbers are kept.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from transformers import set_seed
from transformers.utils import logging

from hf_arae.data.images.image_arrays import ImageArrays
from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.data.images.loading import ImageDataArguments, load_images
from hf_arae.evaluation.gan_grid import by_depth, by_margin, by_optimization, compare, draw_histograms, name_of
from hf_arae.evaluation.image_generation import judge_samples
from hf_arae.evaluation.image_judge import ImageJudge, Readings, judge_for
from hf_arae.evaluation.image_pictures import image_grid
from hf_arae.evaluation.image_pixels import new_images, to_bytes
from hf_arae.models.ebgan.configuration_ebgan import EbganConfig
from hf_arae.models.ebgan.modeling_ebgan import EbganModel
from hf_arae.models.ebgan.objective_ebgan import EbganObjective, EbganObjectiveArguments
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.storage.files import delete
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.non_finite import NonFiniteLossError
from hf_arae.training.objective import OPTIMIZERS
from hf_arae.training.run_folder import RunFolder
from hf_arae.training.run_table import RunTable, side_by_side
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.tables import markdown_table

GAMES = ("ebgan", "gan")
RUNS_FILE = "runs.jsonl"
_DRAWN = 10  # samples of a run that are drawn


@dataclass
class GridArguments:
    """Which runs: all combinations of these."""

    games: list[str] = field(
        default_factory=lambda: list(GAMES), metadata={"help": "Models of these games are trained: ebgan, gan."}
    )
    generator_depths: list[int] = field(
        default_factory=lambda: [2, 3, 4, 5], metadata={"help": "The generator has so many layers, the last included."}
    )
    discriminator_depths: list[int] = field(
        default_factory=lambda: [2, 3, 4, 5],
        metadata={"help": "The discriminator has so many layers, of which the decoder, or the critic's last, is one."},
    )
    generator_sizes: list[int] = field(
        default_factory=lambda: [400, 800, 1600, 3200], metadata={"help": "The generator's layers have so many units."}
    )
    discriminator_sizes: list[int] = field(
        default_factory=lambda: [128, 256, 512, 1024],
        metadata={"help": "The discriminator's layers have so many units."},
    )
    dropouts: list[float] = field(
        default_factory=lambda: [0.0, 0.5], metadata={"help": "The discriminator has dropout of this rate."}
    )
    ebgan_optimization: list[str] = field(
        default_factory=lambda: ["adam/adam/0.001"],
        metadata={"help": "EBGANs are updated so: the discriminator's optimizer, the generator's, and the rate."},
    )
    gan_optimization: list[str] = field(
        default_factory=lambda: [
            f"{one}/{other}/{rate}" for one, other, rate in product(OPTIMIZERS, OPTIMIZERS, (0.01, 0.001, 0.0001))
        ],
        metadata={"help": "GANs are updated so: the discriminator's optimizer, the generator's, and the rate."},
    )
    beta1s: list[float] = field(
        default_factory=lambda: [0.9],
        metadata={"help": "Adam's decay of the mean gradient, for both players; runs without Adam have none."},
    )
    margins: list[float] = field(default_factory=lambda: [10.0], metadata={"help": "EBGANs have this margin."})
    pulling_away_weights: list[float] = field(
        default_factory=lambda: [0.0], metadata={"help": "The pulling-away term has this weight in EBGANs; 0: none."}
    )
    training_seeds: list[int] = field(
        default_factory=lambda: [0], metadata={"help": "Each run is made once with each of these seeds."}
    )
    sample: int = field(
        default=0,
        metadata={"help": "So many of all runs are made, drawn by the seed; more of a seed hold the fewer. 0: all."},
    )
    seed: int = field(default=0, metadata={"help": "This number decides which runs are drawn."})

    def __post_init__(self):
        for name in ("generator_depths", "discriminator_depths"):
            if min(getattr(self, name), default=0) < 2:
                raise ValueError(f"{name} must be numbers of at least 2, got {getattr(self, name)}")
        for name in (*self.axes(), "games", "margins", "pulling_away_weights"):
            if not getattr(self, name):
                raise ValueError(f"{name} must hold at least one value")
        if unknown := set(self.games) - set(GAMES):
            raise ValueError(f"games must be among {', '.join(GAMES)}, got {', '.join(sorted(unknown))}")
        for text in (*self.ebgan_optimization, *self.gan_optimization):
            parts = text.split("/")
            if len(parts) != 3 or not set(parts[:2]) <= set(OPTIMIZERS):
                known = ", ".join(OPTIMIZERS)
                raise ValueError(f"an optimization is two of {known} and a rate, such as adam/sgd/0.001; got {text!r}")
            float(parts[2])

    @staticmethod
    def axes() -> tuple[str, ...]:
        """The fields that runs of either game combine."""
        return (
            "generator_depths",
            "generator_sizes",
            "discriminator_depths",
            "discriminator_sizes",
            "dropouts",
            "beta1s",
            "training_seeds",
        )

    def runs(self) -> list[dict[str, Any]]:
        """The settings of each run; the EBGANs first, unless they are drawn."""
        found = [run for game in self.games for run in self._of_game(game)]
        if not self.sample:
            return found
        order = np.random.default_rng(self.seed).permutation(len(found))
        return [found[place] for place in order[: self.sample]]

    def _of_game(self, game: str) -> Iterator[dict[str, Any]]:
        ebgan = game == "ebgan"
        updates = self.ebgan_optimization if ebgan else self.gan_optimization
        more = product(self.margins, self.pulling_away_weights) if ebgan else [(None, None)]
        names = [name.removesuffix("s").removeprefix("training_") for name in self.axes()]
        for update, (margin, weight), values in product(
            updates, list(more), product(*(getattr(self, name) for name in self.axes()))
        ):
            one, other, rate = update.split("/")
            chosen = dict(zip(names, values, strict=True))
            if "adam" not in (one, other):
                if chosen["beta1"] != self.beta1s[0]:
                    continue  # the same run again
                chosen["beta1"] = None
            yield {
                "game": game,
                **chosen,
                "discriminator_optimizer": one,
                "generator_optimizer": other,
                "learning_rate": float(rate),
                "margin": margin,
                "pulling_away_weight": weight,
            }


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    output_dir: str = field(
        default="runs/gan-grid", metadata={"help": "The table of runs and the pictures go into this folder."}
    )
    judge_dir: str = field(
        default="runs/judges", metadata={"help": "The judge of each set of images is kept in this folder."}
    )
    num_train_epochs: float = field(default=20.0, metadata={"help": "A run passes over the images so many times."})
    per_device_train_batch_size: int = field(default=128, metadata={"help": "An update has so many images."})
    num_samples: int = field(default=5000, metadata={"help": "So many new images of each run are measured."})
    num_parallel_runs: int = field(default=1, metadata={"help": "So many runs go on at once, each on one thread."})
    draw_samples: bool = field(default=False, metadata={"help": "New images of the runs are drawn, a row a run."})
    use_cpu: bool = field(default=False, metadata={"help": "No accelerator is used, even if there is one."})
    image_size: int = field(default=28, metadata={"help": "Images are scaled to this height and width in pixels."})
    num_channels: int = field(default=1, metadata={"help": "Images are grey (1) or in colour (3)."})

    def __post_init__(self):
        if min(self.num_parallel_runs, self.num_samples - 5, self.per_device_train_batch_size) < 1:
            raise ValueError("num_parallel_runs and per_device_train_batch_size must be at least 1, and num_samples 6")


# ---------------------------------------------------------------------------------------------------------- one run


@dataclass
class Shared:
    """What all runs of a process have in common."""

    train: LabelledImages
    judge: ImageJudge
    real: Readings
    script: ScriptArguments


shared: Shared


def share(what: Shared) -> None:
    """Keeps it for the runs of this process."""
    global shared
    shared = what
    logging.set_verbosity_error()


def made_of(run: dict[str, Any], script: ScriptArguments) -> tuple[EbganConfig, EbganObjectiveArguments]:
    """A run's networks and objective.

    Raises:
        ValueError: a size or a setting is none.
    """
    depth = {name: run[f"{name}_depth"] - 1 for name in ("generator", "discriminator")}
    names = ("discriminator_optimizer", "generator_optimizer", "beta1", "margin", "pulling_away_weight")
    settings = EbganObjectiveArguments(
        game=run["game"],
        **{name: run[name] for name in names if run[name] is not None},
        **{f"{name}_learning_rate": run["learning_rate"] for name in depth},
    )
    config = EbganConfig(
        image_size=script.image_size,
        num_channels=script.num_channels,
        discriminator=settings.discriminator,
        dropout=run["dropout"],
        **{f"{name}_layers": "-".join([str(run[f"{name}_size"])] * count) for name, count in depth.items()},
    )
    return config, settings


def train(run: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray | None]:
    """One run's numbers, and some of its new images as bytes; of one that diverged only that."""
    script, began = shared.script, time.perf_counter()
    set_seed(run["seed"])
    config, settings = made_of(run, script)
    model = EbganModel(config)
    with tempfile.TemporaryDirectory(prefix=".run-", dir=script.output_dir) as place:
        arguments = TrainingArguments(
            output_dir=place,
            num_train_epochs=script.num_train_epochs,
            per_device_train_batch_size=script.per_device_train_batch_size,
            seed=run["seed"],
            use_cpu=script.use_cpu,
            logging_steps=10**9,
            eval_steps=0,
            save_steps=0,
            report_to=[],
            disable_tqdm=True,
        )
        data = ImageArrays(shared.train, AraeImageProcessor.for_config(config))
        # What the loop says at a stop, of going on from a checkpoint, is not for a run whose folder goes.
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                PhaseTrainer(model, EbganObjective(model, settings), arguments, data).train()
        except NonFiniteLossError:
            return {**run, "diverged": True, "i_prime": 0.0, "seconds": time.perf_counter() - began}, None
    samples = new_images(model.eval(), script.num_samples, seed=0)
    if not samples.isfinite().all():
        return {**run, "diverged": True, "i_prime": 0.0, "seconds": time.perf_counter() - began}, None
    numbers = judge_samples(shared.judge.read(samples), shared.real)
    return {**run, **numbers, "seconds": time.perf_counter() - began}, to_bytes(samples[:_DRAWN])


def main() -> None:
    # 1. Arguments
    groups = {"Grid": GridArguments, "Runs": ScriptArguments, "Data": ImageDataArguments}
    grid, script, data_arguments = read_command_line(__file__, __doc__, groups, "gan-grid").parts
    output_dir = Path(script.output_dir)
    wanted = grid.runs()
    for run in wanted:
        made_of(run, script)  # what is wrong in one of them is said now
    print(f"{len(wanted)} runs: {sum(run['game'] == 'ebgan' for run in wanted)} EBGANs, the others GANs")

    # 2. Data
    data = load_images(data_arguments, script.image_size, script.num_channels)
    test = data["test" if "test" in data else "validation"]
    common = {
        "num_train_epochs": script.num_train_epochs,
        "batch_size": script.per_device_train_batch_size,
        "num_samples": script.num_samples,
        "data": data["train"].digest(),
    }
    wanted = [run | common for run in wanted]

    # 3. Judge
    judge = judge_for(
        data, AraeImageProcessor(size=script.image_size, num_channels=script.num_channels), script.judge_dir
    )
    if judge is None:
        raise ValueError("runs are compared by what a judge sees, and the images have no labels to train one on")
    real = judge.read(test.pixels)
    numbers = judge_samples(judge.read(data["train"].pixels[: script.num_samples]), real)
    print(f"The judge is right about {judge.accuracy:.1f} % of held-out images.")
    print(f"Training images have I' {numbers['i_prime']:.2f}, Frechet distance {numbers['frechet_distance']:.2f}.")

    # 4. The runs
    with RunFolder(output_dir, True):
        for left in output_dir.glob(".run-*"):  # of a search that was killed
            delete(left)
        table, pictures = RunTable(output_dir / RUNS_FILE, wanted[0]), output_dir / "samples"
        what = Shared(data["train"], judge, real, script)
        ended = table.fill(wanted, lambda runs: side_by_side(train, runs, script.num_parallel_runs, share, what))
        for run, samples in ended:
            if script.draw_samples and samples is not None:
                pictures.mkdir(exist_ok=True)
                image_grid(samples, _DRAWN).save(pictures / f"{name_of(run)}.png")
        found = [table[run] for run in wanted]

    # 5. Comparison
    for beta in grid.beta1s:
        own = [run for run in found if run["beta1"] in (beta, None)]
        print(f"\nbeta1 {beta:g}; differences of medians of I' with their 95 % bootstrap intervals:\n")
        print(markdown_table(compare(own), 2))
        # 6. Pictures
        for name, panels in (("depth", by_depth(own)), ("optimizer", by_optimization(own))):
            picture = output_dir / f"histograms-by-{name}-beta1-{beta:g}.png"
            if len(panels) > 1 and draw_histograms(panels, picture):
                print(picture)
    margins = by_margin(found)
    if len({row["margin"] for row in margins}) > 1:
        print(f"\nBy margin:\n\n{markdown_table(margins, 2)}")
        strips = [pictures / f"{row['run']}.png" for row in margins]
        if strips := [np.asarray(Image.open(path)) for path in strips if path.is_file()]:
            Image.fromarray(np.concatenate(strips)).save(output_dir / "samples-by-margin.png")
            print(output_dir / "samples-by-margin.png")


if __name__ == "__main__":
    run_script(main)
