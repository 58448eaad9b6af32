"""Labels pairs of sentences with few labels: an encoder alone, beside an autoencoder, or beside an ARAE.

    python examples/train_entailment.py                                         # built-in scenes, three methods
    python examples/train_entailment.py --preset entailment-snli --dataset_name snli   # the upper half of Table 4.5

Each seed chooses its own labelled pairs. All sentences of the training split, labelled or not, are the autoencoder's;
its first stage, on sentences alone, is one for all fractions of a seed. The validation split chooses each run's best
update, and the test split is read once. A run that has its `metrics.json` is not repeated, so that seeds, methods and
fractions can be added later. A call that was stopped goes on with `--resume_from_checkpoint last`: what has ended is
kept, what was under way goes on from its newest checkpoint, in the first stage too, and the rest follows.

The steps: 1 arguments, 2 data, 3 tokenizer and sentences, 4 runs, each after its first stage, 5 the table, 6 with
--push_to_hub, the run with the best validation accuracy goes to the Hub. A run's folder loads with
`AutoModelForSequenceClassification`, and with `pipeline("text-classification")` given `text` and
`text_pair`.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from accelerate import PartialState
from datasets import ClassLabel, Dataset, DatasetDict
from transformers import PreTrainedTokenizerBase, set_seed
from transformers.utils import SAFE_WEIGHTS_NAME

from hf_arae.data.pair_batches import SentencesWithPairs
from hf_arae.data.pairs import PairArguments, choose_labelled, load_labelled_pairs
from hf_arae.data.splits import measured_split
from hf_arae.data.text.encoding import read_texts
from hf_arae.data.text.hidden_words import warn_of_texts
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.entailment import PairEvaluator, mean_and_interval
from hf_arae.hub.run_repository import RunRepository
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.modeling_pairs import AraeForSequenceClassification
from hf_arae.models.arae.objective_arae import AraeObjective
from hf_arae.models.arae.objective_pairs import METHODS, AraePairObjective, AraePairObjectiveArguments
from hf_arae.storage.files import read_json, write_json, write_text
from hf_arae.storage.run_files import read_report
from hf_arae.storage.wholeness import find_result_damage, result_state
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.checkpoint import list_checkpoints
from hf_arae.training.fingerprint import OF_NO_EFFECT
from hf_arae.training.interruption import time_left
from hf_arae.training.run_folder import refuse_earlier_run
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.display import visible
from hf_arae.utils.tables import markdown_table

# The method stands among the script's flags; no sentence has a label of its own.
NOT_FLAGS = {
    AraePairObjectiveArguments: ("method",),
    AraeConfig: ("mask_attribute_words", "salience_threshold"),
}


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    method: list[str] = field(
        default_factory=lambda: list(METHODS),
        metadata={
            "help": "The methods are compared: labelled pairs alone, or beside an autoencoder, or beside an ARAE.",
            "choices": METHODS,
        },
    )
    label_fraction: list[float] = field(
        default_factory=lambda: [0.1],
        metadata={"help": "These shares of the training pairs have their labels, each in a run of its own."},
    )
    seeds: list[int] = field(
        default_factory=lambda: [0, 1, 2],
        metadata={"help": "A seed chooses labelled pairs, weights and their order; a run each."},
    )
    autoencoding_steps: int = field(
        default=300,
        metadata={
            "help": "The first stage has so many updates, on sentences alone; supervised has none. 0: no stage."
        },
    )
    pairs_per_batch: int = field(
        default=64, metadata={"help": "An iteration has so many labelled pairs on each process."}
    )
    vocab_size: int = field(default=11_000, metadata={"help": "The vocabulary has at most so many words."})
    min_frequency: int = field(
        default=1, metadata={"help": "A word that the training data have less often than this becomes <unk>."}
    )
    max_length: int = field(
        default=20,
        metadata={
            "help": "The autoencoder sees no sentence with more words than this; a pair may have twice as many."
        },
    )

    def __post_init__(self):
        unknown = [method for method in self.method if method not in METHODS]
        if unknown or not self.method:
            raise ValueError(f"method must be one or more of {', '.join(METHODS)}; got {', '.join(unknown)}")
        if not self.seeds or not self.label_fraction:
            raise ValueError("give at least one seed and one label_fraction")


def keep_settings(out: Path, settings: dict) -> None:
    """Writes down what all runs of a table have in common.

    Raises:
        ValueError: the folder holds runs with other settings.
    """
    out.mkdir(parents=True, exist_ok=True)
    path, settings = out / "settings.json", json.loads(json.dumps(settings))  # as it is read from a file
    before = read_json(path) if path.exists() else settings
    if not isinstance(before, dict):
        raise ValueError(f"{path} is damaged: it holds no settings")
    changed = [name for name, value in settings.items() if name in before and before[name] != value]
    if changed:
        listed = "; ".join(f"{name}: was {before[name]}, now {settings[name]}" for name in changed)
        raise ValueError(f"{out} holds runs with other settings; give another output_dir. {listed}")
    if before is settings and PartialState().is_main_process:
        write_json(path, settings)


def has_ended(folder: Path) -> bool:
    """Whether a training has left its result in a folder; if that is damaged, its checkpoints give it anew."""
    return (folder / SAFE_WEIGHTS_NAME).exists() or result_state(folder) is not None


def check_folders(runs: list[Path], stages: list[Path], arguments: TrainingArguments) -> None:
    """Makes sure, before anything is trained, that no run begins where one has stopped that could go on.

    Raises:
        FileExistsError: one has.
        ValueError: `resume_from_checkpoint` is a path that is in none of the runs that are to go on.
    """
    wanted = arguments.resume_from_checkpoint
    unfinished = [run for run in runs if not read_report(run)] + [stage for stage in stages if not has_ended(stage)]
    if wanted is None and not arguments.overwrite_output_dir:
        for folder in unfinished:
            refuse_earlier_run(folder)
    elif wanted not in (None, "last") and Path(wanted).resolve().parent not in [run.resolve() for run in unfinished]:
        raise ValueError(
            f"resume_from_checkpoint={wanted!r} is in none of the runs of this call that have not ended. "
            f"Accepted: 'last', or a checkpoint of one of them."
        )


def arguments_of(folder: Path, common: TrainingArguments, began: float, **changes) -> TrainingArguments:
    """The arguments of one training. A path to resume from is of the run that it lies in; others resume 'last'."""
    wanted = common.resume_from_checkpoint
    if wanted is not None and Path(wanted).resolve().parent != folder.resolve():
        wanted = "last"
    changes |= {"resume_from_checkpoint": wanted, "push_to_hub": False, "max_time": time_left(common.max_time, began)}
    return replace(common, output_dir=str(folder), **changes)


def unlabelled_sentences(pairs: Dataset, tokenizer: PreTrainedTokenizerBase) -> TokenArrays:
    """All different sentences of the pairs that are not over the tokenizer's limit."""
    texts = list(dict.fromkeys([*pairs["premise"], *pairs["hypothesis"]]))
    return TokenArrays.from_texts(texts, tokenizer)


