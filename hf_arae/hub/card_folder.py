"""A trained run as a folder of `model_cards/`: weights in half precision, and a card with an evaluation's table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from hf_arae.hub.cards import CARD_FILE, CardContent, make_card, pictures_in
from hf_arae.hub.family import card_text, model_class_of
from hf_arae.metrics.numbers import legend
from hf_arae.storage.files import read_json
from hf_arae.storage.processors import load_processor, save_processor
from hf_arae.storage.run_files import REPORT_FILE, read_report
from hf_arae.utils.escapes import plain
from hf_arae.utils.places import without_place, without_places
from hf_arae.utils.tables import markdown_table, outputs_name


@dataclass
class CardArguments:
    """Arguments of `python -m hf_arae.hub card`."""

    run: str = field(metadata={"help": "The folder of the training run, with weights and metrics.json."})
    folder: str = field(metadata={"help": "The model goes into this folder with its card, such as model_cards/NAME."})
    title: str = field(metadata={"help": "The card has this heading."})
    table: str = field(metadata={"help": "The table.json of the family's evaluation example, with a row of the run."})
    dataset: str = field(metadata={"help": "The training data have this name in the card's metadata and results."})
    training: str = field(metadata={"help": "The card says this of the training data, in a sentence or two."})
    protocol: str = field(default="", metadata={"help": "The card says this of how the numbers were made."})
    hardware: str = field(default="2 CPU cores", metadata={"help": "The model was trained on this hardware."})
    repository: str = field(
        default="",
        metadata={"help": "The card's snippets name this repository of the Hub; the folder's name if empty."},
    )
    split: str = field(default="test", metadata={"help": "The table's numbers are of this split."})
    domain: str = field(
        default="", metadata={"help": "The card says this of the texts among its limits, in a sentence."}
    )
    reading: str = field(
        default="", metadata={"help": "How often its outputs were usable, by which rule, as somebody read them."}
    )
    example: str = field(
        default="", metadata={"help": "The card's snippet has this sentence; a placeholder if empty."}
    )
    language: str = field(
        default="",
        metadata={"help": "The model's languages, as ISO 639 codes with commas between; none are named if empty."},
    )
    license: str = field(default="", metadata={"help": "The weights have this licence; none is named if empty."})
    publish_samples: bool = field(
        default=False, metadata={"help": "Sentences of the data go into the card, with what the model makes of them."}
    )


def make_card_folder(arguments: CardArguments) -> Path:
    """Writes weights, config, processor, pictures and card; returns the folder. `stage` and a push add the code.

    Raises:
        FileNotFoundError: the run has no metrics.json, or there is no table.
        ValueError: the table has no row for the run.
    """
    run, folder = Path(arguments.run), Path(arguments.folder)
    report = read_report(run)
    if not report:
        raise FileNotFoundError(f"{run} has no {REPORT_FILE}: give the --output_dir of a training that has ended")
    rows = read_json(arguments.table)
    # A system is a checkpoint's folder, and in brackets how it was used; the first use is the default one.
    own = [row for row in rows if Path(str(row["system"]).split(" (")[0]) == run]
    if not own:
        raise ValueError(f"{arguments.table} has no row for {run}; it has {', '.join(str(r['system']) for r in rows)}")
    config = AutoConfig.from_pretrained(run)
    text = card_text(config)
    model = model_class_of(config).from_pretrained(run)
    model.half().save_pretrained(folder)
    if (processor := load_processor(run)) is not None:
        save_processor(processor, folder)
    pictures = pictures_in(run, arguments.publish_samples)
    for name in pictures:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(run / name, folder / name)

    samples = ""
    if text.samples is not None and arguments.publish_samples:
        outputs = Path(arguments.table).with_name(outputs_name(own[0]["system"])).read_text().splitlines()
        examples = text.samples([json.loads(line) for line in outputs], list(model.config.id2label.values()))
        samples = f"{text.samples_title.strip()}\n\n{markdown_table(examples)}"
    public, shown = without_places(report), [_shown(row, text.columns) for row in rows]
    content = CardContent(
        title=arguments.title,
        repository=arguments.repository or folder.name,
        results=_by_use(own),
        runs=[part for part in (public.get("base"), public) if part],
        parameters=model.num_parameters(),
        training=arguments.training,
        dataset=arguments.dataset,
        split=arguments.split,
        protocol=arguments.protocol,
        hardware=arguments.hardware,
        precision=", stored in half precision, used in single precision",
        table=f"{markdown_table(shown)}\n\n{legend(shown)}".strip(),
        reading=arguments.reading,
        samples=samples,
        pictures=pictures,
        example=arguments.example,
        domain=arguments.domain,
        language=arguments.language,
        license=arguments.license or None,
    )
    make_card(model.config, content).save(folder / CARD_FILE)
    return folder


def _by_use(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The first row of each way of use, such as "search" of "runs/a (search)" and "runs/a (search, 8 words)"."""
    uses: dict[str, dict[str, Any]] = {}
    kinds = set()
    for row in rows:
        use = str(row["system"]).partition(" (")[2].removesuffix(")")
        kind = use.split(",")[0]
        if kind not in kinds:
            kinds.add(kind)
            uses[use] = row
    return uses


def _shown(row: dict[str, Any], columns: Sequence[str] | None) -> dict[str, Any]:
    """A row of the card's table."""
    shown = row if columns is None else {column: row[column] for column in columns if column in row}
    named = shown | {"system": without_place(str(row["system"]))}
    return {plain(key): plain(value) if isinstance(value, str) else value for key, value in named.items()}
