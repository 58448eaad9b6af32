"""Compares graphs in models of a task: learned ones, those of an untrained predictor, uniform, random, and none.

    python examples/transfer_graphs.py --predictor runs/glomo-agreement             # the made-up language of agreement
    python examples/transfer_graphs.py --preset transfer-imdb --labelled 1000       # texts with labels
    python examples/transfer_graphs.py --preset transfer-mnli                       # pairs of texts
    python examples/transfer_graphs.py --preset transfer-squad                      # questions
    python examples/transfer_graphs.py --networks transformer                       # attached to a small transformer
    python examples/transfer_graphs.py --help --task pairs                          # the task's own flags

The steps: 1 arguments, 2 predictor and data, 3 runs, 4 tables. All runs of a seed have the same labelled rows in the
same order, and the same weights at the start, as far as they have the same; so differences are taken within seeds.
Each run is a line of runs.jsonl in `--output_dir`: a call that was stopped goes on where it was, and one with more
seeds or graphs adds to the same table. With `--also` other tasks' folders are compared together with this one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from hf_arae.data.corpora.agreement import build_agreement_judgements
from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.pairs import PairArguments, load_labelled_pairs
from hf_arae.data.questions import QuestionArguments, load_questions
from hf_arae.data.splits import measured_split
from hf_arae.data.text.task_rows import label_rows, question_rows, task_batches
from hf_arae.evaluation.graph_models import GRAPHS, NETWORKS, PLACES, GraphModels
from hf_arae.evaluation.graph_runs import (
    REFERENCES,
    RUNS_FILE,
    TABLE_FILE,
    GraphRunArguments,
    averages,
    digest_of_runs,
    learned_predictor,
    run_missing,
    train_one,
)
from hf_arae.evaluation.paired_runs import paired_table
from hf_arae.evaluation.text_tasks import AnswerEvaluator, LabelEvaluator
from hf_arae.models.glomo.attached_files import save_attached
from hf_arae.models.glomo.graph_task_config import GraphTaskConfig
from hf_arae.models.glomo.modeling_glomo import GlomoModel
from hf_arae.models.glomo.objective_glomo_tasks import GlomoTaskObjective, GlomoTaskObjectiveArguments
from hf_arae.storage.files import write_json, write_text
from hf_arae.storage.run_files import read_log
from hf_arae.training.run_folder import RunFolder
from hf_arae.utils.command_line import first_flag, read_command_line, run_script
from hf_arae.utils.digests import digest_rows
from hf_arae.utils.tables import markdown_table
from hf_arae.utils.validation import check_range

TASKS = ("agreement", "texts", "pairs", "questions")
WORD_VECTORS = ("predictor", "new")


@dataclass
class TaskArguments:
    """What the models are to do."""

    task: str = field(
        default="agreement",
        metadata={"help": "The models do this. Each task has flags of its own for its data.", "choices": TASKS},
    )


@dataclass
class AgreementArguments:
    """Sizes of the made-up language's task: is everything in a text in agreement?"""

    train_texts: int = field(default=2000, metadata={"help": "So many texts are trained on."})
    held_out_texts: int = field(default=1000, metadata={"help": "So many texts are held out, twice."})

    def __post_init__(self):
        check_range(self, "[2, inf)", "train_texts", "held_out_texts")


