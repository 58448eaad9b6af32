"""Speed of training, decoding and starting, against the same written plainly: the tables of the README beside it.

    OMP_NUM_THREADS=2 python tests/benchmarks/engine.py --dataset_name OWNER/NAME --output table.md

The plain implementation (`tests/plain_arae.py`) is the same mathematics as the published loop is written. Both run in
one process, in turn, iteration by iteration; figures are medians with the 10th to 90th percentile. The published Yelp
settings: sizes of 128, tables of their own, 64 sentences of each class. Because half of the plain loop's time is the
C library giving memory back and taking it again, it is timed with the library's default and with the setting of
`hf_arae.training.allocator`.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from plain_arae import PlainArae  # noqa: E402

from hf_arae.data.loading import DataArguments, load_labelled_text  # noqa: E402
from hf_arae.data.text.encoding import encode_dataset  # noqa: E402
from hf_arae.data.text.token_arrays import TokenArrays  # noqa: E402
from hf_arae.data.text.tokenization import train_tokenizer  # noqa: E402
from hf_arae.metrics import Bleu  # noqa: E402
from hf_arae.models.arae.configuration_arae import AraeConfig  # noqa: E402
from hf_arae.models.arae.modeling_arae import AraeModel  # noqa: E402
from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments  # noqa: E402
from hf_arae.models.text.attribute_words import count_attribute_words  # noqa: E402
from hf_arae.training import PhaseTrainer, TrainingArguments  # noqa: E402
from hf_arae.training import trainer as trainer_module  # noqa: E402
from hf_arae.training.allocator import keep_freed_memory  # noqa: E402
from hf_arae.utils.tables import markdown_table  # noqa: E402

PHASES = ("autoencoder", "critic", "classifier", "generator", "encoder")


class Setting:
    """Data, tokenizer and a model of the published sizes."""

    def __init__(self, dataset_name: str | None, initialization: str = "published"):
        self.data = load_labelled_text(DataArguments(dataset_name=dataset_name))
        self.tokenizer = train_tokenizer(self.data["train"]["text"], 30_000, 1, 25)
        self.encoded = encode_dataset(self.data["train"], self.tokenizer)
        torch.manual_seed(0)
        names = self.data["train"].features["label"].names
        labels = {"num_attributes": len(names), "id2label": dict(enumerate(names))}
        sizes = {"initialization": initialization}  # the rest of the defaults is published too
        self.model = AraeModel(AraeConfig.from_tokenizer(self.tokenizer, **sizes, **labels))
        count_attribute_words(self.model, self.tokenizer, self.encoded)

    def trainer(self, settings: AraeObjectiveArguments, **changes) -> PhaseTrainer:
        model = copy.deepcopy(self.model)
        arguments = TrainingArguments(
            tempfile.mkdtemp(),
            max_steps=100_000,
            eval_steps=0,
            save_steps=0,
            report_to="none",
            use_cpu=True,
            **changes,
        )
        arguments.disable_tqdm = True
        rows = TokenArrays(self.encoded, self.tokenizer.pad_token_id)
        return PhaseTrainer(model, AraeObjective(model, settings), arguments, rows)


def spread(values: list[float], unit: float = 1.0) -> str:
    """Median (10th to 90th percentile)."""
    ordered = sorted(value * unit for value in values)
    low, high = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
    digits = 1 if ordered[len(ordered) // 2] < 100 else 0
    return f"{statistics.median(ordered):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def time_training(arguments: argparse.Namespace) -> list[dict]:
    """Rows of plain and fast loops in turn, under the allocator setting of this process."""
    if arguments.allocator == "tuned":
        keep_freed_memory()
    else:
        trainer_module.keep_freed_memory = lambda: False
    setting = Setting(arguments.dataset_name)
    published = AraeObjectiveArguments()
    plain = PlainArae(copy.deepcopy(setting.model), published)
    fast = {name: setting.trainer(published, bf16=name == "bfloat16") for name in ("float32", "bfloat16")}
    seconds: dict[tuple[str, str], list[dict[str, float]]] = {}
    for step, batch in zip(range(arguments.iterations), fast["float32"]._batches(), strict=False):
        plain.iterate(batch)
        times = {("plain", "float32"): plain.seconds}
        for precision, trainer in fast.items():
            trainer.model.train()
            trainer.step = step
            trainer.objective.begin_iteration(step)
            own = times["fast", precision] = {}
            for phase in trainer.phases:
                began = time.perf_counter()
                trainer.run_phase(phase, batch)
                own[phase.name] = time.perf_counter() - began
        if step >= arguments.iterations // 5:  # the first are warm-up
            for key, value in times.items():
                seconds.setdefault(key, []).append(value)
    rows = []
    for (loop, precision), values in seconds.items():
        totals = [sum(value.values()) for value in values]
        row = {"loop": loop, "precision": precision, "memory": arguments.allocator}
        row["sentences/s"] = f"{128 / statistics.median(totals):.0f}"
        row["ms an iteration"] = spread(totals, 1e3)
        row |= {phase: f"{1e3 * statistics.median(value[phase] for value in values):.1f}" for phase in PHASES}
        rows.append(row)
    return rows


def time_decoding(arguments: argparse.Namespace) -> list[dict]:
    """Rows of greedy transfer, after enough training for sentences to end as real ones do."""
    keep_freed_memory()
    setting = Setting(arguments.dataset_name, initialization="scaled")
    trainer = setting.trainer(
        AraeObjectiveArguments(autoencoder_optimizer="adam", autoencoder_learning_rate=2e-3, noise_std=0.01),
        bf16=True,
    )
    trainer.max_steps = arguments.updates
    trainer.train()
    model, tokenizer = trainer.model.eval(), setting.tokenizer
    plain = PlainArae(copy.deepcopy(model), AraeObjectiveArguments())
    plain.model.eval()
    split = "validation" if len(setting.data["validation"]) >= 1024 else "train"  # the built-in corpus' has 1 000
    texts = sorted(setting.data[split]["text"][: arguments.sentences], key=lambda text: len(text.split()))
    batches = {}
    for size in (64, 1024):
        parts = [texts[start : start + size] for start in range(0, len(texts) - size + 1, size)]
        batches[size] = [tokenizer(part, return_tensors="pt", padding=True, truncation=True) for part in parts]

    def run_plain(batch, steps):
        return plain.transfer(batch["input_ids"], batch["attention_mask"].sum(1), 1, steps)

    def run_fast(batch, precision):
        return model.transfer(batch["input_ids"], batch["attention_mask"], 1, precision=precision)

    contenders = {("plain, 50 steps", 64): lambda batch: run_plain(batch, 50)}
    contenders["plain, 16 steps", 64] = lambda batch: run_plain(batch, 16)
    for size in batches:
        for precision in ("float32", "bfloat16", "int8"):
            contenders[precision, size] = lambda batch, precision=precision: run_fast(batch, precision)
    speeds: dict[tuple[str, int], list[float]] = {}
    for turn in range(arguments.turns + 1):
        for (name, size), call in contenders.items():
            if name.startswith("plain") and turn > 2:
                continue
            chosen = batches[size] if size > 64 else batches[size][:: 1 + arguments.sentences // 2048]
            began = time.perf_counter()
            for batch in chosen:
                call(batch)
            if turn:
                speeds.setdefault((name, size), []).append(size * len(chosen) / (time.perf_counter() - began))
    rows = []
    outputs = {}
    for (name, size), values in speeds.items():
        row = {"decoding": name, "batch": str(size), "sentences/s": spread(values)}
        if not name.startswith("plain") and size > 64:
            copies = [model.reconstruct(**batch, attribute=0, precision=name) for batch in batches[size]]
            outputs[name] = [text for ids in copies for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]
            sources = texts[: len(outputs[name])]
            row["BLEU to the source"] = f"{Bleu().compute(predictions=outputs[name], references=sources)['bleu']:.2f}"
            same = sum(a == b for a, b in zip(outputs[name], outputs["float32"], strict=True))
            row["same as float32 %"] = f"{100 * same / len(sources):.1f}"
        rows.append(row)
    for precision in ("float32", "bfloat16"):
        began = time.perf_counter()
        model.sample(100_000, attribute=0, seed=0, precision=precision)
        seconds = time.perf_counter() - began
        name = f"{precision}, 100 000 samples in {seconds:.1f} s"
        rows.append({"decoding": name, "batch": "1024", "sentences/s": f"{1e5 / seconds:.0f}"})
    return rows


def measure_memory(arguments: argparse.Namespace) -> list[dict]:
    """Peak resident memory of this process after some training."""
    setting = Setting(arguments.dataset_name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    trainer = setting.trainer(AraeObjectiveArguments(), bf16=arguments.bf16)
    trainer.max_steps = arguments.iterations
    trainer.train()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [{"before training GiB": f"{before:.2f}", "peak GiB": f"{peak:.2f}"}]


def time_start(dataset_name: str | None, turns: int) -> list[dict]:
    """Seconds from the start of the example to its first update, and of imports, each in fresh processes."""
    rows = []
    first = []
    for _ in range(turns + 1):  # the first fills the cache of tokenized data
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(ROOT / "examples" / "train_style_transfer.py"), "--output_dir", folder]
            command += ["--logging_steps", "1", "--eval_steps", "0", "--report_to", "none", "--disable_tqdm"]
            command += ["--dataset_name", dataset_name] if dataset_name else []
            log = Path(folder, "training_log.jsonl")
            began = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None and not (log.exists() and log.stat().st_size):
                time.sleep(0.01)
            first.append(time.perf_counter() - began)
            process.kill()
            process.wait()
    rows.append({"start": "example to first update", "seconds": spread(first[1:])})
    imports = {
        "import transformers (which loads nothing yet)": "import transformers",
        "from transformers import AutoModel, pipeline": "from transformers import AutoModel, pipeline",
        "the same and import hf_arae": "from transformers import AutoModel, pipeline; import hf_arae",
    }
    seconds: dict[str, list[float]] = {name: [] for name in imports}
    for _ in range(turns):
        for name, code in imports.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    return rows + [{"start": name, "seconds": spread(values)} for name, values in seconds.items()]


def in_a_process(part: str, arguments: argparse.Namespace, **changes) -> list[dict]:
    """Runs one part of this script in a fresh process and returns its rows."""
    settings = vars(arguments) | {"part": part, "output": None} | changes
    command = [sys.executable, __file__]
    for name, value in settings.items():
        if value is True:
            command.append(f"--{name}")
        elif value not in (None, False):
            command += [f"--{name}", str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset_name", help="labelled text, as for the training example; else the built-in corpus")
    parser.add_argument("--iterations", type=int, default=60, help="of training, a fifth of them warm-up")
    parser.add_argument("--updates", type=int, default=1500, help="of training before decoding")
    parser.add_argument("--sentences", type=int, default=8192, help="that are transferred")
    parser.add_argument("--turns", type=int, default=5, help="timings of decoding and starting")
    parser.add_argument("--output", help="file for the tables")
    parser.add_argument("--part", choices=["training", "decoding", "memory"], help=argparse.SUPPRESS)
    parser.add_argument("--allocator", choices=["default", "tuned"], default="tuned", help=argparse.SUPPRESS)
    parser.add_argument("--bf16", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        part = {"training": time_training, "decoding": time_decoding, "memory": measure_memory}[arguments.part]
        print(json.dumps(part(arguments)))
        return
    os.environ["HF_HUB_OFFLINE"] = "1"
    training = [row for kind in ("default", "tuned") for row in in_a_process("training", arguments, allocator=kind)]
    base = {row["memory"]: float(row["sentences/s"]) for row in training if row["loop"] == "plain"}
    for row in training:
        row["ratio"] = f"{float(row['sentences/s']) / base[row['memory']]:.1f}"
    memory = []
    for bf16 in (False, True):
        (row,) = in_a_process("memory", arguments, bf16=bf16, iterations=200)
        memory.append({"training": "bfloat16" if bf16 else "float32", **row})
    tables = [
        markdown_table(training),
        markdown_table(in_a_process("decoding", arguments)),
        markdown_table(memory),
        markdown_table(time_start(arguments.dataset_name, arguments.turns)),
    ]
    text = f"{torch.get_num_threads()} threads, torch {torch.__version__}\n\n" + "\n\n".join(tables) + "\n"
    print(text)
    if arguments.output:
        Path(arguments.output).write_text(text)


if __name__ == "__main__":
    main()
