"""Time and memory of many new sentences in one call.

    python tests/benchmarks/new_sentences.py --model model_cards/arae-flickr30k

Prints, for each way of writing, the time of `LatentSpace.sample` (texts, not ids), its ratio to the first one, and how
far the memory of the process has grown by then.
"""

from __future__ import annotations

import resource
import time
from argparse import ArgumentParser

import torch
from transformers import AutoModel, AutoTokenizer

from hf_arae import LatentSpace

WAYS = {
    "greedy, float32": {},
    "greedy, bfloat16": {"precision": "bfloat16"},
    "drawn, float32": {"do_sample": True},
    "drawn, bfloat16": {"do_sample": True, "precision": "bfloat16"},
}


def memory() -> float:
    """The most memory that the process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="checkpoint folder or Hub id of a text autoencoder")
    parser.add_argument("--num_samples", type=int, default=100_000)
    arguments = parser.parse_args()
    latent = LatentSpace(AutoModel.from_pretrained(arguments.model), AutoTokenizer.from_pretrained(arguments.model))
    print(f"{arguments.num_samples} sentences, {torch.get_num_threads()} threads")
    first = None
    for name, ways in WAYS.items():
        latent.sample(2000, **ways)
        before, began = memory(), time.perf_counter()
        texts = latent.sample(arguments.num_samples, seed=1, **ways)
        seconds = time.perf_counter() - began
        first = first or seconds
        words = sum(len(text.split()) for text in texts)
        print(
            f"{name:18s} {seconds:6.1f} s  {len(texts) / seconds:7.0f} sentences/s  {words / seconds:8.0f} words/s  "
            f"ratio {first / seconds:5.2f}  memory {before:.0f} -> {memory():.0f} MB"
        )


if __name__ == "__main__":
    main()
