"""Summarizes a text file, a text a line, to JSON lines.

    python examples/summarize_file.py --model runs/headline-search --input_file news.txt --output_file summaries.jsonl
    ... --target_length 8                       # words of each summary; or --compression 0.3, of each text's words
    ... --num_beams 5                           # of a model that writes

Line n of the output is about line n of the input: `{"line": n, "summary_text": ..., "source_words": ...,
"summary_words": ...}`, or `{"line": n, "summary_text": null, "note": "blank line"}`. A text that cannot be read ends
the run, which tells its line's number; with `--on_error skip` it gets a note likewise. The output appears when it is
whole: a run that fails leaves what was there before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm
from transformers import pipeline

import hf_arae  # noqa: F401 (registers the pipeline)
from hf_arae.data.files import read_lines
from hf_arae.storage.downloads import require_checkpoints
from hf_arae.utils.command_line import read_command_line, run_script


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    input_file: str = field(
        metadata={"help": "This file of UTF-8 text has a text to summarize a line; blank lines are kept as null."}
    )
    output_file: str = field(
        metadata={"help": "The summaries go into this file, as JSON lines; it is replaced if it exists."}
    )
    model: str = field(
        default="runs/headline-search", metadata={"help": "This checkpoint folder or Hub id has the summarizer."}
    )
    target_length: int | None = field(default=None, metadata={"help": "Each summary has so many words."})
    compression: float | None = field(
        default=None, metadata={"help": "Each summary has this share of its text's words, in (0, 1]."}
    )
    num_beams: int = field(
        default=1, metadata={"help": "A model that writes decodes with so many beams; 1 is greedy."}
    )
    first_sentence: bool = field(default=True, metadata={"help": "Texts are cut to their first sentence."})
    truncation: bool = field(
        default=False, metadata={"help": "Texts that are too long are cut, and do not end the run."}
    )
    on_error: str = field(
        default="raise",
        metadata={
            "help": "A text that cannot be read ends the run (raise), or has null and the reason for a summary (skip)."
        },
    )
    batch_size: int = field(default=32, metadata={"help": "So many texts are summarized at once."})


class NumberedLines:
    """Hands out the lines that are not blank, and knows which was the last."""

    def __init__(self, lines: list[str]):
        self.lines, self.line, self.index = lines, 0, -1

    def __iter__(self) -> Iterator[str]:
        for number, text in enumerate(self.lines, start=1):
            if text.strip():
                self.line = number
                self.index += 1
                yield text


def main() -> None:
    # 1. Arguments and the file
    (script,) = read_command_line(__file__, __doc__, {"Flags": ScriptArguments}).parts
    source, target = Path(script.input_file), Path(script.output_file)
    if not source.is_file():
        raise FileNotFoundError(f"No file {script.input_file!r}.")
    if target.is_dir() or (target.exists() and target.samefile(source)):
        raise ValueError(f"output_file {script.output_file!r} is a folder or the input_file itself.")
    if script.batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {script.batch_size}")
    require_checkpoints(script.model)
    lines = read_lines(source)

    # 2. The model
    names = ("target_length", "compression", "first_sentence", "truncation", "on_error")
    arguments = {name: getattr(script, name) for name in names}
    if script.num_beams > 1:
        arguments["num_beams"] = script.num_beams
    summarize = pipeline("text-summarization", model=script.model, **arguments)

    # 3. Line by line
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    texts, skipped = NumberedLines(lines), 0
    try:
        with open(unfinished, "w", encoding="utf-8") as file:
            results = iter(summarize((text for text in texts), batch_size=script.batch_size))
            for number, text in enumerate(tqdm(lines, desc="Summarizing", unit=" lines"), start=1):
                row = next(results) if text.strip() else {"summary_text": None, "note": "blank line"}
                if row["summary_text"] is None:
                    skipped += bool(text.strip())
                    row = {"summary_text": None, "note": re.sub(r"^text \d+ ", "the text ", row["note"])}
                file.write(json.dumps({"line": number} | row, ensure_ascii=False) + "\n")
        unfinished.replace(target)
    except ValueError as error:
        # A text is checked as it is read, so that the last one read is the wrong one.
        reason = str(error).replace(f"text {texts.index} ", "the text ", 1).replace("truncation=True", "--truncation")
        raise ValueError(f"{source}, line {texts.line}: {reason}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    told = f" ({skipped} skipped)" if skipped else ""
    print(f"{texts.index + 1 - skipped} summaries of {len(lines)} lines in {target}{told}")


if __name__ == "__main__":
    run_script(main)
