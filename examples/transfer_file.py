"""Rewrites the texts of a file with another label: the same rows come out with new columns.

    python examples/transfer_file.py --model runs/arae-reviews --input_file reviews.csv --output_file rewritten.csv
    ... --target positive                # without it, with two labels, each text gets the other one
    ... --min_score 0.5                  # the text itself where the model is not that sure of what it wrote
    ... --num_candidates 16              # of a model that chooses among several outputs

Takes .csv, .tsv, .jsonl, .parquet, and .txt with a text a line; the output is of the same kind, or of any where the
input is .txt. New columns, named after `--text_column`: `text_transferred`, `text_target`, `text_source`,
`text_style_score`, `text_content_score`, `text_fluency_score`, `text_changed`, `text_unknown_words` and `text_note`; a
.txt file gets the rewritten texts alone. Rows stay in their order, rows without a text with a note. A text that cannot
be read ends the run, which names its line; with `--on_error skip` it gets a note likewise.

The output appears when it is whole. Until then the results are in `.NAME.unfinished` beside it, and the same command
goes on where a run was stopped, with the same output.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from transformers import pipeline, set_seed

import hf_arae  # noqa: F401 (registers the pipeline)
from hf_arae.data.row_files import RowFile, answer_rows
from hf_arae.data.text.inputs import check_on_error
from hf_arae.storage.downloads import require_checkpoints
from hf_arae.storage.spool import Spool, weights_state
from hf_arae.utils.command_line import read_command_line, run_script

NEW_COLUMNS = {
    "transferred": pa.string(),
    "target": pa.string(),
    "source": pa.string(),
    "style_score": pa.float32(),
    "content_score": pa.float32(),
    "fluency_score": pa.float32(),
    "changed": pa.bool_(),
    "unknown_words": pa.list_(pa.string()),
    "note": pa.string(),
}
CHUNK_BATCHES = 16  # batches of like lengths are made of so many batches of rows, which are stored together


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    input_file: str = field(
        metadata={"help": "This .txt, .csv, .tsv, .jsonl or .parquet file has the texts; rows without one are kept."}
    )
    output_file: str = field(metadata={"help": "The rows with new columns go into this file; it is replaced."})
    model: str = field(
        default="runs/arae-reviews", metadata={"help": "This checkpoint folder or Hub id has the model."}
    )
    text_column: str = field(default="text", metadata={"help": "The texts are in this column."})
    target: str | None = field(
        default=None, metadata={"help": "Texts are rewritten with this label; with two labels the other one if unset."}
    )
    source: str | None = field(
        default=None, metadata={"help": "All texts have this label; unset, each text's own words tell it."}
    )
    min_confidence: float | None = field(
        default=None,
        metadata={"help": "A source that is guessed with a smaller probability, in [0, 1], counts as not known."},
    )
    min_score: float | None = field(
        default=None,
        metadata={"help": "An output whose smallest score is below this, in [0, 1], is replaced by the text itself."},
    )
    num_candidates: int | None = field(
        default=None, metadata={"help": "A model that chooses among several outputs writes so many of each text."}
    )
    num_beams: int | None = field(
        default=None, metadata={"help": "A model that searches decodes with so many beams; 1 is greedy."}
    )
    truncation: bool = field(
        default=False, metadata={"help": "Texts that are too long are cut, and do not end the run."}
    )
    on_error: str = field(
        default="raise",
        metadata={"help": "A text that cannot be read ends the run (raise), or has a note and no new text (skip)."},
    )
    batch_size: int = field(default=64, metadata={"help": "So many texts are rewritten at once."})
    seed: int = field(default=0, metadata={"help": "A model that draws its candidates does it from this seed."})


def main() -> None:
    # 1. Arguments and the file
    (script,) = read_command_line(__file__, __doc__, {"Flags": ScriptArguments}).parts
    if script.batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {script.batch_size}")
    check_on_error(script.on_error)
    source, target = RowFile(script.input_file, script.text_column), Path(script.output_file)
    new = {f"{script.text_column}_{name}": kind for name, kind in NEW_COLUMNS.items()}
    source.check_target(target, new)
    total = source.count()
    require_checkpoints(script.model)

    # 2. The model
    names = ("target", "source", "min_confidence", "num_candidates", "num_beams")
    given = {name: getattr(script, name) for name in names if getattr(script, name) is not None}
    if script.min_score is not None:
        given["keep_source_if_unsure"] = script.min_score
    given["truncation"] = script.truncation
    rewrite = pipeline("text-style-transfer", model=script.model, **given)
    rewrite([])  # a missing label is said now

    takes_seed = "seed" in inspect.signature(rewrite.model.transfer).parameters
    drawn = {"seed": script.seed} if takes_seed else {}

    def answer(texts: list[str], first: int) -> list[dict]:
        set_seed(script.seed + first)  # draws of a chunk are the same in a run that goes on
        results = rewrite((text for text in texts), batch_size=script.batch_size, on_error="skip", **drawn)
        return [_columns(result) for result in results]

    # 3. Chunk by chunk, and then the file
    settings = source.settings() | given | {"model": script.model, "seed": script.seed}
    settings |= {"batch_size": script.batch_size, "weights": weights_state(script.model)}
    spool = Spool(target.with_name(f".{target.name}.unfinished"), settings, CHUNK_BATCHES * script.batch_size)
    if spool.rows:
        print(f"Going on after {spool.rows} rows, from {spool.path}")
    is_refused = _is_skipped if script.on_error == "raise" else lambda row: False
    answer_rows(source, spool, answer, is_refused, total, "Rewriting")
    counts: Counter[str] = Counter()

    def counted(results):
        for result in results:
            counts.update(_counts(result))
            yield {f"{script.text_column}_{name}": value for name, value in result.items()}

    source.write(target, counted(spool), new, f"{script.text_column}_transferred")
    spool.remove()
    print(
        f"{spool.rows} rows in {target}: {counts['rewritten']} rewritten, {counts['kept']} kept as they are, "
        f"{counts['skipped']} skipped, {counts['blank']} without a text; {counts['unknown']} unknown words"
    )


def _columns(result: dict) -> dict:
    """A result under the names of the new columns."""
    named = {("transferred" if name == "text" else name): value for name, value in result.items()}
    if named.get("note"):
        named["note"] = re.sub(r"^sentence \d+ ", "the sentence ", named["note"])
    if result["text"] is None:
        named["note"] = named["note"].replace("truncation=True", "--truncation").replace("source=", "--source")
        named["note"] = named["note"].replace("target=", "--target")
    return named


def _is_skipped(row: dict) -> bool:
    return "transferred" in row and row["transferred"] is None


def _counts(row: dict) -> dict[str, int]:
    if "transferred" not in row:
        return {"blank": 1}
    if row["transferred"] is None:
        return {"skipped": 1}
    return {"rewritten" if row["changed"] else "kept": 1, "unknown": len(row["unknown_words"])}


if __name__ == "__main__":
    run_script(main)
