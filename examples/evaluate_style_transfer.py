"""Scores style transfer: checkpoints, files of outputs, copying, human references and other systems, in one run.

    python examples/evaluate_style_transfer.py --models runs/arae-reviews
    python examples/evaluate_style_transfer.py --models runs/arae-yelp runs/ae-yelp --dataset_name PATH_OR_ID \\
        --references_config references --systems_config peers --bf16
    python examples/evaluate_style_transfer.py --models runs/infilling-reviews --num_candidates 1 16 85
    python examples/evaluate_style_transfer.py --outputs mine=mine.txt theirs=theirs.jsonl --dataset_name PATH_OR_ID

Steps: 1 arguments, 2 data, 3 outputs that are given, 4 judges, 5 rows of given outputs, 6 rows of checkpoints, 7
tables and picture. One pair of judges learns from the training split, a second one from half of the validation split.
A references config has `text`, `label`, `references` (several a sentence); a systems config has `system`, `source`,
`label` (of the source), `output`. A file of outputs has one a line, in the order of the test split's sentences, or is
what this script writes (`outputs-NAME.jsonl`); of more than two labels, each sentence has one for each other label.
"""

from __future__ import annotations

import inspect
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from datasets import load_dataset
from transformers import AutoModel, AutoTokenizer

import hf_arae  # noqa: F401 (registers the Auto classes)
from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.splits import measured_split
from hf_arae.data.text.encoding import read_texts
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.held_out_judges import HeldOutJudges
from hf_arae.evaluation.language_model import language_model_of, reverse_perplexity
from hf_arae.evaluation.rewriting import rewrite_texts
from hf_arae.evaluation.style_transfer import TransferJudges, every_direction, leakage, other_labels
from hf_arae.evaluation.transfer_outputs import SystemOutputs, published_outputs, read_outputs_files
from hf_arae.evaluation.transfer_pictures import draw_trade_off
from hf_arae.evaluation.transfer_table import TransferTable, interval_rows, readable_intervals
from hf_arae.metrics import Bleu, ExactMatch
from hf_arae.metrics.numbers import legend
from hf_arae.storage.downloads import require_checkpoints
from hf_arae.storage.files import write_json, write_text
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.display import visible
from hf_arae.utils.tables import markdown_table, outputs_name
from hf_arae.utils.validation import check_number


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    models: list[str] = field(
        default_factory=list, metadata={"help": "These checkpoint folders or Hub ids are scored, a row each."}
    )
    outputs: list[str] = field(
        default_factory=list,
        metadata={
            "help": "These files of outputs are scored, a row each, as NAME=FILE: a line for each test sentence, in "
            "order, or JSON lines with output."
        },
    )
    output_dir: str = field(
        default="runs/evaluation", metadata={"help": "Tables, the picture and outputs go into this folder."}
    )
    references_config: str | None = field(
        default=None, metadata={"help": "This configuration of the dataset has human references."}
    )
    systems_config: str | None = field(
        default=None, metadata={"help": "This configuration of the dataset has outputs of other systems."}
    )
    judges: str | None = field(
        default=None,
        metadata={
            "help": "Trained judges are kept in this folder, and taken from it where they learnt from the same data."
        },
    )
    compare_with: str | None = field(
        default=None,
        metadata={
            "help": "The other rows are tested against the row of this name; by default the first of --models or, "
            "without one, of --outputs."
        },
    )
    reverse_perplexity_samples: int = field(
        default=100_000,
        metadata={
            "help": "A language model learns from transfers of so many training sentences, for the reverse "
            "perplexity; 0: none does."
        },
    )
    num_candidates: list[int] = field(
        default_factory=list,
        metadata={
            "help": "A model that can choose among candidates has a row for each of these numbers; without one, a row "
            "with its own number."
        },
    )
    num_beams: int = field(
        default=1, metadata={"help": "Models decode with so many beams; 1 is greedy. A choice has no beams."}
    )
    bf16: bool = field(default=False, metadata={"help": "The language models are trained in bfloat16 (autocast)."})
    seed: int = field(default=0, metadata={"help": "This number decides on the language models."})


