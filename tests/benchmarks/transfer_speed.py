"""Speed of style transfer: sentences a second for one output and for the best of several candidates.

    OMP_NUM_THREADS=1 python tests/benchmarks/transfer_speed.py --model DIR --dataset_name DATA --output speed.json

One thread, and seconds of processor time, so that what else runs on the machine counts little: texts in, texts out,
in float32 and in bfloat16, medians over the rounds. A batch of 1 is measured on `--sentences` held-out sentences, a
larger one on as many or on a whole batch, and each sentence is rewritten with the next label. With 1 candidate the
model writes greedily, which a model that does not choose always does.
"""

from __future__ import annotations

import inspect
import json
import statistics
import time
from argparse import ArgumentParser
from itertools import cycle, islice

import torch
from transformers import AutoModel, AutoTokenizer

import hf_arae  # noqa: F401 (registers the models)
from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.evaluation.rewriting import rewrite_texts
from hf_arae.evaluation.style_transfer import other_labels
from hf_arae.utils.tables import markdown_table

PRECISIONS = ("float32", "bfloat16")


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="checkpoint folder or Hub id of a model that transfers")
    parser.add_argument("--dataset_name", help="with `text` and `label`; the built-in reviews if left out")
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 64, 1024])
    parser.add_argument("--candidates", type=int, nargs="+", default=[1, 16, 85])
    parser.add_argument("--sentences", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", help="the table is written into this file, as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer = AutoModel.from_pretrained(arguments.model), AutoTokenizer.from_pretrained(arguments.model)
    data = load_labelled_text(DataArguments(dataset_name=arguments.dataset_name))
    held_out = data["validation"].shuffle(seed=0)
    held_out = held_out.select(range(min(len(held_out), max(arguments.sentences, *arguments.batch_sizes))))
    pairs = list(zip(held_out["text"], other_labels(held_out["label"], model.config.num_attributes), strict=True))
    chooses = "num_candidates" in inspect.signature(model.transfer).parameters
    table = []
    for batch_size in arguments.batch_sizes:
        # From the start again where there are fewer.
        texts, targets = zip(*islice(cycle(pairs), max(batch_size, arguments.sentences)), strict=True)
        for number in arguments.candidates if chooses else [1]:
            row = {"batch": batch_size, "candidates": number}
            for precision in PRECISIONS:
                writing = {"precision": precision} | ({"num_candidates": number} if chooses else {})
                seconds = []
                for _ in range(arguments.rounds + 1):  # the first one warms up
                    began = time.process_time()
                    rewrite_texts(model, tokenizer, texts, targets, batch_size, **writing)
                    seconds.append(time.process_time() - began)
                row[precision] = len(texts) / statistics.median(seconds[1:])
            table.append(row)
            print(f"batch {batch_size}, {number} candidates: done", flush=True)
    print("\nSentences a second, one thread:\n")
    print(markdown_table(table))
    if arguments.output:
        about = {"model": arguments.model, "torch": torch.__version__, "threads": 1, "rounds": arguments.rounds}
        with open(arguments.output, "w", encoding="utf-8") as file:
            json.dump(about | {"sentences_per_second": table}, file, indent=2)


if __name__ == "__main__":
    main()
