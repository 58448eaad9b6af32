"""Trains a model of unlabelled sentences: an autoencoder of any family, or a language model to compare it with.

    python examples/train_text_generation.py                                   # ARAE, built-in corpus
    python examples/train_text_generation.py --family vae --dataset_name OWNER/NAME --text_column text
    python examples/train_text_generation.py --base_model runs/text-generation --freeze_autoencoder \\
        --output_dir runs/second-stage                                         # ARAE: the generator alone, for longer
    python examples/train_text_generation.py --help --family vae               # the family's own arguments

Families: arae, ae (without adversary), vae, aae, daae, lm; `hf_arae.models.text_recipes` joins each to its objective.

The steps: 1 arguments, 2 data, 3 tokenizer, 4 model, 5 evaluator, 6 training, 7 held-out sentences and new ones. The
result, `--output_dir`, loads with `AutoModel.from_pretrained` (a language model with `AutoModelForCausalLM`) and goes
into `examples/analyze_latent_space.py`.

Text larger than memory: `--streaming --max_steps 100000 --dataset_name OWNER/NAME`. Vocabulary, fitted codes and
neighbours then come from the first `--tokenizer_samples` sentences.

The published ARAE of section 4.6 (SNLI sentences): `--embedding_size 300 --code_size 300 --share_embeddings false
--amplify_code false --initialization published --generator_batch_norm true --generator_shortcut false
--amplify_adversary false --autoencoder_optimizer sgd --autoencoder_learning_rate 1 --autoencoder_schedule constant
--noise_std 0.05 --noise_decay 0.9995 --critic_learning_rate 1e-4 --generator_learning_rate 1e-4
--adversary_schedule constant --gradient_penalty 1 --critic_scale 0.1 --per_device_train_batch_size 64
--num_train_epochs 15`.
"""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass, field

from transformers import AutoTokenizer, HfArgumentParser, set_seed

from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.splits import measured_split
from hf_arae.data.stream_batches import StreamedSentences
from hf_arae.data.streaming import StreamingArguments, load_text_stream
from hf_arae.data.text.encoding import encode_dataset, read_dataset
from hf_arae.data.text.token_arrays import PackedSentences
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.latent_neighbours import find_neighbours
from hf_arae.evaluation.text_generation import TextGenerationEvaluator, without_unknown_words
from hf_arae.models.text_recipes import TEXT_RECIPES
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.report import write_report


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    family: str = field(default="arae", metadata={"help": "Family of the model.", "choices": list(TEXT_RECIPES)})
    base_model: str | None = field(
        default=None,
        metadata={
            "help": "A run of this script to go on from, with its tokenizer and sizes; as for an ARAE's second stage, "
            "--freeze_autoencoder."
        },
    )
    vocab_size: int = field(default=11_000, metadata={"help": "Most words in the vocabulary."})
    min_frequency: int = field(default=1, metadata={"help": "Words seen less often become <unk>."})
    max_length: int = field(default=15, metadata={"help": "Longest sentence in words."})
    drop_longer: bool = field(default=True, metadata={"help": "Leave longer sentences out, in place of cutting them."})
    num_fitted: int = field(
        default=10_000, metadata={"help": "Training sentences that ae's Gaussian of codes is fitted to."}
    )
    neighbour_sentences: int = field(
        default=20_000,
        metadata={"help": "Training sentences in which neighbours are looked for; 0 leaves their cosine out."},
    )
    reverse_perplexity_samples: int = field(
        default=0, metadata={"help": "New sentences for the last reverse perplexity; 0 leaves it out."}
    )


@dataclass
class TextGenerationTrainingArguments(TrainingArguments):
    """Defaults that suit the built-in corpus."""

    output_dir: str = field(default="runs/text-generation", metadata={"help": "Where everything goes."})
    num_train_epochs: float = field(default=5.0, metadata={"help": "Passes over the sentences."})
    bf16: bool = field(default=True, metadata={"help": "Autocast to bfloat16; parameters stay float32."})
    eval_steps: int = field(default=500, metadata={"help": "Iterations between two evaluations; 0 for none."})


def main() -> None:
    # 1. Arguments, of the family that is named
    which = ArgumentParser(add_help=False)
    which.add_argument("--family", default=ScriptArguments.family)
    recipe = TEXT_RECIPES.get(which.parse_known_args()[0].family, TEXT_RECIPES["arae"])  # the parser refuses others
    parts = (ScriptArguments, DataArguments, StreamingArguments, recipe.model_arguments, recipe.objective_arguments)
    parser = HfArgumentParser((*parts, TextGenerationTrainingArguments))
    script, data_arguments, streaming, model_arguments, objective_arguments, training_arguments = (
        parser.parse_args_into_dataclasses()
    )
    streaming.check(training_arguments.max_steps, training_arguments.per_device_train_batch_size)
    set_seed(training_arguments.seed)

    # 2. Data: the texts, without labels; of a stream, data["train"] is its beginning
    stream = None
    if streaming.streaming:
        stream, data = load_text_stream(data_arguments, streaming.tokenizer_samples, label_required=False)
    else:
        data = load_labelled_text(data_arguments, label_required=False).select_columns("text")

    # 3. Tokenizer
    if script.base_model:
        tokenizer = AutoTokenizer.from_pretrained(script.base_model)
    else:
        tokenizer = train_tokenizer(data["train"]["text"], script.vocab_size, script.min_frequency, script.max_length)
    measured = measured_split(data)
    for split in data:
        data[split] = read_dataset(data[split], tokenizer, split, script.drop_longer)
    if stream is not None:
        train = StreamedSentences(stream, tokenizer, streaming.shuffle_buffer, script.drop_longer)
    else:
        train = PackedSentences(encode_dataset(data["train"], tokenizer), tokenizer.pad_token_id)

    # 4. Model
    if script.base_model:
        model = recipe.load(script.base_model, model_arguments)
    else:
        model = recipe.build(model_arguments, tokenizer)
    size = f"{len(data['train'])} sentences{'' if stream is None else ' held of a stream'}"
    print(f"{size}, {len(tokenizer)} words, {model.num_parameters() / 1e6:.1f} M parameters")

    # 5. Evaluator
    shuffled = data["train"].shuffle(seed=0)["text"]
    fitted = None if recipe.draws_codes else shuffled[: script.num_fitted]
    neighbourhoods = None
    if script.neighbour_sentences and hasattr(model, "encode"):
        neighbourhoods = find_neighbours(shuffled[: script.neighbour_sentences], tokenizer)
    held_out = data["validation"].shuffle(seed=0)["text"][:1000]
    evaluator = TextGenerationEvaluator(tokenizer, held_out, fitted, neighbourhoods)

    # 6. Training
    trainer = PhaseTrainer(
        model,
        recipe.objective(model, objective_arguments),
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
        run = {"family": script.family, "seed": training_arguments.seed, "draws_codes": recipe.draws_codes}
        run |= {"updates": result.steps, "minutes": result.seconds / 60, "measured_split": measured}
        settings = (script, data_arguments, model_arguments, objective_arguments, training_arguments)
        write_report(training_arguments.output_dir, run | evaluation.metrics, settings, script.base_model)
        print(f"\nNow: python examples/analyze_latent_space.py --models {training_arguments.output_dir}")
        if training_arguments.push_to_hub:
            print(f"pushed to {trainer.push_to_hub()}")


if __name__ == "__main__":
    main()
