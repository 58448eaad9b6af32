"""Speed of encoding and greedy decoding: torch in float32 and bfloat16, ONNX in float32 and with 8-bit weights.

    OMP_NUM_THREADS=1 python tests/benchmarks/onnx_runtime.py --model model_cards/arae-yelp [--dataset_name DATA]

One thread, and seconds of processor time, so that what else runs on the machine counts little. The ways take turns,
and figures are medians over the rounds. Prints sentences a second, the ratio to torch in float32, the share of
sentences (in %) that are the same as its, and BLEU to the source. Sentences are token ids, of like length in each
batch; with labels, each is rewritten with the next label.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

import hf_arae  # noqa: F401 (registers the models)
from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.metrics import Bleu
from hf_arae.onnx import OnnxTextAutoencoder, export_onnx
from hf_arae.utils.tables import markdown_table


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="checkpoint folder or Hub id of a text autoencoder")
    parser.add_argument("--dataset_name", help="with `text` and `label`; the built-in reviews if left out")
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer = AutoModel.from_pretrained(arguments.model), AutoTokenizer.from_pretrained(arguments.model)
    data = load_labelled_text(DataArguments(dataset_name=arguments.dataset_name))
    rows = (data["test"] if "test" in data else data["validation"])[: arguments.sentences]
    order = np.argsort([len(text.split()) for text in rows["text"]], kind="stable")
    texts, values = [rows["text"][row] for row in order], model.config.num_attributes
    attribute = torch.tensor([(rows["label"][row] + 1) % values for row in order])
    batch = tokenizer(texts, return_tensors="pt", padding=True, truncation=True)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    with tempfile.TemporaryDirectory() as place:
        exported = {}
        for name, int8 in (("ONNX, float32", False), ("ONNX, int8", True)):
            folder = Path(place) / name
            export_onnx(model, folder, tokenizer, int8)
            exported[name] = OnnxTextAutoencoder.from_pretrained(folder, num_threads=1, batch_size=len(ids))
    ways = {
        "torch, float32": lambda part: model.reconstruct(ids[part], mask[part], attribute[part]).numpy(),
        "torch, bfloat16": lambda part: model.reconstruct(
            ids[part], mask[part], attribute[part], precision="bfloat16"
        ).numpy(),
    }
    for name, runtime in exported.items():
        ways[name] = lambda part, runtime=runtime: runtime.decode_ids(
            runtime.encode_ids(ids[part].numpy(), mask[part].numpy()), attribute[part].numpy()
        )
    table = []
    for batch_size in arguments.batch_sizes:
        parts = [slice(start, start + batch_size) for start in range(0, len(ids), batch_size)]
        seconds, written = {name: [] for name in ways}, {}
        for turn in range(arguments.rounds + 1):  # the first one warms up
            for name, way in ways.items():
                began = time.process_time()
                found = [way(part) for part in parts]
                if turn:
                    seconds[name].append(time.process_time() - began)
                written[name] = [
                    text for one in found for text in tokenizer.batch_decode(one, skip_special_tokens=True)
                ]
        plain = next(iter(ways))
        for name in ways:
            ratio = statistics.median(a / b for a, b in zip(seconds[plain], seconds[name], strict=True))
            same = np.mean([one == other for one, other in zip(written[name], written[plain], strict=True)])
            bleu = Bleu().compute(predictions=written[name], references=texts)["bleu"]
            table.append(
                {
                    "way": name,
                    "batch": batch_size,
                    "sentences/s": round(len(ids) / statistics.median(seconds[name])),
                    "ratio": ratio,
                    "same words": 100 * same,
                    "BLEU to source": bleu,
                }
            )
    print(markdown_table(table, decimals=2))


if __name__ == "__main__":
    main()
