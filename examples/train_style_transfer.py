"""Trains an ARAE to rewrite sentences with another attribute (sentiment, style, topic).

    python examples/train_style_transfer.py                                   # built-in corpus, a few minutes on a CPU
    python examples/train_style_transfer.py --dataset_name OWNER/NAME --text_column text
    python examples/train_style_transfer.py --preset ae-yelp --dataset_name yelp_sentiment   # a row of the Yelp table

The steps: 1 arguments, 2 data, 3 tokenizer, 4 model, 5 judges, 6 training, 7 the test split's table. The result,
`--output_dir`, loads with `pipeline("text-style-transfer", model=...)` and `AutoModel.from_pretrained`.

Text larger than memory: `--streaming --max_steps 100000 --dataset_name OWNER/NAME`. Vocabulary, word statistics and
judges then come from the first `--tokenizer_samples` sentences, of each label as many.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from transformers import set_seed
from transformers.utils import logging

from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.splits import measured_split
from hf_arae.data.stream_batches import StreamedSentences
from hf_arae.data.streaming import StreamingArguments, load_text_stream
from hf_arae.data.text.encoding import encode_dataset, read_dataset
from hf_arae.data.text.hidden_words import HIDDEN_WORDS_FILE, report_hidden_words
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.style_transfer import StyleTransferEvaluator, TransferJudges, direction_rows, leakage
from hf_arae.models.auto import families, family
from hf_arae.models.recurrent.autoencoder_config import LabelledDecodersConfig
from hf_arae.models.text.attribute_words import count_attribute_words
from hf_arae.storage.files import write_text
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.run_folder import check_start
from hf_arae.utils.command_line import first_flag, read_command_line, run_script
from hf_arae.utils.tables import markdown_table

logger = logging.get_logger(__name__)


FAMILIES = [one.name for one in families() if issubclass(one.config, LabelledDecodersConfig)]


@dataclass
class FamilyArguments:
    """What is trained."""

    family: str = field(
        default="arae", metadata={"help": "The family of the model. It has flags of its own.", "choices": FAMILIES}
    )


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    vocab_size: int = field(default=30_000, metadata={"help": "The vocabulary has at most so many words."})
    min_frequency: int = field(
        default=1, metadata={"help": "A word that the training data have less often than this becomes <unk>."}
    )
    max_length: int = field(default=25, metadata={"help": "A sentence is cut after this many words."})
    salience_smoothing: float = field(
        default=5.0,
        metadata={
            "help": "Where words that give the label away are hidden: what is added to each word's count of "
            "sentences, above 0. A larger number spares rare words."
        },
    )
    accuracy_floor: float = field(
        default=85.0,
        metadata={"help": "The best checkpoint has the highest source_bleu of those with this accuracy (%) or more."},
    )
    reverse_perplexity_samples: int = field(
        default=0,
        metadata={"help": "Each evaluation measures the reverse perplexity of this many new sentences; 0: of none."},
    )


def main() -> None:
    # 1. Arguments, of the family that is named or that a preset is for
    name = first_flag(__file__, "family", "arae")
    kind = family(name if name in FAMILIES else "arae")  # the command line refuses others
    groups = {
        "Family": FamilyArguments,
        "Data": (DataArguments, StreamingArguments),
        "Vocabulary and evaluation": ScriptArguments,
        "Model": kind.config,
        "Objective": kind.objective_arguments,
        "Training": TrainingArguments,
    }
    command = read_command_line(__file__, __doc__, groups, preset=f"{kind.name}-reviews")
    _, data_arguments, streaming, script, sizes, objective_arguments, training_arguments = command.parts
    streaming.check(training_arguments.max_steps, training_arguments.per_device_train_batch_size)
    set_seed(training_arguments.seed)
    check_start(training_arguments)

    # 2. Data; of a stream, data["train"] is its beginning
    stream = None
    if streaming.streaming:
        stream, data = load_text_stream(data_arguments, streaming.tokenizer_samples)
    else:
        data = load_labelled_text(data_arguments)
    names = data["train"].features["label"].names

    # 3. Tokenizer; from here on texts are in its words, with which those that the model writes are compared
    tokenizer = train_tokenizer(data["train"]["text"], script.vocab_size, script.min_frequency, script.max_length)
    for split in data:
        data[split] = read_dataset(data[split], tokenizer, split, drop_longer=False)
    held_out = data["validation"].shuffle(seed=0)
    held_out = held_out.select(range(min(max(1000 // (len(names) - 1), 100), len(held_out))))  # to every other label
    encoded = encode_dataset(data["train"], tokenizer)
    if stream is not None:
        train = StreamedSentences(stream, tokenizer, streaming.shuffle_buffer)
    else:
        train = TokenArrays(encoded, tokenizer.pad_token_id)

    # 4. Model
    config = kind.config.from_tokenizer(
        tokenizer, num_attributes=len(names), id2label=dict(enumerate(names)), **vars(sizes)
    )
    model = kind.model(config)
    count_attribute_words(model, tokenizer, encoded, script.salience_smoothing)
    size = f"{len(data['train'])} sentences{'' if stream is None else ' held of a stream'}"
    print(f"{size}, {len(tokenizer)} words, {model.num_parameters() / 1e6:.1f} M parameters")
    list_file = Path(training_arguments.output_dir, HIDDEN_WORDS_FILE)
    print(report_hidden_words(model, tokenizer, list_file, training_arguments.overwrite_output_dir))

    # 5. Judges, trained on the training split only
    evaluator = StyleTransferEvaluator(
        tokenizer,
        held_out,
        lambda: TransferJudges.from_dataset(data["train"], data["validation"]),
        accuracy_floor=script.accuracy_floor,
        num_samples=500 if model.draws_codes else 0,
        reverse_perplexity_samples=script.reverse_perplexity_samples,
    )

    # 6. Training
    trainer = PhaseTrainer(
        model,
        kind.objectives[0](model, objective_arguments),
        training_arguments,
        train,
        processing_class=tokenizer,
        evaluator=evaluator,
    )
    if trainer.accelerator.is_main_process:  # what the judges cannot tell apart is said before the training
        print(evaluator.judges.reliability)
        if warning := evaluator.floor_out_of_reach():
            logger.warning(warning)
    result = trainer.train()
    print(f"trained {result.steps} updates in {result.seconds / 60:.1f} minutes")

    # 7. The test split's table (the validation split's, where there is no test split)
    test = data.get("test", held_out)
    last = StyleTransferEvaluator(
        tokenizer, test, lambda: evaluator.judges, num_printed=10, num_samples=evaluator.num_samples
    )
    evaluation, transfers = last.evaluate(model)
    metrics = evaluation.metrics | leakage(model, tokenizer, held_out["text"], held_out["label"])
    if trainer.accelerator.is_main_process:
        print(f"\n{len(test)} held-out sentences, greedy, {len(transfers)} transfers. {evaluator.judges.reliability}")
        for name, value in metrics.items():
            print(f"  {name:25s} {value:8.2f}")
        if len(names) > 2:
            table = markdown_table(direction_rows(evaluator.judges, transfers, names))
            write_text(Path(training_arguments.output_dir, "directions.md"), table + "\n")
            print(f"\nBy direction:\n\n{table}\n")
        print("\n".join(f"  {line}" for line in evaluation.samples))
    trainer.finish(metrics, command.parts, preset=command.preset, measured_split=measured_split(data))
    if trainer.accelerator.is_main_process:
        print(f'\nNow: pipeline("text-style-transfer", model="{training_arguments.output_dir}")')


if __name__ == "__main__":
    run_script(main)
