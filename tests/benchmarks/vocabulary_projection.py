"""Time of the vocabulary projection with its loss, forward and backward: in one step against all logits at once.

    python tests/benchmarks/vocabulary_projection.py

Prints medians and their ratio, for float32 and bfloat16 autocast. The two are timed in turn, so that a machine whose
speed drifts does not favour one.
"""

from __future__ import annotations

import statistics
import time

import torch
from torch.nn import functional as F

from hf_arae.nn.text.linear_cross_entropy import linear_cross_entropy
from hf_arae.training.allocator import keep_freed_memory

ROWS, WIDTH, WORDS, RUNS = 1150, 128, 9100, 15  # a Yelp batch of 128 sentences


def main() -> None:
    keep_freed_memory()
    torch.manual_seed(0)
    states = torch.randn(ROWS, WIDTH, requires_grad=True)
    layer = torch.nn.Linear(WIDTH, WORDS)
    targets = torch.randint(0, WORDS, (ROWS,))
    inputs = [states, layer.weight, layer.bias]

    def plain() -> None:
        torch.autograd.grad(F.cross_entropy(layer(states), targets, reduction="sum"), inputs)

    def fused() -> None:
        torch.autograd.grad(linear_cross_entropy(states, layer.weight, layer.bias, targets)[0], inputs)

    print(f"{ROWS} rows, width {WIDTH}, {WORDS} words, {torch.get_num_threads()} threads, median of {RUNS} runs")
    for name, enabled in (("float32", False), ("bfloat16", True)):
        times: dict[str, list[float]] = {"plain": [], "fused": []}
        for run in range(RUNS + 3):
            for label, function in (("plain", plain), ("fused", fused)):
                began = time.perf_counter()
                with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                    function()
                if run >= 3:
                    times[label].append(time.perf_counter() - began)
        medians = {label: 1e3 * statistics.median(values) for label, values in times.items()}
        ratio = statistics.median(a / b for a, b in zip(times["plain"], times["fused"], strict=True))
        print(f"{name}: all logits {medians['plain']:.0f} ms, fused {medians['fused']:.0f} ms, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