def first_stage(
    config: AraeConfig, settings: AraePairObjectiveArguments, arguments: TrainingArguments, sentences: TokenArrays
) -> None:
    """Trains an autoencoder on sentences alone; its folder is `arguments.output_dir`.

    Where that has ended, its trainer only checks that nothing has changed, and writes anew what is damaged.
    """
    folder = Path(arguments.output_dir)
    if has_ended(folder):
        damage = find_result_damage(folder)
        if damage is None and not list_checkpoints(folder):
            return
        if damage is not None:
            print(f"the first stage in {folder} is not whole ({damage}): its result is written again")
        arguments = replace(arguments, resume_from_checkpoint="last", overwrite_output_dir=False)
    set_seed(arguments.seed)
    model = AraeModel(config)
    trainer = PhaseTrainer(model, AraeObjective(model, settings), arguments, sentences)
    trainer.train()


def run(
    config: AraeConfig,
    base: Path | None,
    settings: AraePairObjectiveArguments,
    arguments: TrainingArguments,
    sentences: TokenArrays,
    data: DatasetDict,
    tokenizer: PreTrainedTokenizerBase,
    pairs_per_batch: int,
) -> tuple[PhaseTrainer, dict[str, float | str]]:
    """Trains on `data["train"]` as labelled pairs; returns the trainer, and validation and test accuracy."""
    set_seed(arguments.seed)
    if base is None:
        model = AraeForSequenceClassification(config)
    else:
        model = AraeForSequenceClassification.from_pretrained(base, config=config)
    trainer = PhaseTrainer(
        model,
        AraePairObjective(model, settings),
        arguments,
        SentencesWithPairs(sentences, data["train"], tokenizer, pairs_per_batch),
        processing_class=tokenizer,
        evaluator=PairEvaluator(tokenizer, data["validation"]),
    )
    result = trainer.train()
    test = PairEvaluator(tokenizer, data.get("test", data["validation"]), num_printed=6)(model)
    print("\n".join(f"    {visible(line)}" for line in test.samples))
    found = {"validation_accuracy": result.metrics.get("accuracy"), "accuracy": test.metrics["accuracy"]}
    found["measured_split"] = measured_split(data)
    found |= {"labelled_pairs": len(data["train"]), "updates": result.steps, "minutes": result.seconds / 60}
    return trainer, found


