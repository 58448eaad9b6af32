"""Scores summarizers: the first words, two ways of counting, and any number of checkpoints, in one run.

    python examples/evaluate_summarization.py --models runs/ursae-news
    python examples/evaluate_summarization.py --models runs/headline-search runs/ursae-news --dataset_name A,B \\
        --titles_name B --selected_lengths 0 8 10 --language_model runs/judge

Steps: 1 arguments, 2 data, 3 the judge, a language model of titles, 4 rows of baselines, 5 rows of checkpoints, of
those that select words of the document and of those that write, 6 the table. Of the datasets, the training splits and
the titles are counted; scored are all rows of the test split, or of the validation split where there is no other,
which needs summaries.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from datasets import DatasetDict
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

import hf_arae  # noqa: F401 (registers the models and the pipeline)
from hf_arae.data.corpora.news import build_titles
from hf_arae.data.documents import DocumentArguments, load_documents, load_titled_documents
from hf_arae.data.text.encoding import read_texts
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.language_model import train_language_model
from hf_arae.evaluation.summary_baselines import HeadlineWords, content_words
from hf_arae.metrics import Perplexity, Rouge, SummaryShape
from hf_arae.metrics.numbers import legend
from hf_arae.pipelines.text_summarization import TextSummarizationPipeline
from hf_arae.storage.downloads import require_checkpoints
from hf_arae.storage.files import write_json, write_text
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.display import visible
from hf_arae.utils.tables import markdown_table, outputs_name

SAMPLES = 10
SHAPES = ("mean_length", "copy_rate")


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    models: list[str] = field(
        default_factory=list, metadata={"help": "These checkpoint folders or Hub ids are scored, a row each."}
    )
    output_dir: str = field(
        default="runs/evaluation", metadata={"help": "Table, samples and outputs go into this folder."}
    )
    selected_lengths: list[int] = field(
        default_factory=lambda: [0],
        metadata={
            "help": "Models that select words write summaries of so many words, a row each; 0: the model decides."
        },
    )
    written_lengths: list[int] = field(
        default_factory=lambda: [9],
        metadata={"help": "Models that write make summaries of so many words, a row each; 0: the model ends them."},
    )
    num_beams: int = field(default=1, metadata={"help": "Models that write decode with so many beams; 1 is greedy."})
    source_order: bool = field(
        default=True, metadata={"help": "Models that write use only words of the document, in its order."}
    )
    longest_gap: int = field(
        default=3,
        metadata={
            "help": "With source_order, at most so many words are left out before each, where possible; 0: any number."
        },
    )
    no_repeat_ngram_size: int = field(
        default=1, metadata={"help": "Models that write use no n-gram of this size twice; 0: they may."}
    )
    batch_size: int = field(default=128, metadata={"help": "So many documents are summarized at once."})
    language_model: str | None = field(
        default=None,
        metadata={
            "help": "The judge of perplexity is loaded from this folder if it is there, else trained and saved in it."
        },
    )
    bf16: bool = field(default=False, metadata={"help": "The judge is trained in bfloat16 (autocast)."})
    seed: int = field(default=0, metadata={"help": "This number decides on the judge."})


def main() -> None:
    # 1. Arguments
    groups = {"What is measured": ScriptArguments, "Data": DocumentArguments}
    script, data_arguments = read_command_line(__file__, __doc__, groups).parts
    require_checkpoints(*script.models)

    # 2. Data
    data = load_documents(data_arguments)
    documents, references = held_out(data, data_arguments)
    titles, title_documents = load_titled_documents(data_arguments)
    if not titles and data_arguments.dataset_name is None and data_arguments.train_file is None:
        titles = build_titles()
    output_dir = Path(script.output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)

    # 3. The judge
    judge = None
    if titles:
        judge = title_judge(titles, script, "news" if data_arguments.normalization == "news" else "sentence")
    else:
        print("No titles_name or titles_file: no perplexity, and no row of words that titles prefer.")

    rows, samples = [], []

    def add(
        system: str,
        summarize: Callable[[Sequence[str]], list[str]],
        read: Callable[[list[str]], list[str]] = list,  # into the words that the system writes
    ) -> None:
        begin = time.perf_counter()
        outputs = summarize(documents)
        seconds = time.perf_counter() - begin
        scored = read(outputs)
        shape = SummaryShape().compute(predictions=scored, references=read(documents))
        row = {"system": system, **Rouge().compute(predictions=scored, references=read(references))}
        row |= {name: shape[name] for name in SHAPES}
        if judge is not None:
            row |= judge.compute(predictions=outputs)
        rows.append(row | {"sentences_per_second": len(documents) / seconds})
        path = output_dir / outputs_name(system)
        with open(path, "w", encoding="utf-8") as file:
            for document, reference, output in zip(documents, references, outputs, strict=True):
                line = {"document": document, "reference": reference, "summary": output}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        count = min(SAMPLES, len(documents))
        samples.append(f"\n{system}")
        for at in (number * len(documents) // count for number in range(count)):
            document, output, reference = map(visible, (documents[at], outputs[at], references[at]))
            samples.append(f"  {document}\n    -> {output}\n    reference: {reference}")

    # 4. Rows of baselines
    for count in (8, 10):
        add(f"first {count} words", lambda texts, count=count: [" ".join(text.split()[:count]) for text in texts])
    add("first 10 content words", content_words)
    if titles:
        # Beside the articles of the same agency, where they are known, the ratio tells titles from articles alone.
        articles = [text for text in title_documents if text] or data["train"]["document"][:]
        add("11 words that titles prefer", HeadlineWords(titles, articles))

    shape = SummaryShape().compute(predictions=references, references=documents)
    row = {"system": "the references themselves", **{name: shape[name] for name in SHAPES}}
    rows.append(row | (judge.compute(predictions=references) if judge is not None else {}))

    # 5. Rows of checkpoints
    for name in script.models:
        # Documents are cut to a sentence already, where they are to be.
        summarize = pipeline("text-summarization", model=name, first_sentence=False, truncation=True, detokenize=False)
        config, tokenizer = summarize.model.config, summarize.tokenizer
        if hasattr(summarize.model, "select_words"):
            verb, lengths, arguments = "select", script.selected_lengths, {}
        else:
            verb, lengths = "write", script.written_lengths
            arguments = {
                "num_beams": script.num_beams,
                "source_words_only": script.source_order,
                "source_order": script.source_order,
                "longest_gap": script.longest_gap or config.max_source_length,
                "no_repeat_ngram_size": script.no_repeat_ngram_size,
            }
        for length in lengths:
            given = {"batch_size": script.batch_size, "target_length": length or None} | arguments
            if verb == "write" and not length:  # of a model that knows how long it writes, too
                given["max_new_tokens"] = config.max_summary_length + 1
            words = f", {length} words" if length else ""
            system = partial(summaries_of, summarize, **given)
            add(f"{name} ({verb}{words})", system, partial(read_texts, tokenizer=tokenizer))

    # 6. The table
    table = f"{markdown_table(rows)}\n\n{legend(rows)}"
    print("\n".join(samples))
    print(f"\n{len(documents)} documents\n\n{table}")
    write_text(output_dir / "table.md", table + "\n")
    write_json(output_dir / "table.json", rows)
    write_text(output_dir / "samples.txt", "\n".join(samples) + "\n")


def summaries_of(summarize: TextSummarizationPipeline, texts: Sequence[str], **arguments: Any) -> list[str]:
    """The texts' summaries; those of like length are made together, which is faster."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row].split()))
    outputs = [""] * len(texts)
    for row, result in zip(order, summarize([texts[row] for row in order], **arguments), strict=True):
        outputs[row] = result["summary_text"]
    return outputs


def held_out(data: DatasetDict, arguments: DocumentArguments) -> tuple[list[str], list[str]]:
    """Documents and summaries of the test split, or of the validation split where there is no other.

    Raises:
        ValueError: it has no summaries.
    """
    split = "test" if "test" in data else "validation"
    if "summary" not in data[split].column_names:
        raise ValueError(
            f"The {split} split has no summaries to score against: no column {arguments.summary_column!r} "
            "(summary_column), or a blank one. Name the column, or give a test_file that has it."
        )
    return list(data[split]["document"]), list(data[split]["summary"])


def title_judge(titles: list[str], script: ScriptArguments, style: str) -> Perplexity:
    """Perplexity under a language model of titles, trained or loaded with its tokenizer."""
    folder = script.language_model
    if folder is not None and Path(folder, "config.json").exists():
        return Perplexity(AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
    # Words seen once are <unk>, so that the model learns where unknown words stand.
    tokenizer = train_tokenizer(titles, min_frequency=2, max_length=50, style=style)
    model = train_language_model(titles, tokenizer, seed=script.seed, bf16=script.bf16)
    if folder is not None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return Perplexity(model, tokenizer)


if __name__ == "__main__":
    run_script(main)
