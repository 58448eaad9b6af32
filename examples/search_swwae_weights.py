"""Trains what-where autoencoders with many weights of reconstruction, and draws how often each is wrong (Figure 6.4).

    python examples/search_swwae_weights.py                                   # built-in glyphs, some minutes
    python examples/search_swwae_weights.py --preset swwae-svhn-weights --dataset_name PATH_OR_ID --num_parallel_runs 2

The steps: 1 arguments, 2 the runs that are not in the table yet, 3 comparison on validation images, 4 picture, 5 test
error of the chosen weights. Each run is one of train_few_labels.py, `--training` names its preset, with one weight,
number of labels and draw of labels; weight 0 is the ConvNet without reconstruction, on the same labels and first
weights, to which all others are compared in pairs. A run that has ended is a line of runs.jsonl in `--output_dir`, and
one that was stopped goes on from its last checkpoint: the same command finishes a search that was killed, and one with
other weights adds to the same table. Runs that diverged count as 100 % wrong. The chosen weight is the best one on
validation images; test errors choose nothing.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import sys
import time
from dataclasses import dataclass, field
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from transformers.utils import logging

from hf_arae.evaluation.weight_search import ERROR, TEST_ERROR, choose_weights, compare_weights, draw_weights
from hf_arae.storage.files import delete, read_json, write_json
from hf_arae.storage.run_files import REPORT_FILE
from hf_arae.training.non_finite import NonFiniteLossError
from hf_arae.training.run_folder import RunFolder
from hf_arae.training.run_table import RunTable, side_by_side
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.digests import digest
from hf_arae.utils.presets import read_preset
from hf_arae.utils.tables import markdown_table
from hf_arae.utils.validation import check_range

TRAIN = Path(__file__).with_name("train_few_labels.py")
RUNS_FILE, TABLE_FILE = "runs.jsonl", "table.json"


@dataclass
class GridArguments:
    """Which runs: all combinations of these."""

    weights: list[float] = field(
        default_factory=lambda: [0.0, 0.01, 0.05, 0.1, 0.4, 0.8],
        metadata={"help": "The error of reconstruction has these weights; 0: a ConvNet alone."},
    )
    labelled_images: list[str] = field(
        default_factory=lambda: ["100"],
        metadata={"help": "So many training images keep their labels, as many of each class; or all of them."},
    )
    seeds: list[int] = field(
        default_factory=lambda: [0, 1, 2, 3, 4],
        metadata={"help": "Labels are drawn with each of these seeds, which decide on first weights and batches too."},
    )
    middle_share: float = field(
        default=1.0, metadata={"help": "The errors of maps weigh so many times what the error of pixels does."}
    )

    def __post_init__(self):
        for name in ("weights", "labelled_images", "seeds"):
            values = list(dict.fromkeys(getattr(self, name)))
            if not values:
                raise ValueError(f"{name} must hold at least one value")
            setattr(self, name, values)
        if not all(math.isfinite(weight) and weight >= 0 for weight in self.weights):
            raise ValueError(f"weights must be finite and not below 0, got {self.weights}")
        if wrong := [one for one in self.labelled_images if one != "all" and not (one.isdecimal() and int(one))]:
            raise ValueError(f"labelled_images must be whole numbers above 0, or all; got {wrong[0]!r}")
        if min(self.seeds) < 0:
            raise ValueError(f"seeds must not be below 0, got {self.seeds}")
        check_range(self, "[0, inf)", "middle_share")

    def runs(self) -> list[dict[str, Any]]:
        """The settings of each run, a draw after another."""
        return [
            {"labelled_images": labels, "weight": weight, "middle_share": self.middle_share, "seed": seed}
            for seed in self.seeds
            for labels in self.labelled_images
            for weight in self.weights
        ]


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    training: str = field(
        default="swwae-glyphs",
        metadata={"help": "The runs have the settings of this preset of train_few_labels.py: a name or a path."},
    )
    dataset_name: str | None = field(
        default=None,
        metadata={
            "help": "A dataset on the Hub (owner/name) or a local folder in the Hub's layout; else as the preset."
        },
    )
    dataset_revision: str | None = field(
        default=None, metadata={"help": "A branch, tag or commit of dataset_name on the Hub; else its newest."}
    )
    max_steps: int | None = field(
        default=None, metadata={"help": "A run has so many updates; else as many as the preset says."}
    )
    output_dir: str = field(
        default="runs/swwae-weights", metadata={"help": "The table of runs and the picture go into this folder."}
    )
    num_parallel_runs: int = field(default=1, metadata={"help": "So many runs go on at once, each on one thread."})
    use_cpu: bool = field(default=False, metadata={"help": "No accelerator is used, even if there is one."})

    def __post_init__(self):
        check_range(self, "[1, inf)", "num_parallel_runs")
        if self.max_steps is not None:
            check_range(self, "[1, inf)", "max_steps")

    def flags(self) -> dict[str, str]:
        """Those of train_few_labels.py that all runs have over its preset."""
        found = {name: getattr(self, name) for name in ("dataset_name", "dataset_revision", "max_steps")}
        return {name: str(value) for name, value in found.items() if value is not None}


# ---------------------------------------------------------------------------------------------------------- one run


@dataclass
class Shared:
    """What all runs have in common."""

    script: ScriptArguments


shared: Shared


def share(what: Shared) -> None:
    """Keeps it for the runs of this process."""
    global shared
    shared = what
    logging.set_verbosity_error()


def train(run: dict[str, Any]) -> tuple[dict[str, Any], None]:
    """One run's numbers: a training by train_few_labels.py, which goes on where an earlier one was stopped."""
    script = shared.script
    folder = folder_of(run, script)
    flags = {"preset": script.training} | script.flags()
    flags |= {"labelled_images": run["labelled_images"], "seed": run["seed"], "reconstruction_weight": run["weight"]}
    flags |= {"middle_weight": run["weight"] * run["middle_share"], "output_dir": folder, "use_cpu": script.use_cpu}
    flags |= {"resume_from_checkpoint": "last", "report_to": "none", "disable_tqdm": "true"}
    began, arguments, found = time.perf_counter(), sys.argv, {}
    sys.argv = [str(TRAIN), *(f"--{name}={value}" for name, value in flags.items())]
    names = ("classification_error", "calibration_error")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            train_few_labels().main()
        report = read_json(folder / REPORT_FILE)
        found = {f"validation_{name}": report[f"validation_{name}"] for name in names}
        found |= {name: report[name] for name in names if report["measured_split"] == "test"}
    except NonFiniteLossError:
        found = {"diverged": True, ERROR: 100.0, TEST_ERROR: 100.0}
    except ValueError as error:
        raise ValueError(f"a run of {TRAIN.name} --preset {script.training} could not be made: {error}") from error
    finally:
        sys.argv = arguments
    found["seconds"] = time.perf_counter() - began
    return run | found, None


