"""One look at a GPU, in at most six minutes: does every family run there, how fast, and what stalls it.

    python tests/benchmarks/gpu.py --output tests/benchmarks/results/gpu.json
    python tests/benchmarks/gpu.py --device cpu --small     # tries the script itself where there is no GPU

Parts, each in a process of its own with a share of the time, so that one that fails or hangs does not cost the others:

- families: each is trained, evaluated, saved and resumed in float32 and bfloat16, then loaded and used, through its
  pipeline where it has one; its greedy outputs are compared with the CPU's;
- speed: sentences a second of ARAE's five phases at the published Yelp sizes (10 000 words, 4 to 15 a sentence), at
  batches of 64, 512 and on in doubles to the fastest; the share of the time in which the GPU computes, and how often
  an iteration waits for it;
- compiled: the losses of the phases under torch.compile;
- graphs: each phase's loss and gradients as a CUDA graph, on a batch of fixed shape.

What fails is in the JSON with its error, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from transformers.utils import logging as transformers_logging

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "gpu"), str(ROOT / "tests")]  # as pytest's own paths

from device_runs import FAMILIES, Run, make_trainer, train_and_resume, use_model  # noqa: E402

from hf_arae.data.text.token_arrays import TokenArrays  # noqa: E402
from hf_arae.models.arae.configuration_arae import AraeConfig  # noqa: E402
from hf_arae.models.arae.modeling_arae import AraeModel  # noqa: E402
from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments  # noqa: E402
from hf_arae.training import PhaseTrainer  # noqa: E402

PARTS = {"families": 130, "speed": 70, "graphs": 30, "compiled": 120}  # seconds at most
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")
READS = ("aten::_local_scalar_dense", "aten::nonzero")  # operators whose answer the CPU waits for
WARM_UP, TIMED = 5, 20  # iterations


def yelp_sized(batch_size: int, device: str, bf16: bool, folder: str, small: bool) -> PhaseTrainer:
    """The loop over made-up sentences of two labels at the published sizes."""
    words, width = (200, 16) if small else (10_000, 128)
    source = np.random.default_rng(0)
    lengths = source.integers(4, 16, size=max(2 * batch_size, 2048))
    ids = [[1, *source.integers(5, words, size=length).tolist(), 2] for length in lengths]
    rows = datasets.Dataset.from_dict({"input_ids": ids, "attribute": [row % 2 for row in range(len(ids))]})
    torch.manual_seed(0)
    config = AraeConfig(
        vocab_size=words,
        embedding_size=width,
        hidden_size=width,
        code_size=width,
        num_attributes=2,
        id2label={0: "negative", 1: "positive"},
    )
    model = AraeModel(config)
    run = Run(model, AraeObjective(model, AraeObjectiveArguments()), TokenArrays(rows, 0), None, None)
    return make_trainer(
        run, Path(folder), device, max_steps=1, per_device_train_batch_size=batch_size, eval_steps=0, bf16=bf16
    )


def iterate(trainer: PhaseTrainer, batch: dict[str, torch.Tensor], count: int) -> None:
    """Iterations on one batch."""
    for step in range(count):
        trainer.objective.begin_iteration(step)
        for phase in trainer.phases:
            trainer.run_phase(phase, batch)


def seconds_an_iteration(trainer: PhaseTrainer, batch: dict[str, torch.Tensor], count: int = TIMED) -> float:
    """After a warm-up, with all work on the device finished."""
    iterate(trainer, batch, WARM_UP)
    wait(trainer)
    began = time.perf_counter()
    iterate(trainer, batch, count)
    wait(trainer)
    return (time.perf_counter() - began) / count


def wait(trainer: PhaseTrainer) -> None:
    """Returns when the device has nothing left to do."""
    if trainer.accelerator.device.type == "cuda":
        torch.cuda.synchronize()


def batch_of(trainer: PhaseTrainer) -> dict[str, torch.Tensor]:
    """The first batch that the loop would take, on the trainer's device."""
    return {name: value.to(trainer.accelerator.device) for name, value in next(iter(trainer.batches)).items()}


