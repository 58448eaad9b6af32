"""Trains a model of unlabelled sentences: an autoencoder of any family, or a language model to compare it with.

    python examples/train_text_generation.py                                   # ARAE, built-in corpus
    python examples/train_text_generation.py --family vae --dataset_name OWNER/NAME --text_column text
    python examples/train_text_generation.py --preset daae-sentences           # settings by name
    python examples/train_text_generation.py --base_model runs/arae-sentences --freeze_autoencoder \\
        --output_dir runs/second-stage                                         # ARAE: the generator alone, for longer
    python examples/train_text_generation.py --help --family vae               # the family's own flags

The steps: 1 arguments, 2 data, 3 tokenizer, 4 model, 5 evaluator, 6 training, 7 held-out sentences and new ones. The
result, `--output_dir`, loads with `AutoModel.from_pretrained` (a language model with `AutoModelForCausalLM`) and goes
into `examples/analyze_latent_space.py`.

Text larger than memory: `--streaming --max_steps 100000 --dataset_name OWNER/NAME`. Vocabulary, fitted codes and
neighbours then come from the first `--tokenizer_samples` sentences.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transformers import AutoConfig, AutoTokenizer, set_seed

from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.splits import measured_split
from hf_arae.data.stream_batches import StreamedSentences
from hf_arae.data.streaming import StreamingArguments, load_text_stream
from hf_arae.data.text.encoding import encode_dataset, read_dataset
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.latent_neighbours import find_neighbours
from hf_arae.evaluation.text_generation import TextGenerationEvaluator, without_unknown_words
from hf_arae.models.auto import families, family
from hf_arae.models.recurrent.autoencoder_config import TextAutoencoderConfig
from hf_arae.storage.downloads import require_checkpoints
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.run_folder import check_start
from hf_arae.utils.command_line import first_flag, read_command_line, run_script

# Families that write sentences from a code, or from nothing.
FAMILIES = [
    one.name
    for one in families()
    if issubclass(one.config, TextAutoencoderConfig) or "AutoModelForCausalLM" in one.models
]
OF_LABELS = ("mask_attribute_words", "salience_threshold", "classifier_sizes")  # of models of labelled sentences


@dataclass
class FamilyArguments:
    """What is trained."""

    family: str = field(
        default="arae", metadata={"help": "The family of the model. It has flags of its own.", "choices": FAMILIES}
    )
    base_model: str | None = field(
        default=None,
        metadata={
            "help": "A run of this script to go on from, with its tokenizer and sizes; for an ARAE's second stage, "
            "with --freeze_autoencoder."
        },
    )


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    vocab_size: int = field(default=11_000, metadata={"help": "The vocabulary has at most so many words."})
    min_frequency: int = field(
        default=1, metadata={"help": "A word that the training data have less often than this becomes <unk>."}
    )
    max_length: int = field(default=15, metadata={"help": "A sentence with more words than this is too long."})
    drop_longer: bool = field(
        default=True, metadata={"help": "Sentences that are too long are left out; with false they are cut."}
    )
    num_fitted: int = field(
        default=10_000,
        metadata={"help": "For a model that draws no codes, a Gaussian is fitted to those of this many sentences."},
    )
    neighbour_sentences: int = field(
        default=20_000,
        metadata={"help": "Neighbours of sentences are looked for among this many; 0 leaves their cosine out."},
    )
    reverse_perplexity_samples: int = field(
        default=0,
        metadata={"help": "The last evaluation measures the reverse perplexity of this many new sentences; 0: not."},
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
    command = read_command_line(__file__, __doc__, groups, f"{kind.name}-sentences", {kind.config: OF_LABELS})
    about, data_arguments, streaming, script, sizes, objective_arguments, training_arguments = command.parts
    streaming.check(training_arguments.max_steps, training_arguments.per_device_train_batch_size)
    set_seed(training_arguments.seed)
    check_start(training_arguments)
    if about.base_model:
        require_checkpoints(about.base_model)

    # 2. Data: the texts, without labels; of a stream, data["train"] is its beginning
    stream = None
    if streaming.streaming:
        stream, data = load_text_stream(data_arguments, streaming.tokenizer_samples, label_required=False)
    else:
        data = load_labelled_text(data_arguments, label_required=False).select_columns("text")

    # 3. Tokenizer
    if about.base_model:
        tokenizer = AutoTokenizer.from_pretrained(about.base_model)
    else:
        tokenizer = train_tokenizer(data["train"]["text"], script.vocab_size, script.min_frequency, script.max_length)
    measured = measured_split(data)
    for split in data:
        data[split] = read_dataset(data[split], tokenizer, split, script.drop_longer)
    if stream is not None:
        train = StreamedSentences(stream, tokenizer, streaming.shuffle_buffer, script.drop_longer)
    else:
        train = TokenArrays(encode_dataset(data["train"], tokenizer), tokenizer.pad_token_id)

    # 4. Model
    if about.base_model:
        base = AutoConfig.from_pretrained(about.base_model)
        if base.model_type != kind.name:
            raise ValueError(
                f"{about.base_model} is of the family {base.model_type}, not {kind.name}: name it as --family"
            )
        base.check_sizes({key: size for key, size in vars(sizes).items() if key in command.asked}, about.base_model)
        model = kind.model.from_pretrained(about.base_model)
    else:
        model = kind.model(kind.config.from_tokenizer(tokenizer, **vars(sizes)))
    objective = kind.objectives[0](model, objective_arguments)
    size = f"{len(data['train'])} sentences{'' if stream is None else ' held of a stream'}"
    print(f"{size}, {len(tokenizer)} words, {model.num_parameters() / 1e6:.1f} M parameters")

    # 5. Evaluator
    shuffled = data["train"].shuffle(seed=0)["text"]
    draws_codes = getattr(model, "draws_codes", True)  # a language model has none
    fitted = None if draws_codes else shuffled[: script.num_fitted]
    neighbourhoods = None
    if script.neighbour_sentences and hasattr(model, "encode"):
        neighbourhoods = find_neighbours(shuffled[: script.neighbour_sentences], tokenizer)
    held_out = data["validation"].shuffle(seed=0)["text"][:1000]
    evaluator = TextGenerationEvaluator(tokenizer, held_out, fitted, neighbourhoods)

    # 6. Training
    trainer = PhaseTrainer(
        model,
        objective,
        training_arguments,
        train,
        processing_class=tokenizer,
        evaluator=evaluator,
    )
    result = trainer.train()
    print(f"trained {result.steps} updates in {result.seconds / 60:.1f} minutes")

    # 7. The test split's numbers (the validation split's, where there is no test split)
    test = without_unknown_words(data.get("test", data["validation"])["text"], tokenizer)
    last = TextGenerationEvaluator(
        tokenizer,
        test,
        fitted,
        neighbourhoods,
        num_printed=10,
        reverse_perplexity_samples=script.reverse_perplexity_samples,
    )
    evaluation = last(model)
    if trainer.accelerator.is_main_process:
        print(f"\n{len(test)} held-out sentences without unknown words, greedy:")
        for name, value in evaluation.metrics.items():
            print(f"  {name:26s} {value:8.2f}")
        print("\n".join(f"  {line}" for line in evaluation.samples))
    found = {"family": kind.name, "draws_codes": draws_codes} | evaluation.metrics
    options = {"preset": command.preset, "measured_split": measured, "base": about.base_model}
    trainer.finish(found, command.parts, **options)
    if trainer.accelerator.is_main_process:
        print(f"\nNow: python examples/analyze_latent_space.py --models {training_arguments.output_dir}")


if __name__ == "__main__":
    run_script(main)
