"""Rewrites the sentences that you type with another label.

    python examples/transfer_interactively.py --model runs/arae-reviews
    echo "the soup was cold ." | python examples/transfer_interactively.py --model runs/arae-reviews

Beside each version stand the model's own scores of it, in percent: style, content, fluency; and the words that it does
not know. With two labels the target is the other one than the words suggest; `LABEL: sentence` asks for a label by
name, which with more labels is needed.
An empty line or end of file ends it.
"""

from __future__ import annotations

import inspect
import io
import sys
from dataclasses import dataclass, field

from transformers import pipeline

import hf_arae  # noqa: F401 (registers the pipeline)
from hf_arae.storage.downloads import require_checkpoints
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.display import visible


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    model: str = field(
        default="runs/arae-reviews", metadata={"help": "This checkpoint folder or Hub id has the model."}
    )
    num_beams: int | None = field(
        default=None,
        metadata={
            "help": "The best version is found with so many beams, 1 is greedy; by default 5, and by its own choice "
            "where a model chooses among several outputs."
        },
    )
    num_candidates: int | None = field(
        default=None, metadata={"help": "A model that chooses among several outputs writes so many of each text."}
    )
    num_samples: int = field(default=0, metadata={"help": "So many sampled versions are printed beside the best one."})
    temperature: float = field(default=0.7, metadata={"help": "Sampled versions are drawn at this temperature, > 0."})


def main() -> None:
    (script,) = read_command_line(__file__, __doc__, {"Flags": ScriptArguments}).parts
    require_checkpoints(script.model)
    transfer = pipeline("text-style-transfer", model=script.model)
    chooses = "num_candidates" in inspect.signature(transfer.model.transfer).parameters
    given = {"num_beams": script.num_beams, "num_candidates": script.num_candidates}
    if not chooses and script.num_beams is None:
        given["num_beams"] = 5
    given = {name: value for name, value in given.items() if value is not None}
    labels = list(transfer.model.config.id2label.values())
    typed_by_hand = sys.stdin.isatty()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # bytes that are no text end no session
    if typed_by_hand:
        what = "LABEL: sentence" if len(labels) > 2 else "a sentence, or LABEL: sentence"
        print(f"Labels: {', '.join(labels)}. Type {what}.")
    while True:
        try:
            line = input("> " if typed_by_hand else "").strip()
        except (EOFError, KeyboardInterrupt):
            break
        if not line:
            break
        label, colon, rest = line.partition(":")
        arguments = {}
        if colon and label.strip() in labels:
            line, arguments["target"] = rest.strip(), label.strip()
        try:
            best = transfer(line, **given, **arguments)
            print(visible(f"{best['target']}: {best['text']}{_told(best)}"))
            if script.num_samples:
                sampled = transfer(
                    line,
                    do_sample=True,
                    temperature=script.temperature,
                    num_return_sequences=script.num_samples,
                    **arguments,
                )
                for one in sampled if isinstance(sampled, list) else [sampled]:
                    print(f"    {visible(one['text'] + _told(one))}")
        except ValueError as error:
            how = "" if arguments or len(labels) <= 2 else ". Type LABEL: sentence."
            print(f"! {visible(str(error))}{how}")


def _told(result: dict) -> str:
    scores = {name: result[f"{name}_score"] for name in ("style", "content", "fluency")}
    told = [f"{name} {100 * score:.0f}" for name, score in scores.items() if score is not None]
    if result["unknown_words"]:
        told.append(f"not known: {' '.join(result['unknown_words'])}")
    return f"  ({result.get('note', ', '.join(told))})"


if __name__ == "__main__":
    run_script(main)
