"""Many ladders at once: the seeds and settings of a table of few labels, side by side in one stacked model on a GPU.

    python tests/benchmarks/few_labels_seeds.py --dataset_name DATA/mnist --labels 100 1000 --seeds 10 5 \
        --denoising_costs 5000 2000 --output few_labels.json
    python tests/benchmarks/few_labels_seeds.py --seeds 2 --max_steps 20 --device cpu       # tries the script itself

A ladder's update is some 900 kernels of a few microseconds, so one training leaves a GPU idle, and thirty of them, as
one model whose every tensor has a dimension more, take hardly longer than one. Model, losses, optimizers and schedule
are those of `examples/train_few_labels.py`: the phases of `EbganLadderObjective`, under `torch.func.vmap`. An update
is a CUDA graph. What differs are the random numbers, and that batch norm's statistics for evaluation are counted
after the training, over all training images.

For each seed there is one ladder and, for each pair of `--adversarial_weights` and `--margins`, one EBGAN-LN with the
same first weights of the ladder, the same labels and the same order of the images: differences are paired. Several
numbers of labels are trained together too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from tqdm import tqdm

from hf_arae.data.images.image_arrays import draw_labels
from hf_arae.data.images.labelled_images import LabelledImages
from hf_arae.data.images.loading import ImageDataArguments, load_images
from hf_arae.models.ebgan.configuration_ebgan import EbganConfig
from hf_arae.models.ebgan.modeling_ebgan import EbganForImageClassification
from hf_arae.models.ebgan.objective_ladder import EbganLadderObjective, EbganLadderObjectiveArguments
from hf_arae.nn.batch_norm import still_statistics

LAYERS, GENERATOR = "1000-500-250-250-250", "800-800"
BATCH = 100  # unlabelled images an update, and as many labelled ones
SIZE = 28
SETTINGS = ("labels", "name", "denoising_cost", "adversarial_weight", "margin")


class Margin:
    """The margin of one replica, a number on the device: above 0, without asking the device whether it is."""

    def __init__(self, value: Tensor):
        self.value = value

    def __gt__(self, other: float) -> bool:
        return True

    def __sub__(self, energies: Tensor) -> Tensor:
        return self.value - energies


class PhaseLoss(nn.Module):
    """A phase's loss as a module, whose parameters can then be another replica's."""

    def __init__(self, objective: EbganLadderObjective, phase: str, alone: bool = False):
        super().__init__()
        self.model, self.objective, self.phase, self.alone = objective.model, [objective], phase, alone

    def forward(self, batch: dict[str, Tensor], replica: dict[str, Tensor]) -> Tensor:
        objective = self.objective[0]
        objective.settings = SimpleNamespace(
            denoising_cost=[replica["denoising_cost"]], adversarial_weight=replica["adversarial_weight"]
        )
        objective.margin = lambda: 0.0 if self.alone else Margin(replica["margin"])
        with still_statistics(self.model):
            return getattr(objective, self.phase)(batch)["loss"]


class Player:
    """A player's stacked parameters, their optimizer, and the update."""

    def __init__(self, loss: PhaseLoss, params: dict[str, Tensor], part: str, rate: float, betas: tuple[float, float]):
        self.own = [name for name in params if name.startswith(f"model.{part}.")]
        device = params[self.own[0]].device
        self.rate = torch.tensor(rate, device=device)
        self.optimizer = torch.optim.Adam(
            [params[name] for name in self.own],
            self.rate if device.type == "cuda" else rate,
            betas,
            fused=True,
            capturable=device.type == "cuda",
        )
        self.loss, self.params = loss, params

    def update(self, buffers: dict[str, Tensor], batch: dict[str, Tensor], replicas: dict[str, Tensor]) -> Tensor:
        own = {name: self.params[name] for name in self.own}
        rest = {name: value for name, value in self.params.items() if name not in own}

        def of_one(mine, others, buffers, batch, replica):
            return functional_call(self.loss, (mine | others, buffers), (batch, replica))

        gradients, losses = vmap(grad_and_value(of_one), randomness="different")(own, rest, buffers, batch, replicas)
        for name, value in own.items():
            value.grad = gradients[name]
        self.optimizer.step()
        return losses

    def set_rate(self, rate: float) -> None:
        self.rate.fill_(rate)
        if self.rate.device.type != "cuda":
            self.optimizer.param_groups[0]["lr"] = rate


