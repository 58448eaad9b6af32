"""Trains a URSAE to summarize sentences without having seen a summary.

    python examples/train_summarization.py                              # built-in news, a few minutes on a CPU
    python examples/train_summarization.py --dataset_name OWNER/NAME --document_column article
    ... --writer_text titles --titles_name OWNER/OTHER                  # the writer learns from unpaired titles
    ... --writer_epochs 0                                               # ablation: a writer that knows no language
    ... --resume_from_checkpoint last                                   # go on with either stage

The steps: 1 arguments, 2 data, 3 tokenizer, 4 model, 5 the writer, a language model of articles ("Major") or of titles
("Minor"), 6 reader and reconstructor, the writer being frozen, 7 the test split's table, 8 curves and samples. The
result, `--output_dir`, loads with `pipeline("text-summarization", model=...)` and
`AutoModelForSeq2SeqLM.from_pretrained`.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from datasets import Dataset
from transformers import set_seed

from hf_arae.data.corpora.news import build_titles
from hf_arae.data.documents import DocumentArguments, load_documents, load_titles
from hf_arae.data.splits import measured_split
from hf_arae.data.text.encoding import encode_dataset, read_texts
from hf_arae.data.text.hidden_words import warn_of_texts
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.summarization import (
    SummarizationEvaluator,
    lead_bytes,
    lead_words,
    samples_over_training,
    summary_scores,
)
from hf_arae.hub.run_repository import RunRepository
from hf_arae.metrics.numbers import legend
from hf_arae.models.rnn_lm.objective_rnn_lm import RnnLmObjective, RnnLmObjectiveArguments
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.curves import plot_reader_curves
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.models.ursae.objective_ursae import UrsaeObjective, UrsaeObjectiveArguments
from hf_arae.storage.files import write_text
from hf_arae.storage.run_files import LOG_FILE
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.interruption import time_left
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.display import visible
from hf_arae.utils.tables import markdown_table

COLUMNS = ("rouge1", "rouge2", "rougeL", "mean_length", "copy_rate", "prefix_overlap", "distinct")


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    vocab_size: int = field(default=30_000, metadata={"help": "The vocabulary has at most so many words."})
    min_frequency: int = field(
        default=1, metadata={"help": "A word that the training data have less often than this becomes <unk>."}
    )
    min_length: int = field(default=10, metadata={"help": "Training documents with fewer words are left out."})
    max_length: int = field(default=50, metadata={"help": "A document is cut after this many words."})
    writer_text: str = field(
        default="articles",
        metadata={"help": "The writer is a language model of this text.", "choices": ["articles", "titles"]},
    )
    writer_epochs: float = field(
        default=3.0, metadata={"help": "The writer reads its text so many times; 0: it knows no language."}
    )
    writer_learning_rate: float = field(
        default=2e-3, metadata={"help": "The writer begins with this learning rate, Adam's."}
    )
    writer_batch_size: int = field(
        default=64, metadata={"help": "An update of the writer has so many sentences on each process."}
    )
    validation_size: int = field(
        default=1000, metadata={"help": "Evaluations while training summarize so many documents."}
    )
    target_length: int = field(
        default=9, metadata={"help": "The summaries that are measured have so many words; 0: the model ends them."}
    )
    keep_source_words: bool = field(
        default=True, metadata={"help": "The summaries that are measured have only words of their document."}
    )
    keep_source_order: bool = field(
        default=True, metadata={"help": "The summaries that are measured have those words in the document's order."}
    )
    keep_longest_gap: int = field(
        default=3,
        metadata={"help": "In that order, a summary leaves out at most so many words before each; 0: any number."},
    )
    no_repeat_ngram_size: int = field(
        default=1, metadata={"help": "The summaries that are measured have no n-gram of this size twice; 0: they may."}
    )


def main() -> None:
    # 1. Arguments
    began = time.monotonic()
    groups = {
        "Data": DocumentArguments,
        "Vocabulary, writer and evaluation": ScriptArguments,
        "Model": UrsaeConfig,
        "Objective": UrsaeObjectiveArguments,
        "Training": TrainingArguments,
    }
    command = read_command_line(__file__, __doc__, groups, preset="ursae-reports")
    data_arguments, script, sizes, objective_arguments, training_arguments = command.parts
    set_seed(training_arguments.seed)

    # 2. Data; held-out documents are kept whatever their length, so that tables can be compared
    data = load_documents(data_arguments)
    documents = [text for text in data["train"]["document"] if len(text.split()) >= script.min_length]
    if not documents:
        raise ValueError(f"no training document has min_length={script.min_length} words")
    held_out = data["validation"].shuffle(seed=0)
    held_out = held_out.select(range(min(script.validation_size, len(held_out))))
    titles = []
    if script.writer_text == "titles":
        built_in = data_arguments.dataset_name is None and data_arguments.train_file is None
        titles = load_titles(data_arguments) or (build_titles() if built_in else [])
        if not titles:
            raise ValueError("writer_text=titles needs titles: give titles_name or titles_file")

    # 3. Tokenizer
    tokenizer = train_tokenizer(
        [*documents, *titles], script.vocab_size, script.min_frequency, script.max_length, style="news"
    )
    for split, texts in (("train", documents), ("validation", held_out["document"][:])):
        if data_arguments.normalization != "news":  # else they are read already
            texts = read_texts(texts, tokenizer)
        warn_of_texts(texts, tokenizer, split)
    sources = encode_dataset(Dataset.from_dict({"text": documents}), tokenizer)
    written = encode_dataset(Dataset.from_dict({"text": titles}), tokenizer) if titles else sources

    # 4. Model
    model = UrsaeForConditionalGeneration(UrsaeConfig.from_tokenizer(tokenizer, **vars(sizes)))
    print(f"{len(documents)} documents, {len(tokenizer)} words, {model.num_parameters() / 1e6:.1f} M parameters")

    # 5. The writer, a language model. Where it is finished, its trainer only checks that nothing has changed
    folder = Path(training_arguments.output_dir, "writer")
    seconds, repository = 0.0, None
    if script.writer_epochs > 0:
        anew = training_arguments.overwrite_output_dir
        goes_on = training_arguments.resume_from_checkpoint is not None or (folder / "model.safetensors").exists()
        writer_arguments = replace(
            training_arguments,
            output_dir=str(folder),
            max_steps=-1,
            num_train_epochs=script.writer_epochs,
            per_device_train_batch_size=script.writer_batch_size,
            resume_from_checkpoint="last" if goes_on and not anew else None,
            metric_for_best_model=None,
            early_stopping_patience=0,
            push_to_hub=False,
            max_time=time_left(training_arguments.max_time, began),
        )
        settings = RnnLmObjectiveArguments(learning_rate=script.writer_learning_rate)
        pretrainer = PhaseTrainer(
            model.writer,
            RnnLmObjective(model.writer, settings),
            writer_arguments,
            TokenArrays(written, tokenizer.pad_token_id),
            processing_class=tokenizer,
        )
        if training_arguments.push_to_hub and pretrainer.accelerator.is_main_process:
            repository = RunRepository(training_arguments, tokenizer)  # what cannot be pushed is said now
        pretraining = pretrainer.train()
        seconds = pretraining.seconds
        print(
            f"writer: {pretraining.steps} updates on {len(written)} {script.writer_text}, {seconds / 60:.1f} minutes"
        )

    # 6. Reader and reconstructor
    decoding = {
        "target_length": script.target_length or None,
        "source_words_only": script.keep_source_words,
        "source_order": script.keep_source_order,
        "longest_gap": script.keep_longest_gap or None,
        "no_repeat_ngram_size": script.no_repeat_ngram_size,
    }
    objective = UrsaeObjective(model, objective_arguments)
    config = model.config  # written as it is measured, wherever the checkpoint is used
    config.write_length = decoding["target_length"]
    config.write_source_words_only, config.write_source_order = script.keep_source_words, script.keep_source_order
    config.write_longest_gap, config.write_no_repeat_ngram_size = decoding["longest_gap"], script.no_repeat_ngram_size
    trainer = PhaseTrainer(
        model,
        objective,
        replace(training_arguments, max_time=time_left(training_arguments.max_time, began)),
        TokenArrays(sources, tokenizer.pad_token_id),
        processing_class=tokenizer,
        evaluator=SummarizationEvaluator(tokenizer, held_out, **decoding),
    )
    trainer.repository = repository
    start = trainer.evaluate()
    result = trainer.train()
    print(f"trained {result.steps} updates in {result.seconds / 60:.1f} minutes")

    # 7. The test split's table (the validation split's, where there is no test split), beside simple baselines
    test = data.get("test", held_out)
    last = SummarizationEvaluator(tokenizer, test, num_printed=10, **decoding)
    evaluation, summaries = last.evaluate(model)
    if not trainer.accelerator.is_main_process:
        return
    length = round(evaluation.metrics["mean_length"])
    systems = {
        "first 75 bytes": lead_bytes(last.documents),
        "first 8 words": lead_words(last.documents, 8),
        f"first {length} words": lead_words(last.documents, length),
    }
    rows = [{"system": name} | summary_scores(last.documents, s, last.references) for name, s in systems.items()]
    rows.append({"system": Path(training_arguments.output_dir).name} | evaluation.metrics)
    table = markdown_table([{key: row[key] for key in ("system", *COLUMNS) if key in row} for row in rows], decimals=2)
    samples = "\n".join(f"  {visible(line)}" for line in evaluation.samples)
    print(f"\n{len(test)} held-out documents:\n\n{table}\n\n{legend(COLUMNS)}\n\n{samples}")
    out = Path(training_arguments.output_dir)
    write_text(out / "table.md", table + "\n")
    lines = [json.dumps({"document": d, "output": s}) for d, s in zip(last.documents, summaries, strict=True)]
    write_text(out / "outputs.jsonl", "\n".join(lines) + "\n")

    # 8. Curves and samples over the training
    write_text(out / "samples.md", samples_over_training(out / LOG_FILE, start))
    if not plot_reader_curves(out / LOG_FILE, out / "curves.png"):
        print("no curves.png: pip install hf_arae[plots]")
    found = {"writer_minutes": seconds / 60} | evaluation.metrics
    trainer.finish(found, command.parts, preset=command.preset, measured_split=measured_split(data))
    print(f'\nNow: pipeline("text-summarization", model="{training_arguments.output_dir}")')


if __name__ == "__main__":
    run_script(main)
