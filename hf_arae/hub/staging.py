"""Stages a trained run as a Hub repository: weights in half precision and a card written from the run itself.

    python -m hf_arae.hub.staging --run runs/arae-yelp --folder model_cards/arae-yelp --title "ARAE, Yelp sentiment" \\
        --table runs/evaluation/table.json --dataset "Yelp sentiment" --training "Where the sentences come from."
    python -m hf_arae.hub.staging --run runs/ursae-news --folder model_cards/ursae-news ...
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers import AutoConfig, AutoTokenizer, HfArgumentParser

import hf_arae
from hf_arae.hub.card_texts import card_text, template
from hf_arae.evaluation.tables import markdown_table, outputs_name

PICTURES = ("curves.png", "samples.md")  # of a run; what there is goes along


@dataclass
class CardArguments:
    """Arguments of the command."""

    run: str = field(metadata={"help": "Training run: a folder with weights and metrics.json."})
    folder: str = field(metadata={"help": "Where the repository is staged."})
    title: str = field(metadata={"help": "Heading of the card."})
    table: str = field(metadata={"help": "table.json of the family's evaluation example, with the run among it."})
    dataset: str = field(metadata={"help": "Name of the training data, for the metadata and the results."})
    training: str = field(metadata={"help": "A sentence or two on the training data."})
    protocol: str = field(default="", metadata={"help": "How the numbers were made."})
    hardware: str = field(default="2 CPU cores", metadata={"help": "What it was trained on."})
    repository: str = field(
        default="", metadata={"help": "Hub id that the snippets name; the folder's name if empty."}
    )
    language: str = field(default="en", metadata={"help": "Language code."})
    example: str = field(default="", metadata={"help": "Sentence of the snippet; the family's own if empty."})
    license: str = field(default="apache-2.0", metadata={"help": "Licence of the weights."})


def stage(arguments: CardArguments) -> Path:
    """Writes the repository; returns its folder.

    Raises:
        FileNotFoundError: the run has no metrics.json, or there is no table.
        ValueError: the table has no row for the run.
    """
    run, folder = Path(arguments.run), Path(arguments.folder)
    report = json.loads((run / "metrics.json").read_text())
    rows = json.loads(Path(arguments.table).read_text())
    # A system is a checkpoint's folder, and in brackets how it was used; the first use is the default one.
    own = [row for row in rows if Path(str(row["system"]).split(" (")[0]) == run]
    if not own:
        raise ValueError(f"{arguments.table} has no row for {run}; it has {', '.join(str(r['system']) for r in rows)}")
    outputs = Path(arguments.table).with_name(outputs_name(own[0]["system"])).read_text().splitlines()

    text = card_text(AutoConfig.from_pretrained(run))
    model = text.auto_class.from_pretrained(run)
    model.half().save_pretrained(folder)
    AutoTokenizer.from_pretrained(run).save_pretrained(folder)

    pictures = [name for name in PICTURES if (run / name).is_file()]
    for name in pictures:
        shutil.copyfile(run / name, folder / name)

    labels = list(model.config.id2label.values())
    results = [
        EvalResult(
            task_type=text.task_type,
            task_name=text.task_name,
            dataset_type=re.sub(r"\W+", "-", arguments.dataset.lower()).strip("-"),
            dataset_name=arguments.dataset,
            dataset_split="test",
            metric_type=key,
            metric_name=name,
            metric_value=round(own[0][key], 2),
        )
        for key, name in text.results.items()
        if own[0].get(key) is not None
    ]
    data = ModelCardData(
        language=arguments.language,
        license=arguments.license,
        library_name="hf_arae",
        pipeline_tag=text.task_type,
        tags=text.tags,
        model_name=arguments.title,
        eval_results=results,
    )
    card = ModelCard.from_template(
        data,
        template_str=template(text),
        title=arguments.title,
        repository=arguments.repository or folder.name,
        labels=" / ".join(labels),
        example=arguments.example or text.example,
        example_target=labels[-1],
        training=arguments.training,
        runs=[_run(part) for part in (report.get("base"), report) if part],
        hardware=arguments.hardware,
        parameters=f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M",
        protocol=arguments.protocol,
        table=markdown_table([_shown(row, text.columns) for row in rows]),
        samples=markdown_table(text.samples([json.loads(line) for line in outputs], labels)),
        vocabulary=f"{model.config.vocab_size:,}",
        config=model.config,
        pictures=pictures,
    )
    card.save(folder / "README.md")
    return folder


def _shown(row: dict[str, Any], columns: Sequence[str] | None) -> dict[str, Any]:
    """A row of the card's table."""
    shown = row if columns is None else {column: row[column] for column in columns if column in row}
    return shown | {"system": Path(str(row["system"])).name}


def _run(report: dict[str, Any]) -> dict[str, str]:
    """One training's line of the card."""
    return {
        "command": report["command"],
        "updates": f"{report['updates']:,}",
        "minutes": f"{report['minutes']:.0f}",
        "seed": str(report["seed"]),
    }


def main() -> None:
    (arguments,) = HfArgumentParser(CardArguments).parse_args_into_dataclasses()
    folder = stage(arguments)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.1f} MB, hf_arae {hf_arae.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
