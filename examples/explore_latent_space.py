"""Looks around in a checkpoint's latent space: new sentences, ways between sentences, neighbours, vector arithmetic.

    python examples/explore_latent_space.py --model runs/arae-reviews --attribute 1
    python examples/explore_latent_space.py --model PATH_OR_ID --dataset_name PATH_OR_ID

Steps: 1 arguments, 2 model and sentences, 3 new sentences, 4 interpolations, 5 a walk, 6 neighbours, 7 arithmetic (the
table of Figure 4.4), 8 the report. The arithmetic is meant for captions: on other texts its rules find less, and
without `--transforms` the commonest words stand in for those of the figure that do not occur. As published:
`--on_new_sentences --temperature 1 --num_sentences 1000000`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from transformers import AutoModel, AutoTokenizer

import hf_arae  # noqa: F401 (registers the Auto classes)
from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.text.encoding import read_dataset
from hf_arae.evaluation.arithmetic import PUBLISHED, ParsedSentences, Transform, score_transform
from hf_arae.evaluation.caption_parts import PARTS, parse_captions, spacy_parser
from hf_arae.latent.space import LatentSpace
from hf_arae.storage.downloads import require_checkpoints
from hf_arae.storage.files import write_json, write_text
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.display import visible
from hf_arae.utils.tables import markdown_table


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    model: str = field(metadata={"help": "This checkpoint folder or Hub id has the text autoencoder."})
    attribute: int | None = field(
        default=None, metadata={"help": "The model writes with this label's id, if it has several labels."}
    )
    output_dir: str = field(
        default="runs/latent-space",
        metadata={"help": "report.md goes into this folder, and report.json with the arithmetic."},
    )
    device: str = field(default="cpu", metadata={"help": "The model runs here: cpu, or cuda say."})
    seed: int = field(default=0, metadata={"help": "This number decides on everything that is drawn."})
    num_shown: int = field(default=5, metadata={"help": "The report has so many lines of each kind."})
    steps: int = field(default=7, metadata={"help": "An interpolation or a walk has so many sentences."})
    angle: float = field(default=0.3, metadata={"help": "A walk turns by this angle at each step, in radians."})
    among: int = field(
        default=20_000, metadata={"help": "Neighbours are looked for among so many training sentences."}
    )
    num_sentences: int = field(
        default=100_000,
        metadata={"help": "Arithmetic takes its means over so many sentences; the thesis has a million."},
    )
    on_new_sentences: bool = field(
        default=False,
        metadata={
            "help": "Arithmetic is on what new sentences were drawn from (the thesis: z), not on codes of real "
            "ones, which keep far more of the original's words."
        },
    )
    temperature: float = field(
        default=0.5,
        metadata={"help": "Arithmetic draws the words of its samples at this temperature; the thesis at 1."},
    )
    transforms: list[str] | None = field(
        default=None,
        metadata={
            "help": "These changes are tried, PART:WORD each, such as verb:walking; by default those of Figure 4.4."
        },
    )
    num_originals: int = field(default=100, metadata={"help": "Each change is tried on so many sentences."})
    num_samples: int = field(default=100, metadata={"help": "Each of those sentences is written so many times."})
    spacy_model: str | None = field(
        default=None, metadata={"help": "Sentences are parsed by this spaCy pipeline (needs spaCy) and not by rules."}
    )


def load_parser(name: str | None):
    """The parser by rules, or a spaCy pipeline's."""
    if name is None:
        return parse_captions
    try:
        import spacy
    except ImportError as error:
        raise ImportError("--spacy_model needs spaCy: pip install spacy") from error
    return spacy_parser(spacy.load(name))


def usual_transforms(sentences: ParsedSentences) -> list[Transform]:
    """Those of the figure that occur; where none does, the commonest word of each part."""
    common = [Transform(part, word) for part in PARTS for word in sentences.commonest(part, 1)]
    for transforms in (PUBLISHED, common):
        found = [one for one in transforms if sentences.count(one) and sentences.originals(one, 1)]
        if found:
            return found
    return []


