"""Compares the code spaces of trained models, and the sentences they write, in one report.

    python examples/analyze_latent_space.py --models runs/ae runs/arae                    # of the built-in corpus
    python examples/analyze_latent_space.py --models runs/ae runs/arae runs/vae runs/lm --dataset_name OWNER/NAME

The models are runs of `examples/train_text_generation.py` on the same data, or any checkpoints of this package that
`encode` sentences or `sample` them. `--output_dir` gets `report.md`, `report.json`, the pictures, and what
`python -m hf_arae.hub card` reads: `table.json` and each model's interpolations.

Steps: 1 arguments, 2 data, 3 models, 4 swapped words (Table 4.1), 5 codes (Figure 4.2), 6 posteriors, 7 new sentences
(Table 4.5), 8 interpolations (Figure 4.3), 9 pictures, 10 the report.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

import hf_arae  # noqa: F401 (registers the Auto classes)
from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.text.encoding import encode_dataset, read_dataset
from hf_arae.evaluation.language_model import reverse_perplexity
from hf_arae.evaluation.latent_codes import CodeGaussian, code_statistics, sample_codes
from hf_arae.evaluation.latent_neighbours import find_neighbours, neighbour_cosine
from hf_arae.evaluation.latent_noise import SwapNoise, swap_noise
from hf_arae.evaluation.latent_pictures import draw_code_curves, draw_code_maps
from hf_arae.evaluation.posterior import posterior_statistics
from hf_arae.evaluation.rewriting import encode_texts
from hf_arae.evaluation.text_generation import new_sentences, without_unknown_words
from hf_arae.latent.space import LatentSpace
from hf_arae.metrics import Diversity
from hf_arae.metrics.numbers import legend
from hf_arae.storage.downloads import require_checkpoints
from hf_arae.storage.files import write_json, write_text
from hf_arae.storage.run_files import LOG_FILE, read_report
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.display import visible
from hf_arae.utils.tables import markdown_table, outputs_name

SWAPS = (0, 1, 2, 3, 4)


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    models: list[str] = field(metadata={"help": "These checkpoint folders or Hub ids are compared."})
    gaussian_models: list[str] = field(
        default_factory=list,
        metadata={
            "help": "Those of the models write from a Gaussian that is fitted to their codes; of a run of "
            "train_text_generation.py it is known."
        },
    )
    output_dir: str = field(default="runs/code-spaces", metadata={"help": "The report goes into this folder."})
    num_texts: int = field(
        default=2000, metadata={"help": "Swaps, codes, posteriors and map are of so many held-out sentences."}
    )
    num_fitted: int = field(
        default=10_000, metadata={"help": "A Gaussian is fitted to the codes of so many training sentences."}
    )
    neighbour_sentences: int = field(
        default=20_000, metadata={"help": "Neighbours of sentences are looked for among so many training sentences."}
    )
    temperatures: list[float] = field(
        default_factory=lambda: [0.0],
        metadata={
            "help": "Autoencoders draw the words of new sentences at these temperatures, a row each; 0 is greedy. "
            "Language models take 1."
        },
    )
    num_pairs: int = field(
        default=10, metadata={"help": "So many interpolations between new sentences are written, of each model."}
    )
    interpolation_steps: int = field(default=7, metadata={"help": "An interpolation has so many sentences."})
    num_diverse: int = field(
        default=10_000, metadata={"help": "Distinct n-grams and self-BLEU are of so many new sentences."}
    )
    reverse_perplexity_samples: int = field(
        default=100_000,
        metadata={
            "help": "A language model reads so many sentences, of each model and real ones, for the reverse "
            "perplexity; 0 leaves it out."
        },
    )
    language_model_epochs: float = field(
        default=1.0,
        metadata={"help": "The language model of the reverse perplexity reads its sentences so many times."},
    )
    language_model_size: int = field(
        default=300, metadata={"help": "The state of the reverse perplexity's language model has this width."}
    )
    posterior_samples: int = field(
        default=100, metadata={"help": "The likelihood bound of a VAE takes so many draws."}
    )
    bf16: bool = field(
        default=False, metadata={"help": "Sentences are written, and read by language models, in bfloat16."}
    )
    seed: int = field(
        default=0, metadata={"help": "This number decides on swaps, neighbours, draws and language models."}
    )


def load(name: str, tokenizer: PreTrainedTokenizerBase) -> tuple[PreTrainedModel, bool]:
    """A checkpoint's model, and whether its run says that it draws no codes of its own.

    Raises:
        ValueError: its vocabulary is another one, so that likelihoods cannot be compared.
    """
    if AutoTokenizer.from_pretrained(name).get_vocab() != tokenizer.get_vocab():
        raise ValueError(f"{name} has another vocabulary than the first model: train them on the same data")
    draws_codes = read_report(name).get("draws_codes", True)
    try:
        return AutoModel.from_pretrained(name), not draws_codes
    except ValueError:  # a language model is no AutoModel
        return AutoModelForCausalLM.from_pretrained(name), False


def systems(sections: dict[str, tuple[str, list[dict]]], noise: dict[str, SwapNoise]) -> list[dict]:
    """A row for each autoencoder, with what the sections found of it; of new sentences, those of the first row."""
    rows = []
    for name, swapped in noise.items():
        row = {"system": name} | {f"nll_{k}_swaps": loss for k, loss in swapped.losses.items()}
        for heading, key in (("Codes", "model"), ("Posteriors", "model"), ("New sentences", "sentences of")):
            own = [found for found in sections[heading][1] if found[key].removesuffix(" (Gaussian)") == name]
            row |= {column: value for column, value in (own or [{}])[0].items() if column != key}
        rows.append(row)
    return rows


def main() -> None:
    # 1. Arguments
    groups = {"What is measured": ScriptArguments, "Data": DataArguments}
    script, data_arguments = read_command_line(__file__, __doc__, groups).parts
    strangers = [name for name in script.gaussian_models if name not in script.models]
    if strangers:
        raise ValueError(f"gaussian_models has {', '.join(strangers)}, which models has not")
    if min(script.temperatures, default=-1) < 0:
        raise ValueError(f"temperatures must be one or more numbers from 0 on, got {script.temperatures}")
    require_checkpoints(*script.models)
    out, seed = Path(script.output_dir), script.seed
    out.mkdir(parents=True, exist_ok=True)

    # 2. Data, as the tokenizer reads it
    tokenizer = AutoTokenizer.from_pretrained(script.models[0])
    data = load_labelled_text(data_arguments, label_required=False)
    train = list(read_dataset(data["train"], tokenizer, "train").shuffle(seed=seed)["text"])
    split = "test" if "test" in data else "validation"
    held_out = read_dataset(data[split], tokenizer, split).shuffle(seed=seed)
    chosen = held_out.select(range(min(script.num_texts, len(held_out))))
    texts = list(chosen["text"])
    labels = chosen["label"][:] if "label" in chosen.column_names else None
    known = without_unknown_words(held_out["text"], tokenizer)

    # 3. Models
    models, gaussians = {}, {}
    for name in script.models:
        models[name], fit = load(name, tokenizer)
        if fit or name in script.gaussian_models:
            gaussians[name] = CodeGaussian.fit(encode_texts(models[name], tokenizer, train[: script.num_fitted]))
    encoders = {name: model for name, model in models.items() if hasattr(model, "encode")}
    several = [name for name, model in encoders.items() if model.config.num_attributes > 1]
    if several and labels is None:
        raise ValueError(f"{', '.join(several)} needs the attribute of each sentence: name the label_column")
    sections: dict[str, tuple[str, list[dict]]] = {}  # by heading: what the numbers are, and the rows

    # 4. Swapped words
    noise = {
        name: swap_noise(model, tokenizer, texts, SWAPS, labels if name in several else None, seed=seed)
        for name, model in encoders.items()
    }
    sections["Swapped words"] = (
        "-log p of the original, given the code of the sentence with k swaps; nats a sentence, mean over "
        f"{len(texts)} (thesis, Table 4.1).",
        [{"k": str(k)} | {name: found.losses[k] for name, found in noise.items()} for k in SWAPS],
    )
    rewritten = []
    for row, k in zip(range(len(texts)), sorted(2 * SWAPS[1:]), strict=False):
        if noise:
            rewritten += [f"original: {texts[row]}", f"noised: {next(iter(noise.values())).noised[k][row]}"]
            rewritten += [*(f"{name}: {found.written[k][row]}" for name, found in noise.items()), ""]

    # 5. Codes
    codes = {name: encode_texts(model, tokenizer, texts) for name, model in encoders.items()}
    if encoders:
        neighbourhoods = find_neighbours(train[: script.neighbour_sentences], tokenizer, seed=seed)
        rows = []
        for name, model in encoders.items():
            fitted, count = gaussians.get(name), len(texts)
            drawn = sample_codes(model, count, seed) if fitted is None else fitted.draw(count, seed)
            cosines = neighbour_cosine(model, tokenizer, neighbourhoods) if neighbourhoods else {}
            rows.append({"model": name, **code_statistics(codes[name], drawn), **cosines})
        note = f"Of {len(texts)} sentences, and as many drawn."
        if neighbourhoods:
            note += (
                f" Cosine: {neighbourhoods.num_sentences} training sentences with {len(neighbourhoods.pairs)} others "
                "within 5 words, and with random ones (thesis, Figure 4.2)."
            )
        sections["Codes"] = (note, rows)

    # 6. Posteriors
    encoded, draws = encode_dataset(chosen, tokenizer), script.posterior_samples
    sections["Posteriors"] = (
        f"In nats a sentence; the bound on NLL with {draws} draws.",
        [
            {"model": name, **posterior_statistics(model, encoded, draws, seed)}
            for name, model in encoders.items()
            if hasattr(model, "posterior")
        ],
    )

    # 7. New sentences
    reading = {"epochs": script.language_model_epochs, "hidden_size": script.language_model_size}
    rows, written = [], []
    wanted = max(script.reverse_perplexity_samples, script.num_diverse)
    # A language model has nothing but its words to draw, so it has one row, at its own distribution.
    writers = [(name, t) for name in models for t in (script.temperatures if name in encoders else [1.0])]
    for name, temperature in (("real sentences", 0.0), *writers):
        row = {"sentences of": f"{name} (Gaussian)" if name in gaussians else name}
        if name in models:
            begun = time.perf_counter()
            arguments = {"do_sample": True, "temperature": temperature} if temperature else {}
            if script.bf16:
                arguments["precision"] = "bfloat16"
            sentences = new_sentences(models[name], tokenizer, wanted, gaussians.get(name), seed, **arguments)
            row["temperature"] = str(temperature or "greedy")
            row["sentences_per_second"] = wanted / (time.perf_counter() - begun)
        else:
            sentences = train[:wanted]
        if count := script.reverse_perplexity_samples:
            row["read"] = min(count, len(sentences))
            row["reverse_perplexity"] = reverse_perplexity(
                sentences[:count], known, tokenizer, seed=seed, bf16=script.bf16, **reading
            )
        rows.append(row | Diversity().compute(predictions=sentences[: script.num_diverse]))
        heading = " ".join(filter(None, (row["sentences of"], row.get("temperature"))))
        written += [heading, *(f"  {text}" for text in sentences[:10]), ""]
    sections["New sentences"] = (
        "Reverse perplexity: that of a language model that has "
        f"read only them, on {len(known)} real {split} sentences without unknown words (thesis, Table 4.5). Diversity "
        f"of {script.num_diverse}.",
        rows,
    )

    # 8. Interpolations, unpicked: between the first draws and those of the next seed
    ways = {}
    for name, model in encoders.items() if script.num_pairs else ():
        latent, fitted = LatentSpace(model, tokenizer, 0 if name in several else None), gaussians.get(name)
        space = latent.native_space if fitted is None else "code"
        draw = partial(latent.draw, space=space) if fitted is None else fitted.draw
        ends = (draw(script.num_pairs, seed=seed), draw(script.num_pairs, seed=seed + 1))
        ways[name] = latent.interpolate(*ends, steps=script.interpolation_steps, space=space)

    # 9. Pictures
    names = chosen.features["label"].names if labels is not None else []
    shown = [names[label] for label in labels] if 1 < len(names) <= 10 else None
    logs = {name: Path(name, LOG_FILE) for name in encoders if Path(name, LOG_FILE).is_file()}
    pictures = []
    if draw_code_curves(logs, out / "curves.png"):
        pictures.append("![Norms, variances and cosines over the trainings, as in Figure 4.2](curves.png)")
    if encoders and draw_code_maps(codes, shown, out / "codes.png", seed):
        pictures.append("![t-SNE of the sentences' codes](codes.png)")
    elif encoders:
        pictures.append("No pictures: `pip install hf_arae[plots]`.")

    # 10. The report, and what a model card is made of
    source = data_arguments.dataset_name or data_arguments.train_file or "The built-in corpus"
    parts = [
        "# Code spaces",
        f"{source}, {split} split, sentences of at most {tokenizer.model_max_length - 2} words, seed {seed}: "
        f"`python {' '.join(sys.argv)}`",
    ]
    for heading, (note, rows) in sections.items():
        if rows:
            parts += [f"## {heading}", note, markdown_table(rows, decimals=2), legend(rows)]
    for heading, lines in (("Rewritten", rewritten), ("Written", written)):
        if lines:
            parts += [f"## {heading}", "\n".join(["```", *map(visible, lines[:-1]), "```"])]
    for name, lines in ways.items():
        lines = [line for way in lines for line in (*way, "")]
        parts += [f"## Between new sentences of {name}", "\n".join(["```", *map(visible, lines[:-1]), "```"])]
        texts = "".join(json.dumps({"way": way}, ensure_ascii=False) + "\n" for way in ways[name])
        write_text(out / outputs_name(name), texts)
    report = "\n\n".join([*parts, *pictures]) + "\n"
    print(report)
    write_text(out / "report.md", report)
    write_json(out / "report.json", {heading: rows for heading, (_, rows) in sections.items()})
    write_json(out / "table.json", systems(sections, noise))


if __name__ == "__main__":
    run_script(main)