def main() -> None:
    # 1. Arguments
    groups = {"What is measured": ScriptArguments, "Data": DataArguments}
    script, data_arguments = read_command_line(__file__, __doc__, groups).parts
    output_dir = Path(script.output_dir)
    if not (script.models or script.outputs or script.systems_config):
        raise ValueError("there is nothing to score: give --models, --outputs or --systems_config")
    for number in script.num_candidates:
        check_number("num_candidates", number, "[1, 100000]", whole=True)
    if script.num_beams > 1 and max(script.num_candidates, default=1) > 1:
        raise ValueError("num_beams is for outputs that are not chosen: give it without num_candidates above 1")
    require_checkpoints(*script.models)
    files = read_outputs_files(script.outputs)
    output_dir.mkdir(parents=True, exist_ok=True)

    # 2. Data
    data = load_labelled_text(data_arguments)
    measured = measured_split(data)
    test = data.get("test", data["validation"])
    names = test.features["label"].names
    if len(names) > 2 and (script.references_config or script.systems_config):
        raise ValueError(
            f"references and other systems' outputs say no target label, so they are for two labels; there are {names}"
        )
    rows, targets = every_direction(test["label"], len(names))  # of two labels, each sentence once
    texts, labels = list(test.select(rows)["text"]), list(test.select(rows)["label"])
    probed = data["validation"].shuffle(seed=0)
    probed = probed.select(range(min(20_000, len(probed))))
    references: dict[tuple[str, int], list[str]] = {}
    if script.references_config:
        for row in load_dataset(data_arguments.dataset_name, script.references_config, split="test"):
            references[row["text"], row["label"]] = row["references"]
        if lacking := set(zip(texts, labels, strict=True)) - set(references):
            raise ValueError(f"{script.references_config} has no references of {len(lacking)} of the test sentences")
    people = [references[pair] for pair in zip(texts, labels, strict=True)] if references else None
    checkpoints = {
        name: (AutoModel.from_pretrained(name), AutoTokenizer.from_pretrained(name)) for name in script.models
    }
    for name, (model, _) in checkpoints.items():
        if getattr(model.config, "num_attributes", 1) != len(names):
            raise ValueError(f"{name} does not write the {len(names)} labels of the data: {', '.join(names)}")
    beams = {"num_beams": script.num_beams} if script.num_beams > 1 else {}
    uses = {}  # by a row's name: the checkpoint, and how it writes
    for name, (model, _) in checkpoints.items():
        if script.num_candidates and "num_candidates" in inspect.signature(model.transfer).parameters:
            for number in script.num_candidates:
                use = f"{name} ({number} candidate{'s' if number > 1 else ''})"
                uses[use] = (name, beams | {"num_candidates": number})
        else:
            uses[name] = (name, beams)

    # 3. Outputs that are given
    everywhere = list(range(len(texts)))
    given = [SystemOutputs("copy of the input", texts, everywhere)]
    fewest = min(map(len, people)) if people else 0
    for number in range(fewest if fewest > 1 else 0):
        others = [[text for at, text in enumerate(several) if at != number] for several in people]
        human = [several[number] for several in people]
        given.append(SystemOutputs(f"human {number + 1} ({len(others[0])} others)", human, everywhere, others))
    bounds = [system.system for system in given]  # no transfers that a system would be to beat
    if script.systems_config:
        published = load_dataset(data_arguments.dataset_name, script.systems_config, split="test")
        given += published_outputs(published[:], texts, labels)
    given += [SystemOutputs(file.system, file.check(texts), everywhere) for file in files]
    known = [*(system.system for system in given), *uses]
    twice = [name for name, times in Counter(known).items() if times > 1]
    if twice:
        raise ValueError(f"two rows of the table would be called {', '.join(twice)}: give the outputs other names")
    compared = script.compare_with or next(iter([*uses, *(file.system for file in files)]), None)
    if compared not in (None, *known):
        raise ValueError(f"no row is called {compared!r} (compare_with); there are {', '.join(known)}")
    for system in given:
        if people and system.references is None:
            system.references = [people[place] for place in system.places]

    # 4. Judges
    training = {"seed": script.seed, "bf16": script.bf16}
    held_out = HeldOutJudges.from_dataset(data["validation"], script.judges, **training)
    tokenizer = train_tokenizer(data["train"]["text"])
    judges = TransferJudges.from_dataset(data["train"], data["validation"], tokenizer)
    judges.language_model = language_model_of(data["train"]["text"], tokenizer, script.judges, **training)
    table = TransferTable(judges, held_out, texts, labels, targets, script.seed)

    # 5. Rows of given outputs
    scores = {system.system: table.score(system) for system in given}
    blank = [f"{system.system}: {system.blank} of {len(texts)} outputs are empty." for system in given if system.blank]

    # 6. Rows of checkpoints
    samples, speeds = [], []
    for name, (checkpoint, writing) in uses.items():
        model, tokenizer = checkpoints[checkpoint]
        start = time.perf_counter()
        outputs = rewrite_texts(model, tokenizer, texts, targets, **writing)
        speeds.append(f"{name}: {len(texts) / (time.perf_counter() - start):.1f} sentences/s ({model.device.type}).")
        scores[name] = table.score(SystemOutputs(name, outputs, everywhere, people))
        row = scores[name].row
        if hasattr(model.config, "code_size"):  # an autoencoder
            copies, originals = rewrite_texts(model, tokenizer, texts, labels), read_texts(texts, tokenizer)
            row["reconstruction_bleu"] = Bleu().compute(predictions=copies, references=originals)["bleu"]
            row |= ExactMatch().compute(predictions=copies, references=originals)
            row |= leakage(model, tokenizer, probed["text"], probed["label"])
        if script.reverse_perplexity_samples:
            # As in Table 4.2: a language model that has read transfers only, on real held-out sentences.
            train = data["train"].shuffle(seed=script.seed)
            train = train.select(range(min(script.reverse_perplexity_samples, len(train))))
            wanted = other_labels(train["label"], len(names))
            own = rewrite_texts(model, tokenizer, train["text"], wanted, **writing)
            row["reverse_perplexity"] = reverse_perplexity(own, texts, judges.tokenizer, **training)
        samples += [f"\n{name}"]
        for value in range(len(names)):
            shown = [at for at, own in enumerate(labels) if own == value][:10]
            samples += [f"  {visible(texts[at])}\n    -> {names[targets[at]]}: {visible(outputs[at])}" for at in shown]
        lines = [
            {"source": source, "label": names[label], "target": names[target], "output": output}
            for source, label, target, output in zip(texts, labels, targets, outputs, strict=True)
        ]
        path = output_dir / outputs_name(name)
        write_text(path, "".join(json.dumps(line) + "\n" for line in lines))

    # 7. Tables and picture
    rows = [one.row for one in scores.values()]
    intervals = interval_rows(table, list(scores.values()), scores.get(compared))
    told = f"{len(test)} sentences ({measured}), {len(targets)} transfers. {judges.reliability} {held_out.reliability}"
    parts = [told, *blank, markdown_table(rows), legend(rows)]
    parts.append(
        "With 95 % intervals (1 000 resamples of the sentences)"
        + (f" and differences from {compared} (paired resamples; p by sign flips):" if compared else ":")
    )
    parts.append(markdown_table(readable_intervals(intervals)))
    print("\n".join(samples) + "\n")
    print("\n\n".join([*parts[:1], *speeds, *parts[1:]]))
    write_text(output_dir / "table.md", "\n\n".join(parts[1 + len(blank) :]) + "\n")
    write_json(output_dir / "table.json", rows)
    write_json(output_dir / "intervals.json", intervals)
    write_text(output_dir / "samples.txt", "\n".join(samples) + "\n")
    if draw_trade_off(rows, output_dir / "trade-off.png", bounds, [*uses, *(file.system for file in files)]):
        print(f"\nAccuracy against BLEU: {output_dir / 'trade-off.png'}")


if __name__ == "__main__":
    run_script(main)
