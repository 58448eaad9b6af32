"""Images a second of a training step of what-where autoencoders, beside the same ConvNet without a decoder.

    python tests/benchmarks/swwae_step.py --threads 1 2 --output swwae_step.json
    python tests/benchmarks/swwae_step.py --rounds 1 --width_multiplier 0.05     # tries the script itself

A step is the forward and backward pass of `SwwaeObjective` and Adam's update, of the network for house numbers: 64
images with labels and 64 without, of which the ConvNet learns as 128 with labels. All variants are timed in turn, one
step each, so that a machine whose speed drifts favours none; medians, and ratios to the ConvNet of the same row.
"""

from __future__ import annotations

import json
import statistics
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import torch

from hf_arae.models.swwae.configuration_swwae import SwwaeConfig
from hf_arae.models.swwae.modeling_swwae import SwwaeForImageClassification
from hf_arae.models.swwae.objective_swwae import SwwaeObjective, SwwaeObjectiveArguments
from hf_arae.training.allocator import keep_freed_memory

LAYERS = "(128)5c-2p-(128)3c-(256)3c-(256)3c-2p-(256)3c-2p-fc"
SIZE, CHANNELS, LABELS = 32, 3, 10
NETWORKS = ("convnet", "switches", "phase", "none")
PRECISIONS = ("float32", "bfloat16")
WARMING = 2  # rounds that are not counted


def step_of(network: str, precision: str, channels_last: bool, arguments: Namespace) -> Callable[[], None]:
    """A function that makes one update."""
    torch.manual_seed(0)
    config = SwwaeConfig(
        image_size=SIZE,
        num_channels=CHANNELS,
        layers=LAYERS,
        where="switches" if network == "convnet" else network,
        width_multiplier=arguments.width_multiplier,
        num_labels=LABELS,
    )
    device = arguments.device
    model = SwwaeForImageClassification(config).to(device).train()
    weight = 0.0 if network == "convnet" else 0.05
    settings = SwwaeObjectiveArguments(reconstruction_weight=weight, middle_weight=weight)
    objective = SwwaeObjective(model, settings)
    objective.begin_iteration(0, 1)
    images = torch.rand(arguments.images, CHANNELS, SIZE, SIZE, device=device)
    labels = torch.randint(LABELS, (arguments.images,), device=device)
    if channels_last:
        model, images = model.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    labelled = arguments.images if network == "convnet" else arguments.images // 2
    batch = {
        "labelled_pixel_values": images[:labelled],
        "labels": labels[:labelled],
        "pixel_values": images[labelled:],
    }
    batch = {name: value for name, value in batch.items() if len(value)}
    used = [parameter for name in objective.players["model"] for parameter in getattr(model, name).parameters()]
    adam = torch.optim.Adam(used)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            loss = objective.learn(batch)["loss"]
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()

    return step


def measure(arguments: Namespace) -> list[dict[str, Any]]:
    """A row for each number of threads, precision, layout and network."""
    rows = []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        variants = list(product(arguments.precisions, (False, True), NETWORKS))
        steps = {one: step_of(one[2], one[0], one[1], arguments) for one in variants}
        times: dict[tuple, list[float]] = {one: [] for one in variants}
        for number in range(arguments.rounds + WARMING):
            for one, step in steps.items():
                began = time.perf_counter()
                step()
                if arguments.device == "cuda":
                    torch.cuda.synchronize()
                if number >= WARMING:
                    times[one].append(time.perf_counter() - began)
        for precision, channels_last, network in variants:
            own, convnet = (times[precision, channels_last, name] for name in (network, "convnet"))
            rows.append(
                {
                    "threads": threads,
                    "precision": precision,
                    "channels_last": channels_last,
                    "network": network,
                    "images_per_second": arguments.images / statistics.median(own),
                    "ratio_to_convnet": statistics.median(a / b for a, b in zip(convnet, own, strict=True)),
                }
            )
    return rows


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--images", type=int, default=128, help="of a step")
    parser.add_argument("--width_multiplier", type=float, default=0.25)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--output", type=Path, help="a file for the numbers, JSON")
    arguments = parser.parse_args()
    keep_freed_memory()
    rows = measure(arguments)
    print("| threads | precision | channels last | network | images/s | of the ConvNet's |")
    print("| --: | --- | --- | --- | --: | --: |")
    for row in rows:
        layout = "yes" if row["channels_last"] else "no"
        texts = (row["threads"], row["precision"], layout, row["network"])
        numbers = (f"{row['images_per_second']:.0f}", f"{row['ratio_to_convnet']:.2f}")
        print(f"| {' | '.join(map(str, (*texts, *numbers)))} |")
    if arguments.output:
        settings = {name: value for name, value in vars(arguments).items() if name != "output"}
        hardware = torch.cuda.get_device_name() if arguments.device == "cuda" else "CPU"
        result = {"hardware": hardware, "torch": torch.__version__, "settings": settings, "rows": rows}
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