def replicas_of(arguments: argparse.Namespace) -> list[dict]:
    """Name, seed and settings of each replica, those of one seed side by side."""
    replicas = []
    for labels, seeds, cost in zip(arguments.labels, arguments.seeds, arguments.denoising_costs, strict=True):
        settings = [{"name": "ladder", "adversarial_weight": 0.0, "margin": 1.0}]
        settings += [
            {"name": "EBGAN-LN", "adversarial_weight": weight * cost, "margin": margin}
            for weight in arguments.adversarial_weights
            for margin in arguments.margins
        ]
        shared = {"labels": labels, "denoising_cost": float(cost)}
        replicas += [{**shared, "seed": seed, **one} for seed in range(seeds) for one in settings]
    return replicas


def build(seed: int, labels: list[str], device: str) -> EbganForImageClassification:
    """A ladder and a generator; the ladder's first weights are those that it has without one."""
    torch.manual_seed(seed)
    names = dict(enumerate(labels))
    config = EbganConfig(
        backbone="ladder",
        image_size=SIZE,
        generator_layers=GENERATOR,
        discriminator_layers=LAYERS,
        num_labels=len(names),
        id2label=names,
    )
    return EbganForImageClassification(config).to(device).train()


def falling(step: int, steps: int, constant: float = 2 / 3) -> float:
    """The schedule constant_then_linear, as a factor."""
    return min(1.0, (1 - step / steps) / (1 - constant))


class Orders:
    """Which images replicas take: passes in orders by the seed, alike for replicas of one seed.

    Args:
        seeds: of the replicas.
        rows: the images of each, as many for all of them.
    """

    def __init__(self, seeds: list[int], rows: list[Tensor]):
        device = rows[0].device
        self.sources = {seed: torch.Generator(device).manual_seed(1_000 + seed) for seed in set(seeds)}
        self.seeds, self.rows, self.left = seeds, rows, rows[0].new_empty(len(rows), 0)

    def next(self, count: int) -> Tensor:
        """`(replicas, count)`."""
        while self.left.shape[1] < count:
            size = len(self.rows[0])
            orders = {s: torch.randperm(size, generator=g, device=g.device) for s, g in self.sources.items()}
            order = torch.stack([rows[orders[s]] for s, rows in zip(self.seeds, self.rows, strict=True)])
            self.left = torch.cat([self.left, order], 1)
        taken, self.left = self.left[:, :count], self.left[:, count:]
        return taken