@cache
def train_few_labels() -> ModuleType:
    """The script, as a module."""
    spec = spec_from_file_location(TRAIN.stem, TRAIN)
    sys.modules[TRAIN.stem] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def folder_of(run: dict[str, Any], script: ScriptArguments) -> Path:
    """Where a run is while it is trained."""
    return Path(script.output_dir) / f"run-{digest(json.dumps(run, sort_keys=True).encode())}"


def main() -> None:
    # 1. Arguments
    groups = {"Grid": GridArguments, "Runs": ScriptArguments}
    grid, script = read_command_line(__file__, __doc__, groups, "swwae-glyphs-weights").parts
    settings = read_preset(script.training, TRAIN)
    if settings.get("family") != "swwae":
        raise ValueError(f"training names the preset {script.training}, which is not of the family swwae")
    output_dir = Path(script.output_dir)
    trained_with = json.dumps(settings | script.flags() | {"output_dir": ""}, sort_keys=True)
    wanted = [run | {"trained_with": digest(trained_with.encode())} for run in grid.runs()]

    # 2. The runs
    with RunFolder(output_dir, True):
        table, what = RunTable(output_dir / RUNS_FILE, wanted[0]), Shared(script)
        for run in wanted:
            if run in table and folder_of(run, script).exists():  # of a search that was killed at that moment
                delete(folder_of(run, script))
        ended = table.fill(wanted, lambda runs: side_by_side(train, runs, script.num_parallel_runs, share, what))
        for run, _ in ended:
            delete(folder_of({name: run[name] for name in wanted[0]}, script))
            print(f"{run['labelled_images']} labels, weight {run['weight']:g}, seed {run['seed']}: {run[ERROR]:.2f} %")
        found = [table[run] for run in wanted]

    # 3. Comparison
    rows = compare_weights(found)
    print("\nErrors on validation images (%), and paired differences from weight 0; 95 % intervals over draws:\n")
    print(markdown_table([shown(row, ERROR) for row in rows], 2))

    # 4. Picture
    picture = output_dir / "weights.png"
    if draw_weights(rows, picture):
        print(f"\n{picture}")

    # 5. Test error, of what was chosen on validation images
    chosen = choose_weights(found)
    for row in chosen:
        if row["validation_error"] >= row.get("validation_error_alone", 100):
            print(f"\nWith {row['labelled_images']} labels no weight is better on validation images than 0 is.")
    write_json(output_dir / TABLE_FILE, {"weights": rows, "chosen": chosen})
    tested = [row for row in chosen if TEST_ERROR in row]
    if tested:
        print("\nTest errors (%) of the weights that were chosen on validation images:\n")
        print(markdown_table([shown(row, TEST_ERROR) for row in tested], 2))


def shown(row: dict[str, Any], number: str) -> dict[str, Any]:
    """A row for people."""

    def with_interval(name: str) -> str:
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        return f"{row[name]:.2f}" + ("" if low is None else f" ({low:.2f} to {high:.2f})")

    found = {"labels": row["labelled_images"], "weight": f"{row['weight']:g}", "draws": row["draws"]}
    found["error"] = with_interval(number)
    if "error_alone" in row:
        found["error of weight 0"] = row["error_alone"]
    if "error_difference" in row:
        found["difference from weight 0"] = with_interval("error_difference")
    return found


if __name__ == "__main__":
    run_script(main)