def main() -> None:
    # 1. Arguments
    began = time.monotonic()
    groups = {
        "Data": PairArguments,
        "Runs": ScriptArguments,
        "Model": AraeConfig,
        "Objective": AraePairObjectiveArguments,
        "Training": TrainingArguments,
    }
    command = read_command_line(__file__, __doc__, groups, "entailment-scenes", NOT_FLAGS)
    pair_arguments, script, sizes, objective_arguments, training_arguments = command.parts
    out = Path(training_arguments.output_dir)
    own = ("method", "label_fraction", "seeds", "seed", *OF_NO_EFFECT)
    common = {name: value for part in command.parts for name, value in asdict(part).items() if name not in own}

    runs = {
        (method, fraction, seed): out / f"{method}-{fraction:g}-seed{seed}"
        for method in script.method
        for fraction in script.label_fraction
        for seed in script.seeds
    }
    staged = [method for method in script.method if method != "supervised" and script.autoencoding_steps]
    stages = {(method, seed): out / f"{method}-sentences-seed{seed}" for method in staged for seed in script.seeds}
    check_folders([*runs.values()], [*stages.values()], training_arguments)

    # 2. Data
    data = load_labelled_pairs(pair_arguments)
    labelled = {
        (fraction, seed): choose_labelled(data["train"], fraction, seed)
        for fraction in script.label_fraction
        for seed in script.seeds
    }

    keep_settings(out, common)
    repository = None
    if training_arguments.push_to_hub and PartialState().is_main_process:
        repository = RunRepository(training_arguments)

    # 3. Tokenizer and sentences
    tokenizer = train_tokenizer(
        [*data["train"]["premise"], *data["train"]["hypothesis"]],
        script.vocab_size,
        script.min_frequency,
        script.max_length,
    )
    sentences = unlabelled_sentences(data["train"], tokenizer)
    kind: ClassLabel = data["train"].features["label"]
    config = AraeConfig.from_tokenizer(tokenizer, id2label=dict(enumerate(kind.names)), **vars(sizes))
    tokenizer.model_max_length *= 2  # from here on it reads pairs
    for split, pairs in data.items():
        read = [read_texts(pairs[column], tokenizer) for column in ("premise", "hypothesis")]
        warn_of_texts([f"{one} {other}" for one, other in zip(*read, strict=True)], tokenizer, split, pairs=True)
    print(f"{len(data['train'])} pairs, {len(sentences)} sentences, {len(tokenizer)} words")

    # 4. Runs, each after its first stage
    rows, numbers, done = [], [], set()
    for method in script.method:
        settings = replace(objective_arguments, method=method)
        row: dict[str, str | float] = {"method": method}
        for fraction in script.label_fraction:
            results = []
            for seed in script.seeds:
                folder, base = runs[method, fraction, seed], stages.get((method, seed))
                report = read_report(folder)
                if report:
                    print(f"{folder} is there: not repeated")
                    results.append(report["accuracy"])
                    continue
                if base is not None and base not in done:
                    changes = {"max_steps": script.autoencoding_steps, "seed": seed}
                    changes |= {"eval_steps": 0, "metric_for_best_model": None}
                    first_stage(config, settings, arguments_of(base, training_arguments, began, **changes), sentences)
                    done.add(base)
                arguments = arguments_of(folder, training_arguments, began, seed=seed)
                own = DatasetDict(data | {"train": labelled[fraction, seed]})
                trainer, found = run(
                    config, base, settings, arguments, sentences, own, tokenizer, script.pairs_per_batch
                )
                shown = {name: value for name, value in found.items() if not isinstance(value, str)}
                print(f"{folder}: " + "  ".join(f"{name} {value:.2f}" for name, value in shown.items()))
                about = {"method": method, "label_fraction": fraction, "seed": seed}
                trainer.finish(about | found, command.parts, preset=command.preset)
                results.append(found["accuracy"])
            mean, half = mean_and_interval(results)
            pairs = len(labelled[fraction, script.seeds[0]])
            about = {"method": method, "label_fraction": fraction, "labelled_pairs": pairs}
            numbers.append(about | {"accuracy": mean, "interval": half, "seeds": len(results)})
            cell = f"{mean:.1f} ± {half:.1f}" if len(results) > 1 else f"{mean:.1f}"
            row[f"{100 * fraction:.4g} % ({pairs} pairs)"] = cell
        rows.append(row)

    # 5. The table
    test = data.get("test", data["validation"])
    majority = max(map(test["label"][:].count, range(len(kind.names)))) / len(test)
    table = markdown_table(rows)
    note = (
        f"Accuracy (%) on {len(test)} held-out pairs, mean and 95 % interval over the seeds "
        f"{', '.join(map(str, script.seeds))}; the most frequent label has {100 * majority:.1f} %."
    )
    print(f"\n{note}\n\n{table}")
    if PartialState().is_main_process:
        write_text(out / "table.md", f"{note}\n\n{table}\n")
        write_json(out / "table.json", numbers)

    # 6. The run with the best validation accuracy goes to the Hub, if wanted
    if repository is not None:
        best = max(runs.values(), key=lambda folder: read_report(folder)["validation_accuracy"])
        shutil.copyfile(out / "table.md", best / "table.md")
        print(f"{best} pushed to {repository.push_result(best)}")


if __name__ == "__main__":
    run_script(main)