def train(arguments: argparse.Namespace, images: LabelledImages, replicas: list[dict]) -> list[dict[str, Tensor]]:
    """The state of each replica after the training."""
    device, steps = arguments.device, arguments.max_steps
    pixels = torch.from_numpy(images.pixels).to(device).permute(0, 3, 1, 2).float().div_(255)
    labels = torch.from_numpy(images.labels).to(device)
    models = [build(one["seed"], images.label_names, device) for one in replicas]
    params, buffers = (
        {f"model.{name}": value.detach() for name, value in state.items()} for state in stack_module_state(models)
    )
    base, seeds = models[0], [one["seed"] for one in replicas]
    del models
    objective = EbganLadderObjective(base, EbganLadderObjectiveArguments(adversarial_weight=1.0))
    objective.randn, objective.step = torch.randn_like, 1  # numbers under vmap; 1: no running statistics
    base.check_first_batch(pixels[:BATCH])  # here, since values cannot be looked at under vmap
    rates = {"ladder": 0.002, "generator": 1e-3}
    against = Player(PhaseLoss(objective, "discriminate"), params, "ladder", rates["ladder"], (0.9, 0.999))
    alone = Player(PhaseLoss(objective, "discriminate", alone=True), params, "ladder", rates["ladder"], (0.9, 0.999))
    alone.optimizer, alone.rate = against.optimizer, against.rate
    generator = Player(PhaseLoss(objective, "generate"), params, "generator", rates["generator"], (0.5, 0.999))
    settings = {
        name: torch.tensor([float(one[name]) for one in replicas], device=device)
        for name in ("adversarial_weight", "margin", "denoising_cost")
    }
    first_margins = settings["margin"].clone()
    everything = torch.arange(len(pixels), device=device)
    unlabelled = Orders(seeds, [everything] * len(seeds))
    labelled = []
    for count in arguments.labels:
        own = [one["seed"] for one in replicas if one["labels"] == count]
        drawn = [torch.from_numpy(draw_labels(images.labels, count, seed)).to(device) for seed in own]
        labelled.append(Orders(own, drawn))
    rows, known = (torch.empty(len(seeds), BATCH, dtype=torch.long, device=device) for _ in range(2))
    adversarial = any(one["adversarial_weight"] for one in replicas)
    stop = int(arguments.margin_share * steps) if adversarial else 0

    def batch() -> dict[str, Tensor]:
        return {"pixel_values": pixels[rows], "labelled_pixel_values": pixels[known], "labels": labels[known]}

    def play() -> Tensor:
        taken = batch()
        losses = against.update(buffers, taken, settings)
        generator.update(buffers, taken, settings)
        return losses

    def learn_alone() -> Tensor:
        return alone.update(buffers, batch(), settings)

    graphs: dict = {}

    def run(work) -> Tensor:
        """Calls it a few times, then as a graph."""
        if device != "cuda" or arguments.no_graph:
            return work()
        calls, graph, losses = graphs.setdefault(work, [0, None, None])
        if calls < 3:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                losses = work()
            torch.cuda.current_stream().wait_stream(side)
            graphs[work] = [calls + 1, None, losses]
            return losses
        if graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                losses = work()
            graphs[work] = [calls, graph, losses]
        graph.replay()
        return losses

    torch.manual_seed(0)
    began = time.perf_counter()
    for step in tqdm(range(steps), mininterval=5, disable=arguments.quiet):
        rows.copy_(unlabelled.next(BATCH))
        known.copy_(torch.cat([one.next(BATCH) for one in labelled]))
        against.set_rate(rates["ladder"] * falling(step, steps))
        settings["margin"].copy_(first_margins * max(0.0, 1 - step / max(stop, 1)))
        losses = run(play if step < stop else learn_alone)
        if step % 1000 == 0 and not losses.isfinite().all():
            raise SystemExit(f"a loss is not finite at step {step}: {losses.tolist()}")
    if device == "cuda":
        torch.cuda.synchronize()
    print(f"{steps} updates of {len(replicas)} in {time.perf_counter() - began:.1f} s", flush=True)
    return [
        {name.removeprefix("model."): value[row] for name, value in (params | buffers).items()}
        for row in range(len(replicas))
    ]


@torch.no_grad()
def measure(state: dict[str, Tensor], model, train: LabelledImages, test: LabelledImages, device: str) -> dict:
    """Error in % on the test images, after batch norm's statistics were counted over the training images."""
    model.load_state_dict(state)
    model.train()

    def tensors(images: LabelledImages, rows: slice) -> Tensor:
        return torch.from_numpy(images.pixels[rows]).to(device).permute(0, 3, 1, 2).float() / 255

    for number, start in enumerate(range(0, len(train), 2000)):
        model.ladder.track(tensors(train, slice(start, start + 2000)).flatten(1), 1 / (number + 1))
    model.eval()
    logits = torch.cat([model(tensors(test, slice(s, s + 2000))).logits for s in range(0, len(test), 2000)])
    wrong = logits.argmax(1).cpu().numpy() != test.labels
    return {"error": 100 * float(wrong.mean())}


