"""What is run on a device, for its tests and its benchmark: every family trained, evaluated, saved, resumed, used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset, DatasetDict
from presets import EXAMPLES, preset_settings, text_family, text_model, text_objective
from safetensors.torch import load_file
from transformers import AutoTokenizer, PreTrainedModel, pipeline

from hf_arae.data.documents import DocumentArguments, load_documents
from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.text.encoding import encode_dataset
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.style_transfer import StyleTransferEvaluator, TransferJudges
from hf_arae.evaluation.summarization import SummarizationEvaluator
from hf_arae.evaluation.text_generation import TextGenerationEvaluator
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments
from hf_arae.models.text.attribute_words import count_attribute_words
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.models.ursae.objective_ursae import UrsaeObjective, UrsaeObjectiveArguments
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.objective import Objective

PRESETS = sorted((EXAMPLES / "presets").glob("*-sentences.yaml"))
TEXTS = tuple(path.stem.removesuffix("-sentences") for path in PRESETS)
FAMILIES = ("transfer", *TEXTS, "ursae")
SENTENCES = 4000  # of the built-in corpora: enough for vocabulary and batches, read in seconds


@cache
def reviews() -> DatasetDict:
    """The built-in sentences of two labels."""
    return load_labelled_text(DataArguments())


@cache
def news() -> DatasetDict:
    """The built-in documents."""
    return load_documents(DocumentArguments())


class Run(NamedTuple):
    """What a training needs beside its arguments."""

    model: PreTrainedModel
    objective: Objective
    rows: TokenArrays
    tokenizer: Any
    evaluator: Any


def build_run(family: str, small: bool = False) -> Run:
    """A new model of a family over a built-in corpus, the same at each call.

    Args:
        family: one of `FAMILIES`; "transfer" is the ARAE of two labels, the others are named as in the examples.
        small: tiny sizes, to try this where there is no accelerator; else those of the examples.
    """
    torch.manual_seed(0)
    if family == "ursae":
        return _ursae(small)
    data = reviews()
    train = data["train"].shuffle(seed=0).select(range(SENTENCES))
    held_out = data["validation"].shuffle(seed=0).select(range(200))
    tokenizer = train_tokenizer(train["text"], max_length=15)
    sizes = {"embedding_size": 16, "hidden_size": 24} if small else {}
    if family == "transfer":
        encoded = encode_dataset(train, tokenizer)
        names = train.features["label"].names
        (chosen,) = preset_settings("arae-reviews", "train_style_transfer", AraeConfig)
        labels = {"num_attributes": len(names), "id2label": dict(enumerate(names))}
        model = AraeModel(AraeConfig.from_tokenizer(tokenizer, **(vars(chosen) | sizes | labels)))
        count_attribute_words(model, tokenizer, encoded)
        settings = {"autoencoder_optimizer": "adam", "autoencoder_learning_rate": 2e-3, "noise_std": 0.01}
        objective = AraeObjective(model, AraeObjectiveArguments(**settings))
        judges = TransferJudges.from_dataset(train, held_out)
        evaluator = StyleTransferEvaluator(tokenizer, held_out, judges, num_samples=20)
    else:
        encoded = encode_dataset(train.select_columns("text"), tokenizer)
        model = text_model(f"{family}-sentences", tokenizer, **sizes)
        objective = text_objective(f"{family}-sentences", model)
        fitted = None if getattr(model, "draws_codes", True) else train["text"][:200]  # a language model has none
        evaluator = TextGenerationEvaluator(tokenizer, held_out["text"], fitted, None)
    return Run(model, objective, TokenArrays(encoded, tokenizer.pad_token_id), tokenizer, evaluator)


def _ursae(small: bool) -> Run:
    data = news()
    documents = data["train"]["document"][:SENTENCES]
    tokenizer = train_tokenizer(documents, max_length=50, style="news")
    sizes = {"embedding_size": 16, "hidden_size": 24, "reader_size": 16, "conv_size": 16} if small else {}
    sizes |= {"share_embeddings": True, "reader_kernel": 3, "copy_gate": True}
    model = UrsaeForConditionalGeneration(UrsaeConfig.from_tokenizer(tokenizer, **sizes))
    settings = UrsaeObjectiveArguments(source_words_only=True, source_order=True, force_lengths=True)
    rows = TokenArrays(encode_dataset(Dataset.from_dict({"text": documents}), tokenizer), tokenizer.pad_token_id)
    evaluator = SummarizationEvaluator(tokenizer, data["validation"].select(range(50)), target_length=9)
    return Run(model, UrsaeObjective(model, settings), rows, tokenizer, evaluator)


def make_trainer(run: Run, folder: Path, device: str, **arguments: Any) -> PhaseTrainer:
    """The loop over a run, quiet, with 64 rows a batch unless `arguments` say otherwise."""
    settings = {"output_dir": str(folder), "per_device_train_batch_size": 64, "report_to": "none"}
    settings |= {"disable_tqdm": True, "use_cpu": device == "cpu", "logging_steps": 5, "save_steps": 0}
    return PhaseTrainer(
        run.model,
        run.objective,
        TrainingArguments(**(settings | arguments)),
        run.rows,
        processing_class=run.tokenizer,
        evaluator=run.evaluator,
    )


@contextmanager
def deterministic() -> Iterator[None]:
    """The same sums in the same order at each call, where torch has such kernels; a warning names those it has not."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def train_and_resume(family: str, folder: Path, device: str, bf16: bool, steps: int, small: bool = False) -> dict:
    """Trains for `steps` iterations with evaluations and checkpoints, and again from the checkpoint half way.

    Returns:
        `seconds` of the first run, the last evaluation's `metrics`, and `resume_difference`: the largest difference
        between a weight at the end of the straight run and of the resumed one (0 where the device's kernels add up in
        one order, see [`deterministic`]).

    Raises:
        AssertionError: a weight is not finite, or the device is not the one asked for.
    """
    half = {"max_steps": steps, "eval_steps": steps // 2, "save_steps": steps // 2, "bf16": bf16}
    with deterministic():
        straight = make_trainer(build_run(family, small), folder / "straight", device, **half)
        assert straight.accelerator.device.type == device, straight.accelerator.device
        began = time.perf_counter()
        straight.train()
        seconds = time.perf_counter() - began
        source = folder / "straight" / f"checkpoint-{steps // 2}"
        resumed = make_trainer(
            build_run(family, small), folder / "resumed", device, resume_from_checkpoint=str(source), **half
        )
        resumed.train()
    one, other = (load_file(folder / name / "model.safetensors") for name in ("straight", "resumed"))
    assert all(value.isfinite().all() for value in one.values() if value.is_floating_point())
    difference = max(float((one[name].double() - other[name].double()).abs().max()) for name in one)
    return {"seconds": seconds, "metrics": straight.last_metrics, "resume_difference": difference}


def use_model(family: str, folder: Path, device: str) -> dict[str, Any]:
    """Loads a finished run on the device and on the CPU, and writes with both.

    Returns:
        `outputs` of the device, and `same_as_cpu`, the share (0 to 1) of greedy outputs that the CPU writes alike:
        rounding decides between words that are about equally likely.
    """
    task = {"transfer": "text-style-transfer", "ursae": "text-summarization"}.get(family)
    texts, written = inputs(family), {}
    for place in (device, "cpu"):
        if task:
            writer = pipeline(task, model=str(folder), device=place)
            settings = {"target": 1} if family == "transfer" else {}
            rows = writer(texts, batch_size=8, **settings)
            written[place] = [next(iter(row.values())) if isinstance(row, dict) else row for row in rows]
        else:
            written[place] = _verbs(family, folder, place, texts)
    same = sum(one == other for one, other in zip(written[device], written["cpu"], strict=True)) / len(texts)
    return {"outputs": written[device][:3], "same_as_cpu": same}


def inputs(family: str) -> list[str]:
    """Texts of the built-in corpora that no model was trained on."""
    if family == "ursae":
        return news()["validation"]["document"][:16]
    return reviews()["validation"]["text"][:32]


def _verbs(family: str, folder: Path, device: str, texts: list[str]) -> list[str]:
    """Reconstructions, or what a language model writes after the first words; both precisions and samples must run."""
    model, tokenizer = (
        text_family(f"{family}-sentences").model.from_pretrained(folder).to(device),
        AutoTokenizer.from_pretrained(folder),
    )
    if getattr(model, "draws_codes", True):
        assert len(model.sample(20, seed=0)) == 20
    batch = tokenizer(texts, return_tensors="pt", padding=True, truncation=True).to(device)
    if not hasattr(model, "reconstruct"):
        ids = model.generate(batch["input_ids"][:, :3], do_sample=False)
    else:
        model.reconstruct(**batch, precision="bfloat16")
        model.reconstruct(**batch, num_beams=4)
        ids = model.reconstruct(**batch)
    return tokenizer.batch_decode(ids, skip_special_tokens=True)
