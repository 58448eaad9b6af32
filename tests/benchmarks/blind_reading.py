"""Outputs of several systems for a reader who does not know whose they are, and what the reader found.

    python tests/benchmarks/blind_reading.py write --model DIR --output ordinary.jsonl --num_candidates 85
    python tests/benchmarks/blind_reading.py draw --outputs ours=a.jsonl theirs=b.jsonl --folder runs/reading
    python tests/benchmarks/blind_reading.py count --folder runs/reading

`write` lets a model of sentiment rewrite the hundred sentences of `ordinary_sentences.tsv` by the pipeline; they were
made up for this, are of ten topics, and are in no training data. `draw` takes the same sentences of every file (JSON
lines with `source`, `target` and `output`, as `examples/evaluate_style_transfer.py` writes them), shuffles all outputs
into `sheet.jsonl`, and keeps whose they are in `key.json`. The reader writes `verdicts.jsonl`, a line with `id` and
three answers each: `wanted` (the sentence has the wanted label, and nothing in it the other one), `kept` (it speaks
of the same things, and says the same but for the label) and `correct` (a person could have written it so). What is all
three is usable. `count` prints the shares with 95 % intervals (Wilson).
"""

from __future__ import annotations

import csv
import json
import random
from argparse import ArgumentParser
from math import sqrt
from pathlib import Path

from transformers import pipeline

import hf_arae  # noqa: F401 (registers the pipeline)
from hf_arae.utils.tables import markdown_table

SENTENCES = Path(__file__).with_name("ordinary_sentences.tsv")

QUESTIONS = ("wanted", "kept", "correct")


def write(model: str, output: Path, sentences: int, **options) -> None:
    """Writes what the pipeline makes of ordinary sentences, with its scores, as JSON lines."""
    transfer = pipeline("text-style-transfer", model=model)
    lines = []
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows[:sentences]:
        text, label = row["text"], row["label"]
        target = {"negative": "positive", "positive": "negative"}[label]
        result = transfer(text, source=label, target=target, truncation=True, **options)
        scores = {name: value for name, value in result.items() if name not in ("text", "source", "target")}
        lines.append({**row, "source": text, "target": target, "output": result["text"], **scores})
    output.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")


def draw(outputs: dict[str, Path], folder: Path, sentences: int, seed: int) -> None:
    """Writes the sheet and its key.

    Raises:
        ValueError: the files are not about the same sentences.
    """
    rows = {
        name: [json.loads(line) for line in path.read_text("utf-8").splitlines()] for name, path in outputs.items()
    }
    sources = {name: [(row["source"], row["target"]) for row in each] for name, each in rows.items()}
    first = next(iter(sources.values()))
    for name, each in sources.items():
        if each != first:
            raise ValueError(f"{name} has other sentences, or in another order, than {next(iter(sources))}")
    drawn = random.Random(seed)
    chosen = drawn.sample(range(len(first)), min(sentences, len(first)))
    items = [(name, place) for place in chosen for name in rows if rows[name][place]["output"] is not None]
    drawn.shuffle(items)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (name, place) in enumerate(items):
        row = rows[name][place]
        lines.append({"id": number, "source": row["source"], "wanted": row["target"], "output": row["output"]})
    folder.joinpath("sheet.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    folder.joinpath("key.json").write_text(json.dumps([name for name, _ in items]), "utf-8")


def count(folder: Path) -> list[dict[str, str | int]]:
    """The table of shares, a row each system, the best first.

    Raises:
        ValueError: an output has no verdict, or more than one.
    """
    key = json.loads(folder.joinpath("key.json").read_text("utf-8"))
    verdicts = [json.loads(line) for line in folder.joinpath("verdicts.jsonl").read_text("utf-8").splitlines()]
    if sorted(verdict["id"] for verdict in verdicts) != list(range(len(key))):
        raise ValueError(f"verdicts.jsonl must have one line for each of the {len(key)} outputs")
    found = []
    for system in dict.fromkeys(key):
        own = [verdict for verdict in verdicts if key[verdict["id"]] == system]
        usable = sum(all(verdict[question] for question in QUESTIONS) for verdict in own)
        shares = {
            question: round(100 * sum(bool(verdict[question]) for verdict in own) / len(own)) for question in QUESTIONS
        }
        low, high = _wilson(usable, len(own))
        row = {
            "system": system,
            "outputs": len(own),
            "usable": f"{100 * usable / len(own):.0f} ({low:.0f} to {high:.0f})",
        }
        found.append((usable / len(own), row | shares))
    return [row for _, row in sorted(found, key=lambda pair: -pair[0])]


def _wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share, in percent."""
    z, share = 1.96, hits / total
    middle, reach = share + z * z / (2 * total), z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low, high = ((middle + way * reach) / (1 + z * z / total) for way in (-1, 1))
    return 100 * max(low, 0.0), 100 * high


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write", help="let a model rewrite the ordinary sentences")
    writing.add_argument("--model", required=True, help="checkpoint folder or Hub id, of positive and negative")
    writing.add_argument("--output", type=Path, required=True, help="JSON lines go into this file")
    writing.add_argument("--num_candidates", type=int, help="the best of so many; the model's own number if left out")
    writing.add_argument("--sentences", type=int, default=100, help="the first so many")
    drawing = commands.add_parser("draw", help="make the sheet")
    drawing.add_argument("--outputs", nargs="+", required=True, metavar="NAME=FILE", help="a system's outputs")
    drawing.add_argument("--sentences", type=int, default=100, help="so many sentences, the outputs of all systems")
    drawing.add_argument("--seed", type=int, default=0, help="which sentences, and their order")
    counting = commands.add_parser("count", help="print the shares")
    for command in (drawing, counting):
        command.add_argument("--folder", type=Path, required=True, help="of sheet, key and verdicts")
    arguments = parser.parse_args()
    if arguments.command == "write":
        chosen = {} if arguments.num_candidates is None else {"num_candidates": arguments.num_candidates}
        write(arguments.model, arguments.output, arguments.sentences, **chosen)
    elif arguments.command == "draw":
        outputs = {name: Path(path) for name, path in (pair.split("=", 1) for pair in arguments.outputs)}
        draw(outputs, arguments.folder, arguments.sentences, arguments.seed)
    else:
        print(markdown_table(count(arguments.folder)))


if __name__ == "__main__":
    main()