def summary(found: list[dict]) -> list[dict]:
    """Mean, deviation and paired difference of each setting."""
    base = {(one["labels"], one["seed"]): one["error"] for one in found if one["name"] == "ladder"}
    groups: dict[tuple, list[dict]] = {}
    for one in found:
        groups.setdefault(tuple(one[name] for name in SETTINGS), []).append(one)
    rows = []
    for values, own in groups.items():
        errors = [one["error"] for one in own]
        row = dict(zip(SETTINGS, values, strict=True)) | {"seeds": len(own), "error": statistics.mean(errors)}
        row |= {"std": statistics.stdev(errors) if len(own) > 1 else None}
        if row["name"] != "ladder":
            pairs = np.array([one["error"] - base[one["labels"], one["seed"]] for one in own])
            draws = np.random.default_rng(0).choice(pairs, (10_000, len(pairs))).mean(1)
            low, high = np.percentile(draws, (2.5, 97.5))
            row |= {"difference": float(pairs.mean()), "low": float(low), "high": float(high)}
        rows.append({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset_name", help="Images with labels, as examples/train_few_labels.py takes them.")
    parser.add_argument("--labels", type=int, nargs="+", default=[100], help="Numbers of labelled images.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[15], help="So many seeds of each number of labels.")
    parser.add_argument(
        "--denoising_costs", type=float, nargs="+", default=[5000.0], help="A ladder's lambda at each."
    )
    parser.add_argument("--epochs", type=float, default=50, help="Passes over the training images.")
    parser.add_argument("--max_steps", type=int, help="Updates, in place of epochs.")
    parser.add_argument("--adversarial_weights", type=float, nargs="*", default=[0.004], help="EBGAN-LN's, of lambda.")
    parser.add_argument("--margins", type=float, nargs="*", default=[0.02], help="EBGAN-LN's first margins.")
    parser.add_argument("--margin_share", type=float, default=0.4, help="The share of the run in which it falls to 0.")
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="Errors are of this split.")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="Where everything runs.")
    parser.add_argument("--no_graph", action="store_true", help="Updates are called, and not CUDA graphs.")
    parser.add_argument("--quiet", action="store_true", help="No progress bar is shown.")
    parser.add_argument("--output", type=Path, help="File for the results as JSON.")
    arguments = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = True
    data = load_images(ImageDataArguments(dataset_name=arguments.dataset_name), SIZE, 1)
    train_images = data["train"]
    if arguments.split == "test":  # nothing is chosen on the validation images: they are learned from too
        both = (data["train"], data["validation"])
        train_images = LabelledImages(
            np.concatenate([one.pixels for one in both]),
            np.concatenate([one.labels for one in both]),
            data["train"].label_names,
        )
    arguments.max_steps = arguments.max_steps or round(arguments.epochs * len(train_images) / BATCH)
    replicas = replicas_of(arguments)
    print(f"{len(replicas)} replicas, {arguments.max_steps} updates of {BATCH} of {len(train_images)} images")
    states = train(arguments, train_images, replicas)
    model = build(0, train_images.label_names, arguments.device)
    found = [
        one | measure(state, model, train_images, data[arguments.split], arguments.device)
        for one, state in zip(replicas, states, strict=True)
    ]
    rows = summary(found)
    print(*rows, sep="\n")
    if arguments.output:
        settings = {name: value for name, value in vars(arguments).items() if name != "output"}
        hardware = torch.cuda.get_device_name() if arguments.device == "cuda" else "CPU"
        result = {"hardware": hardware, "torch": torch.__version__, "settings": settings, "rows": rows, "runs": found}
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
