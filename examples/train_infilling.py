"""Trains an editor of sentences: it rewrites them with another label by changing the words that tell the label.

    python examples/train_infilling.py                                            # built-in corpus
    python examples/train_infilling.py --preset infilling-yelp --dataset_name OWNER/NAME
    python examples/train_infilling.py --train_file reviews.csv --output_dir runs/mine

The first stage learns to fill gaps, to tell labels and to say how usual a sentence is. Each round then lets the model
rewrite sentences of the training data, and trains its rewriter to undo that. A call that was stopped goes on with
`--resume_from_checkpoint last`, in whichever stage it was.

The steps: 1 arguments, 2 data and tokenizer, 3 model, 4 first stage, 5 rounds, 6 the choice, 7 the test split's table.
The result, `--output_dir`, loads with `pipeline("text-style-transfer", model=...)` and `AutoModel.from_pretrained`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import Dataset, concatenate_datasets
from pyarrow.parquet import read_table
from transformers import set_seed
from transformers.utils import SAFE_WEIGHTS_NAME, logging

from hf_arae.data.collated_rows import CollatedRows
from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.splits import measured_split
from hf_arae.data.text.encoding import encode_dataset, read_dataset
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.held_out_judges import judges_halves
from hf_arae.evaluation.rewriting import rewrite_texts
from hf_arae.evaluation.style_transfer import TransferJudges, every_direction
from hf_arae.hub.run_repository import RunRepository
from hf_arae.models.infilling.configuration_infilling import InfillingConfig
from hf_arae.models.infilling.modeling_infilling import InfillingModel
from hf_arae.models.infilling.objective_infilling import InfillingObjective, InfillingObjectiveArguments
from hf_arae.models.infilling.preparation import measure_usualness, prepare_model
from hf_arae.models.infilling.rounds import collate_pairs, rewriting_pairs
from hf_arae.models.infilling.tuning import choose_operating_point
from hf_arae.storage.files import whole_file
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.interruption import time_left
from hf_arae.training.run_folder import RunFolder, check_start, clear
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.digests import digest
from hf_arae.utils.display import visible
from hf_arae.utils.distributed import from_main
from hf_arae.utils.tables import markdown_table
from hf_arae.utils.validation import check_number, check_range

logger = logging.get_logger("hf_arae.examples.train_infilling")

PAIRS_FILES = "pairs-*.parquet"


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    vocab_size: int = field(default=30_000, metadata={"help": "The vocabulary has at most so many words."})
    min_frequency: int = field(
        default=1, metadata={"help": "A word that the training data have less often than this becomes <unk>."}
    )
    max_length: int = field(default=25, metadata={"help": "A sentence is cut after this many words."})
    salience_smoothing: float = field(
        default=5.0,
        metadata={
            "help": "This is added to each word's count of sentences, above 0: a larger number spares rare words."
        },
    )
    rounds: int = field(default=2, metadata={"help": "So many rounds of rewriting follow the first stage; 0: none."})
    round_sentences: int = field(
        default=30_000, metadata={"help": "A round rewrites so many sentences of the training data, or all of fewer."}
    )
    round_candidates: list[int] = field(
        default_factory=lambda: [4, 16],
        metadata={"help": "The first, the second, ... round chooses from so many candidates; later ones as the last."},
    )
    round_steps: list[int] = field(
        default_factory=lambda: [500],
        metadata={"help": "The first, the second, ... round trains for so many iterations; later ones as the last."},
    )
    round_learning_rate: list[float] = field(
        default_factory=lambda: [5e-4],
        metadata={"help": "The editor's learning rate in each round, likewise; it falls to 0 linearly."},
    )
    accuracy: float = field(
        default=0.95,
        metadata={"help": "The weights of the choice are set for this share of accepted transfers, in (0, 1]."},
    )
    tuning_sentences: int = field(
        default=500, metadata={"help": "They are found on so many sentences of the validation split."}
    )
    candidates: list[int] = field(
        default_factory=lambda: [1, 16],
        metadata={"help": "The test split is rewritten by the best of so many candidates, a row of the table each."},
    )

    def __post_init__(self):
        check_range(self, "[0, 100]", "rounds")
        check_range(self, "[1, inf)", "max_length", "round_sentences", "tuning_sentences")
        check_range(self, "(0, inf)", "salience_smoothing")
        check_range(self, "(0, 1]", "accuracy")
        whole = {"round_candidates": "[2, 100000]", "candidates": "[1, 100000]", "round_steps": "[1, inf)"}
        for name, interval in (whole | {"round_learning_rate": "(0, inf)"}).items():
            if not getattr(self, name):
                raise ValueError(f"{name} needs at least one number")
            for number in getattr(self, name):
                check_number(f"each of {name}", number, interval, name in whole)
        if not self.rounds and 1 in self.candidates:
            raise ValueError(
                "candidates has 1, which is the rewriter's own output, and with rounds=0 no rewriter is trained: give "
                "numbers above 1"
            )


def of_round(values: list, number: int):
    """The value of a round, 1 the first one: the last value is that of all later ones."""
    return values[min(number, len(values)) - 1]


def main() -> None:
    # 1. Arguments
    groups = {
        "Data": DataArguments,
        "Vocabulary and rounds": ScriptArguments,
        "Model": InfillingConfig,
        "Objective": InfillingObjectiveArguments,
        "Training": TrainingArguments,
    }
    command = read_command_line(__file__, __doc__, groups, preset="infilling-reviews")
    data_arguments, script, sizes, objective_arguments, training_arguments = command.parts
    set_seed(training_arguments.seed)
    began, out = time.monotonic(), Path(training_arguments.output_dir)
    if training_arguments.resume_from_checkpoint not in (None, "last"):
        raise ValueError(
            "resume_from_checkpoint must be last here: of the stages, each in its own folder, the run goes on with "
            "the one in which it was stopped"
        )
    folders = [*(out / f"stage-{number}" for number in range(script.rounds)), out]  # the last stage has output_dir
    for folder in folders:
        if folder == out or not (folder / SAFE_WEIGHTS_NAME).exists():
            check_start(replace(training_arguments, output_dir=str(folder)))

    # 2. Data
    data = load_labelled_text(data_arguments)
    names = data["train"].features["label"].names
    # The choice is tuned on the half of the validation split that the held-out judges of evaluate_style_transfer.py do
    # not learn from, so that these remain strangers to it.
    _, other = judges_halves(data["validation"]["text"][:], data["validation"]["label"][:])
    tuning = other[: script.tuning_sentences]
    held_out = Dataset.from_dict({"text": [text for text, _ in tuning], "label": [label for _, label in tuning]})
    tokenizer = train_tokenizer(data["train"]["text"], script.vocab_size, script.min_frequency, script.max_length)
    for split in data:
        data[split] = read_dataset(data[split], tokenizer, split, drop_longer=False)
    held_out = read_dataset(held_out, tokenizer, "validation", drop_longer=False)
    encoded = encode_dataset(data["train"], tokenizer)

    # 3. Model
    config = InfillingConfig.from_tokenizer(
        tokenizer, num_attributes=len(names), id2label=dict(enumerate(names)), **vars(sizes)
    )
    model = InfillingModel(config)
    prepare_model(model, tokenizer, encoded, script.salience_smoothing)
    print(f"{len(data['train'])} sentences, {len(tokenizer)} words, {model.num_parameters() / 1e6:.1f} M parameters")

    # 4. The first stage. A stage that has ended is only checked
    anew, repository = training_arguments.overwrite_output_dir, None

    def prepare() -> None:
        """Says at once what cannot be pushed, and takes all that a run that goes on would take for its own."""
        nonlocal repository
        if training_arguments.push_to_hub:
            repository = RunRepository(training_arguments, tokenizer)
        for folder in folders if anew else ():
            with RunFolder(folder, True):
                clear(folder)
        for pairs_file in out.glob(PAIRS_FILES) if anew else ():
            pairs_file.unlink()

    def train(number: int, objective: InfillingObjective, rows: TokenArrays | CollatedRows, **changes) -> PhaseTrainer:
        folder, last = folders[number], number == script.rounds
        goes_on = training_arguments.resume_from_checkpoint is not None or (folder / SAFE_WEIGHTS_NAME).exists()
        arguments = replace(
            training_arguments,
            output_dir=str(folder),
            seed=training_arguments.seed + number,
            resume_from_checkpoint="last" if goes_on and not anew else None,
            push_to_hub=last and training_arguments.push_to_hub,
            max_time=time_left(training_arguments.max_time, began),
            **changes,
        )
        trainer = PhaseTrainer(model, objective, arguments, rows, processing_class=tokenizer)
        if number == 0 and trainer.accelerator.is_main_process:
            prepare()
        trainer.repository = repository
        result = trainer.train()
        print(f"stage {number}: {result.steps} updates in {result.seconds / 60:.1f} minutes")
        return trainer

    trainer = train(0, InfillingObjective(model, objective_arguments), TokenArrays(encoded, tokenizer.pad_token_id))

    # 5. Rounds, each on what the model of the stage before writes
    order, made = np.random.default_rng(training_arguments.seed).permutation(len(encoded)), []
    for number in range(1, script.rounds + 1):
        candidates = of_round(script.round_candidates, number)
        weights = digest(*(np.ascontiguousarray(value.cpu().numpy()) for value in model.state_dict().values()))
        name = digest(f"{weights} {script.round_sentences} {candidates} {training_arguments.seed}".encode())
        pairs_file = out / PAIRS_FILES.replace("*", f"{number}-{name}")
        if not from_main(lambda path=pairs_file: _is_readable(path)):
            start = (number - 1) * script.round_sentences
            chosen = encoded.select(
                order.take(range(start, start + min(script.round_sentences, len(order))), mode="wrap")
            )
            pairs = rewriting_pairs(
                model.eval(),
                chosen["input_ids"][:],
                chosen["attribute"][:],
                candidates,
                distillation=number > 1,
                seed=training_arguments.seed + number,
                precision="bfloat16" if training_arguments.bf16 else "float32",
                disable_tqdm=training_arguments.disable_tqdm,
            )
            if len(pairs) < training_arguments.per_device_train_batch_size:
                raise ValueError(
                    f"only {len(pairs)} of {len(chosen)} sentences were rewritten so that the model itself takes them "
                    "for the other label: train the first stage for longer (max_steps), or give more round_sentences"
                )
            from_main(lambda path=pairs_file, pairs=pairs: _store(pairs, path))
        made.append(pairs_file)
        # The last round learns from the pairs of all.
        files = made if number == script.rounds else [pairs_file]
        pairs = concatenate_datasets([Dataset(read_table(file)) for file in files])
        print(f"round {number}: {len(pairs)} pairs, such as")
        for pair in pairs.select(range(0, len(pairs), max(1, len(pairs) // 5))):
            read, written = tokenizer.batch_decode([pair["source_ids"], pair["input_ids"]], skip_special_tokens=True)
            print(f"    {visible(read)}\n      -> {names[pair['attribute']]}: {visible(written)}")
        model.config.rewriter_trained = True
        settings = replace(objective_arguments, learning_rate=of_round(script.round_learning_rate, number))
        objective = InfillingObjective(model.train(), settings, rewriting=True)
        rows = CollatedRows(pairs, collate_pairs(tokenizer.pad_token_id), length_column="length")
        trainer = train(number, objective, rows, max_steps=of_round(script.round_steps, number))

    # 6. How usual sentences are, and the weights of the choice, on the half of the validation split kept for that
    model = trainer.model.eval()
    rows = encode_dataset(held_out, tokenizer)
    judges = TransferJudges.from_dataset(data["train"], data["validation"])
    measure_usualness(model, rows["input_ids"][:], rows["attribute"][:])
    point = choose_operating_point(
        model,
        rows["input_ids"][:],
        rows["attribute"][:],
        lambda sentences: judges.accuracy.predict(tokenizer.batch_decode(sentences)),
        script.accuracy,
    )
    print(f"operating point on {len(rows)} validation sentences: {point}")
    trainer.save_model()

    # 7. The test split's table (the validation split's, where there is no test split)
    test = data.get("test", held_out)
    rows, targets = every_direction(test["label"], len(names))
    sources, own = list(test.select(rows)["text"]), list(test.select(rows)["label"])
    table, metrics = [], {}
    for number in script.candidates:
        start = time.perf_counter()
        outputs = rewrite_texts(model, tokenizer, sources, targets, num_candidates=number)
        seconds = time.perf_counter() - start
        metrics = judges.score(sources, outputs, targets)
        table.append({"candidates": number, **metrics, "sentences_per_second": len(outputs) / seconds})
    if not trainer.accelerator.is_main_process:
        return
    shown = slice(None, None, max(1, len(sources) // 20))
    for source, label, target, output in list(zip(sources, own, targets, outputs, strict=True))[shown]:
        print(f"  ({names[label]}) {visible(source)}\n    -> {names[target]}: {visible(output)}")
    print(f"\n{len(test)} held-out sentences, {len(targets)} transfers. {judges.reliability}\n")
    print(markdown_table(table))
    trainer.finish(metrics, command.parts, preset=command.preset, measured_split=measured_split(data))
    print(f'\nNow: pipeline("text-style-transfer", model="{training_arguments.output_dir}")')


def _is_readable(pairs_file: Path) -> bool:
    if not pairs_file.exists():
        return False
    try:
        read_table(pairs_file)
    except (OSError, pa.ArrowException) as error:
        logger.warning("%s is damaged, and its sentences are rewritten again: %s", pairs_file, error)
        return False
    return True


def _store(pairs: Dataset, pairs_file: Path) -> None:
    with whole_file(pairs_file) as unfinished:
        pairs.to_parquet(unfinished)


if __name__ == "__main__":
    run_script(main)
