"""Stages a trained run as a Hub repository: weights in half precision and a card written from the run itself.

    python -m hf_arae.model_card --run runs/arae-yelp --folder model_cards/arae-yelp --title "ARAE, Yelp sentiment" \\
        --table runs/evaluation/table.json --dataset "Yelp sentiment" --training "Where the sentences come from."
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import torch
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers import AutoModel, AutoTokenizer, HfArgumentParser

import hf_arae
from hf_arae.evaluation.tables import markdown_table

RESULTS = {
    "transfer_accuracy": "Transfer accuracy (%)",
    "self_bleu": "BLEU to the source",
    "reference_bleu": "BLEU to the human references",
    "perplexity": "Perplexity",
    "reverse_perplexity": "Reverse perplexity",
    "reconstruction_bleu": "BLEU of greedy reconstructions",
    "probe_accuracy": "Style that a fresh probe reads from the codes (%)",
}

TEMPLATE = """---
{{ card_data }}
---

# {{ title }}

An adversarially regularized autoencoder (ARAE) that rewrites a sentence with another attribute value:
{{ labels }}. It was trained without paired sentences.

```python
import hf_arae
from transformers import pipeline

transfer = pipeline("text-style-transfer", model="{{ repository }}")
print(transfer("{{ example }}", target="{{ example_target }}"))
```

Without the package: `pipeline(model="{{ repository }}", trust_remote_code=True)`.

## Training

{{ training }}

Command:

```
{{ command }}
```

{{ updates }} updates in {{ minutes }} minutes on {{ hardware }}; seed {{ seed }}. Model: {{ parameters }} parameters,
stored in half precision, used in single precision.

## Results

{{ protocol }}

{{ table }}

## Unpicked transfers

The first ten test sentences of each label, greedy.

{{ samples }}

## Limits

- It knows {{ vocabulary }} words and sentences of up to {{ length }} words of the kind it was trained on; other words
  are unknown to it and are lost.
- A changed sentiment is a changed meaning: do not present its output as what a person said.
- A code is one vector: names, numbers and rare words of a long sentence are often replaced by likelier ones.
- It repeats what its training texts say, prejudice included.

## Citation

```bibtex
@inproceedings{zhao2018adversarially,
  title={Adversarially Regularized Autoencoders},
  author={Zhao, Junbo and Kim, Yoon and Zhang, Kelly and Rush, Alexander M. and LeCun, Yann},
  booktitle={International Conference on Machine Learning},
  year={2018}
}
```
"""


@dataclass
class CardArguments:
    """Arguments of the command."""

    run: str = field(metadata={"help": "Training run: a folder with weights and metrics.json."})
    folder: str = field(metadata={"help": "Where the repository is staged."})
    title: str = field(metadata={"help": "Heading of the card."})
    table: str = field(metadata={"help": "table.json of examples/evaluate_style_transfer.py, with the run among it."})
    dataset: str = field(metadata={"help": "Name of the training data, for the metadata and the results."})
    training: str = field(metadata={"help": "A sentence or two on the training data."})
    protocol: str = field(default="", metadata={"help": "How the numbers were made."})
    hardware: str = field(default="2 CPU cores", metadata={"help": "What it was trained on."})
    repository: str = field(
        default="", metadata={"help": "Hub id that the snippets name; the folder's name if empty."}
    )
    language: str = field(default="en", metadata={"help": "Language code."})
    example: str = field(default="the food was awful .", metadata={"help": "Sentence of the snippet."})
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
    own = [row for row in rows if Path(str(row["system"])) == run]
    if not own:
        raise ValueError(f"{arguments.table} has no row for {run}; it has {', '.join(str(r['system']) for r in rows)}")
    outputs = Path(arguments.table).with_name(f"outputs-{run.name}.jsonl").read_text().splitlines()

    model = AutoModel.from_pretrained(run)
    model.half().save_pretrained(folder)
    AutoTokenizer.from_pretrained(run).save_pretrained(folder)

    names = list(model.config.id2label.values())
    repository = arguments.repository or folder.name
    results = [
        EvalResult(
            task_type="text-generation",
            task_name="Unaligned style transfer",
            dataset_type=re.sub(r"\W+", "-", arguments.dataset.lower()).strip("-"),
            dataset_name=arguments.dataset,
            dataset_split="test",
            metric_type=key,
            metric_name=name,
            metric_value=round(own[0][key], 2),
        )
        for key, name in RESULTS.items()
        if own[0].get(key) is not None
    ]
    data = ModelCardData(
        language=arguments.language,
        license=arguments.license,
        library_name="hf_arae",
        pipeline_tag="text-generation",
        tags=["arae", "style-transfer", "autoencoder"],
        model_name=arguments.title,
        eval_results=results,
    )
    card = ModelCard.from_template(
        data,
        template_str=TEMPLATE,
        title=arguments.title,
        repository=repository,
        labels=" / ".join(names),
        example=arguments.example,
        example_target=names[-1],
        training=arguments.training,
        command=report["command"],
        updates=f"{report['updates']:,}",
        minutes=f"{report['minutes']:.0f}",
        hardware=arguments.hardware,
        seed=report["seed"],
        parameters=f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M",
        protocol=arguments.protocol,
        table=markdown_table([{**row, "system": Path(str(row["system"])).name} for row in rows]),
        samples=_samples([json.loads(line) for line in outputs], names),
        vocabulary=f"{model.config.vocab_size:,}",
        length=model.config.max_sequence_length,
    )
    card.save(folder / "README.md")
    return folder


def _samples(outputs: list[dict[str, str]], names: list[str]) -> str:
    rows = []
    for name in names:
        rows += [row for row in outputs if row["label"] == name][:10]
    return markdown_table([{"source": f"({row['label']}) {row['source']}", "output": row["output"]} for row in rows])


def main() -> None:
    (arguments,) = HfArgumentParser(CardArguments).parse_args_into_dataclasses()
    folder = stage(arguments)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.1f} MB, hf_arae {hf_arae.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
