"""Memory and speed of training on a stream, beside data in memory, on made-up sentences.

    python tests/benchmarks/streaming.py --rows 2000000

Writes a Parquet and a JSON-lines file of the sentences, two labels in turn, and trains a small ARAE for some updates
in a process of its own each way, then draws the batches of a fifth of the rows. Prints how far the memory of each has
grown at its peak; how fast a stream is read past (what going on from a checkpoint costs) and tokenized; and the
seconds from a checkpoint's position near the end of the file to its first batch.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from datasets import ClassLabel, Features, Value

from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.stream_batches import StreamedSentences
from hf_arae.data.streaming import load_text_stream
from hf_arae.data.text.encoding import encode_dataset, token_ids
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments
from hf_arae.models.text.attribute_words import count_attribute_words
from hf_arae.training import PhaseTrainer, TrainingArguments

NAMES = ["no", "yes"]
FEATURES = Features({"text": Value("string"), "label": ClassLabel(names=NAMES)})
VOCABULARY, PART = 5_000, 100_000
BATCH, SAMPLE = 128, 100_000


def memory() -> float:
    """The most memory that the process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(call: Callable) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def write(folder: Path, rows: int) -> None:
    """Sentences of 5 to 15 words, the frequent ones frequent as in text."""
    source = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(VOCABULARY)])
    rates = 1 / np.arange(10, VOCABULARY + 10)
    with (
        pq.ParquetWriter(folder / "train.parquet", FEATURES.arrow_schema) as writer,
        (folder / "train.jsonl").open("w") as lines,
    ):
        for begin in range(0, rows, PART):
            count = min(PART, rows - begin)
            lengths = source.integers(5, 16, count)
            drawn = iter(source.choice(words, lengths.sum(), p=rates / rates.sum()).tolist())
            texts = [" ".join(next(drawn) for _ in range(length)) for length in lengths.tolist()]
            labels = [row % 2 for row in range(count)]
            writer.write_table(pa.table({"text": texts, "label": labels}, FEATURES.arrow_schema))
            objects = ({"text": text, "label": NAMES[label]} for text, label in zip(texts, labels, strict=True))
            lines.writelines(json.dumps(row) + "\n" for row in objects)
            if not begin:
                held_out = pa.table({"text": texts[:1000], "label": labels[:1000]}, FEATURES.arrow_schema)
                pq.write_table(held_out, folder / "validation.parquet")


def train(folder: Path, way: str, updates: int, rows_drawn: int) -> dict[str, float]:
    """Trains one way, then draws batches of so many more rows; returns MB and sentences/s."""
    files = DataArguments(train_file=str(folder / "train.parquet"), validation_file=str(folder / "validation.parquet"))
    before, began = memory(), time.perf_counter()
    if way == "stream":
        stream, data = load_text_stream(files, SAMPLE)
    else:
        data = load_labelled_text(files)
    tokenizer = train_tokenizer(data["train"]["text"])
    encoded = encode_dataset(data["train"], tokenizer)
    torch.manual_seed(0)
    sizes = {"embedding_size": 32, "hidden_size": 32, "code_size": 32, "share_embeddings": True}
    sizes |= {"amplify_code": True, "mask_attribute_words": True, "initialization": "scaled"}
    labels = {"num_attributes": len(NAMES), "id2label": dict(enumerate(NAMES))}
    model = AraeModel(AraeConfig.from_tokenizer(tokenizer, **sizes, **labels))
    count_attribute_words(model, tokenizer, encoded)
    rows = StreamedSentences(stream, tokenizer) if way == "stream" else TokenArrays(encoded, tokenizer.pad_token_id)
    arguments = TrainingArguments(
        output_dir=str(folder / way),
        max_steps=updates,
        per_device_train_batch_size=BATCH,
        eval_steps=0,
        save_steps=0,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = PhaseTrainer(model, AraeObjective(model, AraeObjectiveArguments()), arguments, rows)
    ready = time.perf_counter() - began
    result = trainer.train()
    for _ in zip(range(rows_drawn // BATCH), trainer.batches, strict=False):  # many a buffer further, untrained
        pass
    return {
        "before": before,
        "growth": memory() - before,
        "ready": ready,
        "sentences/s": BATCH * result.steps / result.seconds,
    }


def read(folder: Path, rows: int) -> dict[str, float]:
    """Rates of reading past and of tokenizing, in rows/s, and seconds to go on near the end."""
    found = {}
    for name in ("train.parquet", "train.jsonl"):
        files = DataArguments(train_file=str(folder / name), validation_file=str(folder / "validation.parquet"))
        stream, data = load_text_stream(files, SAMPLE)
        found[f"{name}, read past"] = rows / timed(lambda stream=stream: list(stream.texts(0, skip=rows)))
        found[f"{name}, read"] = rows / timed(lambda stream=stream: [None for _ in stream.texts()])
        tokenizer = train_tokenizer(data["train"]["text"])
        batches = StreamedSentences(stream, tokenizer).batches(BATCH, 0, 0, 1)
        position = {"epoch": 0, "pool": 1, "start": 3, "begins": [[0, rows - PART], [0, rows - PART]]}
        batches.set_position(1, position)
        found[f"{name}, to go on at row {rows - PART} (s)"] = timed(partial(next, iter(batches)))
    texts = data["train"]["text"][:20_000]
    found["tokenized"] = len(texts) / timed(lambda: token_ids(texts, tokenizer))
    return found


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="where the files are written; a temporary one if not given")
    parser.add_argument("--way", choices=["memory", "stream", "read"], help="what a process of its own does")
    arguments = parser.parse_args()
    if arguments.way:
        done = read(arguments.folder, arguments.rows) if arguments.way == "read" else None
        print(json.dumps(done or train(arguments.folder, arguments.way, arguments.updates, arguments.rows // 5)))
        return
    with TemporaryDirectory() as temporary:
        arguments.folder = arguments.folder or Path(temporary)
        arguments.folder.mkdir(parents=True, exist_ok=True)
        compare(arguments)


def compare(arguments: Namespace) -> None:
    """Writes the files, runs the three processes and prints what they found."""
    write(arguments.folder, arguments.rows)
    print(f"{arguments.rows} sentences, {arguments.updates} updates of {BATCH}, {torch.get_num_threads()} threads")
    growth = {}
    for way in ("read", "stream", "memory"):
        command = [sys.executable, __file__, "--way", way, "--folder", str(arguments.folder)]
        command += ["--rows", str(arguments.rows), "--updates", str(arguments.updates)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        if way == "read":
            for name, value in found.items():
                print(f"{name:45s} {value:12,.1f}" if name.endswith("(s)") else f"{name:45s} {value:12,.0f} rows/s")
            continue
        growth[way] = found["growth"]
        print(
            f"{way:8s} memory {found['before']:5.0f} MB, grows by {found['growth']:6.0f} MB at most; "
            f"ready after {found['ready']:5.0f} s; {found['sentences/s']:6.0f} sentences/s",
            flush=True,
        )
    print(f"growth, stream to memory: {growth['stream'] / growth['memory']:.3f}")


if __name__ == "__main__":
    main()