@dataclass
class ScriptArguments(GraphRunArguments):
    """What belongs to this script alone."""

    predictor: str = field(
        default="runs/glomo-agreement",
        metadata={"help": "A run of pretrain_graphs.py, or a model on the Hub: its graphs, tokenizer and words."},
    )
    output_dir: str = field(
        default="runs/transfer-agreement", metadata={"help": "The table of runs goes into this folder."}
    )
    networks: list[str] = field(
        default_factory=lambda: ["rnn"],
        metadata={
            "help": "Graphs are mixed into recurrent models made for them, and attached to transformers (DistilBERT's "
            "architecture, new weights).",
            "choices": NETWORKS,
        },
    )
    places: list[str] = field(
        default_factory=lambda: ["embeddings"],
        metadata={
            "help": "Graphs are mixed into embeddings, or into recurrent states (of a transformer: its middle layer).",
            "choices": PLACES,
        },
    )
    labelled: int = field(default=0, metadata={"help": "So many training rows are used, other ones a seed; 0: all."})
    max_length: int = field(
        default=0, metadata={"help": "Texts are cut to so many tokens; 0: to what the predictor reads."}
    )
    word_vectors: str = field(
        default="predictor",
        metadata={"help": "Word vectors begin as the predictor's in all runs, or new.", "choices": WORD_VECTORS},
    )
    transformer_layers: int = field(default=2, metadata={"help": "A transformer has so many layers."})
    transformer_heads: int = field(default=4, metadata={"help": "A transformer's layers have so many heads."})
    also: list[str] = field(
        default_factory=list, metadata={"help": "Output folders of other tasks: a table over all tasks is made too."}
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ("networks", "places"):
            if not getattr(self, name):
                raise ValueError(f"{name} must hold at least one value")
        check_range(self, "[0, inf)", "labelled", "max_length")
        check_range(self, "[1, inf)", "transformer_layers", "transformer_heads")

    def rows(self) -> list[dict[str, Any]]:
        """What is run: network, place, graph and seed. Without graphs there is no place."""
        found = []
        for network, place, graph, seed in product(self.networks, self.places, self.graphs, self.seeds):
            row = {"network": network, "place": None if graph == "none" else place, "graphs": graph, "seed": seed}
            found += [] if row in found else [row]
        return found


ARGUMENTS = {
    "agreement": AgreementArguments,
    "texts": DataArguments,
    "pairs": PairArguments,
    "questions": QuestionArguments,
}


class WholeModelObjective(GlomoTaskObjective):
    """The same for any classifier: all of it learns that wants a gradient, which the predictor does not."""

    players = {"task": ("",)}

    def learn(self, batch):
        """Mean over rows (nats)."""
        return {"loss": self.model(**batch).loss}


@dataclass
class Shared:
    """What all runs have in common."""

    task: str
    script: ScriptArguments
    models: GraphModels
    objective: GlomoTaskObjectiveArguments
    tokenizer: PreTrainedTokenizerBase
    label_names: list[str]
    rows: DatasetDict
    measured: str

    @property
    def number(self) -> str:
        """What the table is of."""
        return "answer_f1" if self.task == "questions" else "accuracy"

    def evaluator(self, split: str) -> AnswerEvaluator | LabelEvaluator:
        """Of held-out rows."""
        kind = AnswerEvaluator if self.task == "questions" else LabelEvaluator
        return kind(self.rows[split], self.tokenizer.pad_token_id)


def load_task(task: str, data: Any) -> DatasetDict:
    """The task's texts, with fixed columns."""
    if task == "agreement":
        held_out = {"validation": data.held_out_texts, "test": data.held_out_texts}
        return build_agreement_judgements({"train": data.train_texts, **held_out})
    return {"texts": load_labelled_text, "pairs": load_labelled_pairs, "questions": load_questions}[task](data)


def encode(task: str, data: DatasetDict, tokenizer: PreTrainedTokenizerBase, length: int) -> DatasetDict:
    """Token ids and labels of all splits."""
    if task != "questions":
        return DatasetDict({split: label_rows(rows, tokenizer, length) for split, rows in data.items()})
    return DatasetDict(
        {split: question_rows(rows, tokenizer, length, answered=split == "train") for split, rows in data.items()}
    )


def labelled_rows(rows: Dataset, count: int, seed: int, label_names: list[str]) -> Dataset:
    """So many of the training rows, drawn by the seed; 0: all of them."""
    if count > len(rows):
        raise ValueError(f"labelled={count} is more than the {len(rows)} training rows")
    if not count:
        return rows
    chosen = rows.select(np.random.default_rng(seed).permutation(len(rows))[:count])
    missing = set(range(len(label_names))) - set(chosen["labels"][:]) if "labels" in chosen.column_names else ()
    if missing:
        names = ", ".join(label_names[label] for label in sorted(missing))
        raise ValueError(f"labelled={count} with seed {seed} leaves no row of the label {names}: give a larger number")
    return chosen


# ---------------------------------------------------------------------------------------------------------- one run


def train(row: dict[str, Any], shared: Shared) -> dict[str, Any]:
    """One run's numbers."""
    script, began = shared.script, time.perf_counter()
    recurrent = row["network"] == "rnn"
    model = shared.models.build(row["network"], row["graphs"], row["place"], row["seed"])
    objective = (GlomoTaskObjective if recurrent else WholeModelObjective)(model, shared.objective)
    rows = labelled_rows(shared.rows["train"], script.labelled, row["seed"], shared.label_names)
    updates = train_one(
        model,
        objective,
        task_batches(rows, shared.tokenizer.pad_token_id),
        script.output_dir,
        row["seed"],
        max_steps=script.max_steps,
        num_train_epochs=script.num_train_epochs,
        per_device_train_batch_size=min(script.per_device_train_batch_size, len(rows)),
        use_cpu=script.use_cpu,
    )
    found = {f"validation_{name}": one for name, one in shared.evaluator("validation")(model).metrics.items()}
    found |= shared.evaluator("test" if "test" in shared.rows else "validation")(model).metrics
    if script.keep_models:
        keep(model, row, shared)
    about = {"training_rows": len(rows), "updates": updates, "measured_split": shared.measured}
    return about | found | {"seconds": time.perf_counter() - began}


def keep(model: nn.Module, row: dict[str, Any], shared: Shared) -> None:
    """Saves a model with its tokenizer."""
    parts = [row["network"], row["graphs"], *([row["place"]] if row["place"] else []), f"seed{row['seed']}"]
    folder = Path(shared.script.output_dir, "-".join(parts))
    if hasattr(model, "attached_graphs"):
        save_attached(model, folder, shared.tokenizer)
    else:
        model.save_pretrained(folder)
        shared.tokenizer.save_pretrained(folder)


# -------------------------------------------------------------------------------------------------------- the tables


def results(runs: list[dict[str, Any]], network: str, place: str, number: str) -> dict[str, dict[int, float]]:
    """A number by graphs and seed, of one network and place."""
    found: dict[str, dict[int, float]] = {graph: {} for graph in GRAPHS}
    for run in runs:
        if run["network"] == network and run["place"] in (place, None):
            found[run["graphs"]][run["seed"]] = run[number]
    return found


def tables(runs: list[dict[str, Any]], shared: Shared, others: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """All that is compared, in Markdown."""
    for network, place in product(shared.script.networks, shared.script.places):
        own = results(runs, network, place, shared.number)
        yield f"\n{network}, graphs at the {place}; differences with seeds paired, 95 % intervals, sign test:\n"
        yield markdown_table(paired_table(own, REFERENCES, shared.number), 2)
        by_task = {graph: {shared.task: mean(values.values())} for graph, values in own.items() if values}
        for folder, theirs in others.items():
            number = "answer_f1" if theirs and "answer_f1" in theirs[0] else "accuracy"
            for graph, values in results(theirs, network, place, number).items():
                if values and graph in by_task:
                    by_task[graph][folder] = mean(values.values())
        if others:
            count = max(map(len, by_task.values()))
            yield f"\n{network}, graphs at the {place}; {count} tasks, the mean over seeds of each:\n"
            yield markdown_table(paired_table(by_task, REFERENCES, "mean"), 2)


def main() -> None:
    # 1. Arguments, of the task that is named or that a preset is for
    task = first_flag(__file__, "task", "agreement")
    data_kind = ARGUMENTS.get(task, AgreementArguments)  # the command line refuses others
    groups = {
        "Task": TaskArguments,
        "Data": data_kind,
        "Runs": ScriptArguments,
        "Model": GraphTaskConfig,
        "Objective": GlomoTaskObjectiveArguments,
    }
    command = read_command_line(__file__, __doc__, groups, "transfer-agreement", {GraphTaskConfig: ("mix_at",)})
    _, data_arguments, script, sizes, objective = command.parts
    if task == "questions" and "transformer" in script.networks:
        raise ValueError("transformers label texts and pairs here: questions are for --networks rnn")
    output_dir = Path(script.output_dir)

    # 2. Predictor and data
    predictor = learned_predictor(GlomoModel, script.predictor)
    tokenizer = AutoTokenizer.from_pretrained(script.predictor)
    predictor.check_processor(tokenizer)
    longest = predictor.config.context_length
    if script.max_length > longest:
        raise ValueError(f"max_length is {script.max_length}, and the predictor reads {longest} tokens")
    data = load_task(task, data_arguments)
    rows = encode(task, data, tokenizer, script.max_length or longest)
    names = [] if task == "questions" else list(data["train"].features["label"].names)
    copied = script.word_vectors == "predictor"
    models = GraphModels(predictor, vars(sizes), names, copied, script.transformer_layers, script.transformer_heads)
    models.build(script.networks[0], script.graphs[0], script.places[0], 0)  # refuses what is wrong with the sizes
    shared = Shared(task, script, models, objective, tokenizer, names, rows, measured_split(data))
    settings = digest_of_runs(command.parts, predictor, map(digest_rows, rows.values()))
    shown = {"task": task, "predictor": script.predictor, "labelled": script.labelled}
    wanted = script.rows()
    print(f"{len(wanted)} runs of {len(rows['train'])} training rows; {len(tokenizer)} words")

    # 3. Runs
    def told(run: dict[str, Any]) -> str:
        at = "" if run["place"] is None else f" at the {run['place']}"
        about = f"{run['network']}, {run['graphs']}{at}, seed {run['seed']}"
        return f"{about}: {shared.number} {run[shared.number]:.2f} ({run['seconds']:.0f} s)"

    with RunFolder(output_dir, True):
        found = run_missing(wanted, output_dir, settings, lambda row: shown | train(row, shared), told)

        # 4. Tables
        others = {folder: read_log(Path(folder, RUNS_FILE)) for folder in script.also}
        text = "\n".join(tables(found, shared, others))
        print(text)
        write_text(output_dir / TABLE_FILE, f"{text.strip()}\n")
        numbers = ("accuracy", "answer_exact_match", "answer_f1")
        write_json(output_dir / "table.json", averages(found, ("network", "place", "graphs"), numbers))


if __name__ == "__main__":
    run_script(main)