def block(title: str, groups: list[list[str]]) -> str:
    """A heading and groups of lines, parted by blank ones."""
    return f"## {title}\n\n```\n" + "\n\n".join("\n".join(map(visible, group)) for group in groups) + "\n```\n"


def main() -> None:
    # 1. Arguments
    groups = {"What is measured": ScriptArguments, "Data": DataArguments}
    script, data_arguments = read_command_line(__file__, __doc__, groups).parts
    parse, shown, seed = load_parser(script.spacy_model), script.num_shown, script.seed
    transforms = [Transform(*pair.split(":", 1)) for pair in script.transforms or [] if ":" in pair]
    if len(transforms) < len(script.transforms or []) or any(one.part not in PARTS for one in transforms):
        raise ValueError(f"--transforms takes PART:WORD, with a PART of {', '.join(PARTS)}; got {script.transforms}")

    require_checkpoints(script.model)

    # 2. Model and sentences
    tokenizer = AutoTokenizer.from_pretrained(script.model)
    model = AutoModel.from_pretrained(script.model).to(script.device)
    latent = LatentSpace(model, tokenizer, script.attribute)
    draws = model.draws_codes
    space = latent.native_space
    data = load_labelled_text(data_arguments, label_required=False)
    train, held_out = (read_dataset(data[split], tokenizer, split)["text"][:] for split in ("train", "validation"))
    report = [f"# Latent space of {Path(script.model).name}\n"]

    # 3. New sentences
    if draws:
        report.append(block("New sentences", [latent.sample(shown, seed)]))
    else:
        report.append("A plain autoencoder writes no new sentences: walks begin at held-out ones.\n")

    # 4. Interpolations
    ends = held_out[:shown], held_out[-shown:]
    for method in ("linear", "spherical"):
        lines = latent.interpolate(*ends, steps=script.steps, method=method)
        lines = [[f"[{a}]", *line, f"[{b}]"] for a, line, b in zip(ends[0], lines, ends[1], strict=True)]
        report.append(block(f"Between held-out sentences, codes, {method}", lines))
    starts = held_out[:1]
    if draws:
        drawn = latent.draw(shown, space, seed), latent.draw(shown, space, seed + 1)
        lines = latent.interpolate(*drawn, steps=script.steps, space=space)
        report.append(block(f"Between new sentences, {space}, linear", lines))
        starts = drawn[0][:1]

    # 5. A walk
    walks = latent.walk(starts, script.steps, script.angle, space, seed)
    report.append(block(f"A walk, {space}, {script.angle} radians a step", walks))

    # 6. Neighbours
    among = list(dict.fromkeys(train))[: script.among]
    found = latent.nearest(held_out[:shown], among, k=min(5, len(among)))
    lines = [[f"{near.similarity:.3f}  {near.text}" for near in nearest] for nearest in found]
    lines = [[f"[{text}]", *nearest] for text, nearest in zip(held_out, lines, strict=False)]
    report.append(block("Nearest training sentences, by the cosine of codes", lines))

    # 7. Arithmetic
    if script.on_new_sentences:
        sentences = ParsedSentences.drawn(latent, script.num_sentences, seed, parse)
    else:
        sentences = ParsedSentences.encoded(latent, train[: script.num_sentences], parse)
    rows, lines = [], []
    for transform in transforms or usual_transforms(sentences):
        numbers = (script.num_originals, script.num_samples, seed, parse)
        score = score_transform(latent, sentences, transform, *numbers, temperature=script.temperature)
        rows.append(score.row())
        lines += [[original, f"=> {transform.word}:  {text}"] for original, text in score.examples[:2]]
    report.append(block("Vector arithmetic", lines))
    kind = f"new sentences, {sentences.space}" if script.on_new_sentences else "training sentences, codes"
    caption = (
        f"{len(sentences)} {kind}; {script.num_samples} samples for each original at temperature "
        f"{script.temperature:g}; seed {seed}.\n"
    )
    report.append(f"{markdown_table(rows)}\n\n{caption}" if rows else "No sentence had parts to change.\n")

    # 8. The report
    folder = Path(script.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "report.md", "\n".join(report))
    write_json(folder / "report.json", {"Vector arithmetic": rows})
    print("\n".join(report))


if __name__ == "__main__":
    run_script(main)