def attempt(results: dict[str, Any], name: str, make: Callable[[], Any]) -> Any:
    """Puts what `make` returns, or its error, into the results."""
    began = time.perf_counter()
    try:
        results[name] = make()
    except Exception as error:  # whatever it is, it belongs into the report
        where = traceback.format_exc().splitlines()[-8:]
        results[name] = {"error": f"{type(error).__name__}: {str(error)[:500]}", "where": where}
    print(f"{name}: {json.dumps(results[name], default=str)[:300]} ({time.perf_counter() - began:.1f} s)", flush=True)
    return results[name]


def part_families(device: str, small: bool) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for family in FAMILIES:
        for precision in ("float32", "bfloat16"):
            with tempfile.TemporaryDirectory() as folder:

                def run(family=family, bf16=precision == "bfloat16", folder=Path(folder)) -> dict[str, Any]:
                    found = train_and_resume(family, folder, device, bf16, steps=10, small=small)
                    return found | use_model(family, folder / "straight", device)

                attempt(results, f"{family} {precision}", run)
    return results


def part_speed(device: str, small: bool) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for precision in ("float32", "bfloat16"):
        speeds: dict[int, float] = {}
        for size in (64, 512, 1024, 2048, 4096, 8192):
            if size > 512 and (small or speeds[max(speeds)] < max(speeds.values())):
                break  # the one before was not the fastest

            def measure(size=size, bf16=precision == "bfloat16", speeds=speeds) -> dict[str, Any]:
                with tempfile.TemporaryDirectory() as folder:
                    trainer = yelp_sized(size, device, bf16, folder, small)
                    seconds = seconds_an_iteration(trainer, batch_of(trainer))
                speeds[size] = size / seconds
                found = {"sentences_per_second": round(speeds[size]), "ms_an_iteration": round(1e3 * seconds, 2)}
                if device == "cuda":
                    found["peak_memory_gb"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
                return found

            if "error" in attempt(results, f"{precision} batch {size}", measure):
                break
        results[f"{precision} best batch"] = max(speeds, key=speeds.get) if speeds else None
        for size in (64, 512):

            def look(size=size, bf16=precision == "bfloat16") -> dict[str, Any]:
                with tempfile.TemporaryDirectory() as folder:
                    trainer = yelp_sized(size, device, bf16, folder, small)
                    return profile(trainer, batch_of(trainer))

            attempt(results, f"{precision} profile {size}", look)
    return results


def profile(trainer: PhaseTrainer, batch: dict[str, torch.Tensor], count: int = 10) -> dict[str, Any]:
    """Share of the time in which the GPU computes, waits an iteration, and the operators that cause them."""
    iterate(trainer, batch, WARM_UP)
    wait(trainer)
    activities = [torch.profiler.ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        began = time.perf_counter()
        iterate(trainer, batch, count)
        wait(trainer)
        seconds = time.perf_counter() - began
    events = profiler.key_averages()
    busy = sum(getattr(event, "self_device_time_total", 0) for event in events) / 1e6
    counts = {event.key: event.count / count for event in events if event.key in WAITS + READS}
    top = sorted(events, key=lambda event: -getattr(event, "self_device_time_total", 0))[:8]
    return {
        "busy_share": round(busy / seconds, 3),
        "waits_an_iteration": counts,
        "updates_an_iteration": sum(phase.repeat for phase in trainer.phases),
        "longest_kernels_ms": {event.key[:60]: round(event.self_device_time_total / 1e3 / count, 3) for event in top},
    }


def part_compiled(device: str, small: bool) -> dict[str, Any]:
    results: dict[str, Any] = {}
    size = 512  # to compile all phases takes longer than all else here
    with tempfile.TemporaryDirectory() as folder:
        trainer = yelp_sized(size, device, True, folder, small)
        batch = batch_of(trainer)
        results[f"eager batch {size}"] = round(size / seconds_an_iteration(trainer, batch))

        def compiled() -> int:
            trainer.phases = [replace(phase, loss=torch.compile(phase.loss)) for phase in trainer.phases]
            return round(size / seconds_an_iteration(trainer, batch))

        attempt(results, f"torch.compile batch {size}", compiled)
    return results


def part_graphs(device: str, small: bool) -> dict[str, Any]:
    results: dict[str, Any] = {}
    if device != "cuda":
        return {"left out": "CUDA graphs need a GPU"}
    with tempfile.TemporaryDirectory() as folder:
        trainer = yelp_sized(512, device, True, folder, small)
        batch = batch_of(trainer)
        iterate(trainer, batch, WARM_UP)
        for phase in trainer.phases:
            attempt(results, phase.name, lambda phase=phase: graph_of(trainer, phase, batch))
            torch.cuda.synchronize()
    return results


def graph_of(trainer: PhaseTrainer, phase: Any, batch: dict[str, torch.Tensor]) -> dict[str, float]:
    """Milliseconds of a phase's loss and gradients, called and replayed."""
    parameters = trainer.parameters[phase.player]

    def work() -> None:
        with torch.autocast("cuda", torch.bfloat16):
            loss = phase.loss(batch)["loss"]
        torch.autograd.grad(loss, parameters, allow_unused=True)

    def milliseconds(call: Callable[[], Any]) -> float:
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(TIMED):
            call()
        torch.cuda.synchronize()
        return round(1e3 * (time.perf_counter() - began) / TIMED, 3)

    if phase.before is not None:
        phase.before(batch)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    called = milliseconds(work)
    graph = torch.cuda.CUDAGraph()
    for source in trainer.objective._random.sources.values():
        graph.register_generator_state(source)
    with torch.cuda.graph(graph):
        work()
    return {"called_ms": called, "replayed_ms": milliseconds(graph.replay)}


def run_part(name: str, arguments: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """A part's results from a process of its own, or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part.json")
        command = [sys.executable, __file__, "--part", name, "--device", arguments.device, "--output", str(path)]
        command += ["--small"] if arguments.small else []
        try:
            code = subprocess.run(command, timeout=seconds).returncode
        except subprocess.TimeoutExpired:
            code = f"not done after {seconds} s"
        found = json.loads(path.read_text()) if path.exists() else {}
    return found if code == 0 else found | {"error": code if isinstance(code, str) else f"exit status {code}"}


def failures(results: Any, name: str = "") -> list[str]:
    """Where there is an error in the results."""
    if not isinstance(results, dict):
        return []
    own = [f"{name}: {results['error']}"] if "error" in results else []
    return own + [line for key, value in results.items() for line in failures(value, f"{name} / {key}".strip(" /"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="Where everything runs.")
    parser.add_argument("--small", action="store_true", help="Tiny models, to try the script itself.")
    parser.add_argument("--output", help="File for the results as JSON.")
    parser.add_argument("--only", choices=list(PARTS), help="Run this part alone.")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no GPU that torch can use; --device cpu --small tries the script without one")
    if arguments.part:
        datasets.disable_progress_bars()
        transformers_logging.disable_progress_bar()
        found = {"families": part_families, "speed": part_speed, "compiled": part_compiled, "graphs": part_graphs}
        results = found[arguments.part](arguments.device, arguments.small)
        Path(arguments.output).write_text(json.dumps(results, default=str))
        return
    os.environ.update(HF_HUB_OFFLINE="1", CUBLAS_WORKSPACE_CONFIG=":4096:8")  # the latter: sums in one order
    results: dict[str, Any] = {"torch": torch.__version__, "device": arguments.device, "small": arguments.small}
    if arguments.device == "cuda":
        results |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
    began = time.perf_counter()
    for name, seconds in PARTS.items():
        if arguments.only in (None, name):
            print(f"\n== {name}", flush=True)
            results[name] = run_part(name, arguments, seconds if arguments.device == "cuda" else 3600)
            if arguments.output:  # after each part: what is measured is kept
                Path(arguments.output).write_text(json.dumps(results, indent=2) + "\n")
    results["seconds"] = round(time.perf_counter() - began, 1)
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(results, indent=2) + "\n")
    wrong = failures(results)
    print(f"\n{results['seconds']} s; {len(wrong)} failures", *wrong, sep="\n  ")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
