"""Summarizes a text file, a text a line, to JSON lines.

    python examples/summarize_file.py --model runs/headline-search --input_file news.txt --output_file summaries.jsonl
    ... --target_length 8                       # words of each summary; or --compression 0.3, of each text's words
    ... --num_beams 5                           # of a model that writes

Line n of the output is about line n of the input: `{"line": n, "summary_text": ..., "source_words": ...,
"summary_words": ...}`, or `{"line": n, "summary_text": null, "note": "blank line"}`. A text that cannot be read ends
the run, which tells its line's number; with `--on_error skip` it gets a note likewise.

The output appears when it is whole; what was there before stays until then. Results so far are in `.NAME.unfinished`
beside it, and the same command goes on where a run was stopped, with the same output.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from transformers import pipeline

import hf_arae  # noqa: F401 (registers the pipeline)
from hf_arae.data.row_files import RowFile, answer_rows
from hf_arae.data.text.inputs import check_on_error
from hf_arae.storage.downloads import require_checkpoints
from hf_arae.storage.files import whole_file
from hf_arae.storage.json_numbers import to_json
from hf_arae.storage.spool import Spool, weights_state
from hf_arae.utils.command_line import read_command_line, run_script

CHUNK_BATCHES = 16  # batches of like lengths are made of so many batches of lines, which are stored together


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    input_file: str = field(
        metadata={"help": "This .txt file has a text to summarize a line; blank lines are kept as null."}
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


def main() -> None:
    # 1. Arguments and the file
    (script,) = read_command_line(__file__, __doc__, {"Flags": ScriptArguments}).parts
    if script.batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {script.batch_size}")
    check_on_error(script.on_error)
    source, target = RowFile(script.input_file), Path(script.output_file)
    if source.kind != ".txt":
        raise ValueError(f"input_file {script.input_file!r} must be a .txt file, with a text a line.")
    source.check_other(target)
    total = source.count()
    require_checkpoints(script.model)

    # 2. The model
    names = ("target_length", "compression", "first_sentence", "truncation")
    given = {name: getattr(script, name) for name in names}
    if script.num_beams > 1:
        given["num_beams"] = script.num_beams
    summarize = pipeline("text-summarization", model=script.model, **given)

    def answer(texts: list[str], _: int) -> list[dict]:
        results = summarize((text for text in texts), batch_size=script.batch_size, on_error="skip")
        return [_with_reason(result) if _is_skipped(result) else result for result in results]

    # 3. Chunk by chunk, and then the file
    settings = source.settings() | given | {"model": script.model, "weights": weights_state(script.model)}
    settings["batch_size"] = script.batch_size
    spool = Spool(target.with_name(f".{target.name}.unfinished"), settings, CHUNK_BATCHES * script.batch_size)
    if spool.rows:
        print(f"Going on after {spool.rows} lines, from {spool.path}")
    is_refused = _is_skipped if script.on_error == "raise" else lambda row: False
    answer_rows(source, spool, answer, is_refused, total, "Summarizing")
    empty = {"line": 0, "summary_text": None}
    rows = (empty | {"line": number} | row for number, row in enumerate(spool, start=1))
    with whole_file(target) as path, path.open("w", encoding="utf-8") as file:
        file.writelines(to_json(row, ensure_ascii=False) + "\n" for row in rows)
    skipped, written = (sum(map(test, spool)) for test in (_is_skipped, lambda row: bool(row.get("summary_text"))))
    spool.remove()
    told = f" ({skipped} skipped)" if skipped else ""
    print(f"{written} summaries of {spool.rows} lines in {target}{told}")


def _with_reason(result: dict) -> dict:
    reason = re.sub(r"^text \d+ ", "the text ", result["note"])
    return {"summary_text": None, "note": reason.replace("truncation=True", "--truncation")}


def _is_skipped(row: dict) -> bool:
    return "summary_text" in row and row["summary_text"] is None


if __name__ == "__main__":
    run_script(main)
