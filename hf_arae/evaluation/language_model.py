"""The language models behind perplexity and reverse perplexity."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from hf_arae.data.text.characters import whole_characters
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.metrics.interface import check_collection, check_texts
from hf_arae.metrics.numbers import Number
from hf_arae.metrics.perplexity import Perplexity
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.models.rnn_lm.objective_rnn_lm import RnnLmObjective, RnnLmObjectiveArguments
from hf_arae.training.arguments import TrainingArguments
from hf_arae.training.trainer import PhaseTrainer
from hf_arae.utils.digests import digest

NUMBERS = {
    "reverse_perplexity": Number(
        "Reverse perplexity",
        "The perplexity of real sentences for a language model that has read only the model's; lower is better.",
        in_metadata=True,
    ),
}

_VERSION = "1"  # of the training: a model that was saved by another one is not taken


def train_language_model(
    texts: list[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    epochs: float = 2,
    embedding_size: int = 256,
    hidden_size: int = 512,
    num_layers: int = 1,
    dropout: float = 0.1,
    share_embeddings: bool = True,
    learning_rate: float = 2e-3,
    batch_size: int = 64,
    seed: int = 0,
    bf16: bool = False,
    output_dir: str | os.PathLike | None = None,
    progress_bar: bool = False,
) -> RnnLmForCausalLM:
    """Trains an [`RnnLmForCausalLM`] on sentences; returns it in evaluation mode, to be handed to `Perplexity`.

    Perplexities can be compared only under one judge. Every default is fixed, so that two calls differ in their texts
    alone: one architecture, a fixed number of passes with the rate falling linearly to 0 over them, and no choice of
    the best epoch by held-out text. Over all the systems of a table keep the same tokenizer (its words are what is
    predicted), settings and, for reverse perplexity, number of texts, since a pass over more texts is more updates.

    May be called inside an evaluation: gradients are switched on, and the caller's autocast is left aside.

    Args:
        texts: training sentences, at least one; those over the tokenizer's `model_max_length` are cut there.
        tokenizer: frames sentences as `<bos> ... <eos>` (see `hf_arae.data.text.tokenization`).
        epochs: passes over the texts, > 0.
        embedding_size, hidden_size, num_layers, dropout, share_embeddings: see [`RnnLmConfig`].
        learning_rate: of Adam, at the start.
        batch_size: sentences an update; all of them, if there are fewer.
        seed: of initialisation, order and dropout. Torch's global generators are left as they were.
        bf16: autocast to bfloat16.
        output_dir: keeps the model, tokenizer, log and checkpoint there, for `from_pretrained`; nothing is kept by
            default.
        progress_bar: show one.

    Raises:
        TypeError: `texts` is not a list of str.
        ValueError: there are no texts, or a setting is out of range.
    """
    check_collection("texts", texts)
    texts = [whole_characters(text) for text in check_texts("texts", texts)]
    sentences = tokenizer(texts, truncation=True, return_attention_mask=False)["input_ids"]
    rows = Dataset.from_dict({"input_ids": sentences})
    config = RnnLmConfig.from_tokenizer(
        tokenizer,
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        num_layers=num_layers,
        dropout=dropout,
        share_embeddings=share_embeddings,
        max_sequence_length=max(map(len, sentences)) - 2 or 1,
    )
    folder = tempfile.TemporaryDirectory() if output_dir is None else nullcontext(output_dir)
    with folder as path, torch.enable_grad(), torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        model = RnnLmForCausalLM(config)
        trainer = PhaseTrainer(
            model,
            RnnLmObjective(model, RnnLmObjectiveArguments(learning_rate=learning_rate)),
            TrainingArguments(
                output_dir=os.fspath(path),
                overwrite_output_dir=True,
                num_train_epochs=epochs,
                per_device_train_batch_size=min(batch_size, len(sentences)),
                seed=seed,
                bf16=bf16,
                eval_steps=0,
                save_steps=0,
                report_to="none",
                disable_tqdm=not progress_bar,
            ),
            TokenArrays(rows, tokenizer.pad_token_id),
            processing_class=tokenizer,
        )
        with torch.autocast(trainer.accelerator.device.type, enabled=False):  # the caller's; `bf16` decides here
            trainer.train()
    return model


def language_model_of(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, folder: str | os.PathLike | None = None, **training: Any
) -> RnnLmForCausalLM:
    """The language model of sentences: trained now, or loaded if the folder has that of the same ones.

    Args:
        texts, tokenizer: see `train_language_model`.
        folder: models are looked for in it, by a digest of texts, words and settings, and saved there; `None`: not.
        training: settings of `train_language_model`.
    """
    texts = list(texts)
    if folder is None:
        return train_language_model(texts, tokenizer, **training)
    words = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    settings = sorted((name, value) for name, value in training.items() if name != "progress_bar")
    about = repr((_VERSION, settings, words, texts))
    place = Path(folder, f"language-model-{digest(about.encode(errors='surrogatepass'))}")
    if not place.is_dir():
        unfinished = place.with_name(f".{place.name}.{os.getpid()}.unfinished")
        train_language_model(texts, tokenizer, **training).save_pretrained(unfinished)
        with suppress(OSError):  # another run may have been faster, with the same
            os.replace(unfinished, place)
    return RnnLmForCausalLM.from_pretrained(place)


def reverse_perplexity(
    samples: list[str], real_texts: list[str], tokenizer: PreTrainedTokenizerBase, **training: Any
) -> float:
    """Perplexity of real text under a language model that was trained on samples; at least 1, lower is better.

    It is high both for samples that are not fluent and for samples that cover little of the real text: unlike the
    perplexity of the samples it catches mode collapse (Zhao et al. 2018, Adversarially Regularized Autoencoders).
    Beside it, report the same number with real training sentences, as many as there are samples, in place of
    `samples`: the bound that a perfect sampler would reach.

    Args:
        samples: a system's samples; the same number for every system that is compared.
        real_texts: held-out real sentences.
        tokenizer: that of the real training text.
        training: settings of `train_language_model`.

    Raises:
        TypeError: an item is not a str.
        ValueError: there are no samples or no real texts.
    """
    for name, texts in (("samples", samples), ("real_texts", real_texts)):
        check_collection(name, texts)
        check_texts(name, texts)  # before the training, not after it
    model = train_language_model(samples, tokenizer, **training)
    return Perplexity(model, tokenizer).compute(predictions=real_texts)["perplexity"]
