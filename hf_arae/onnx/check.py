"""An exported folder against the model that it came from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from hf_arae.models.recurrent.autoencoder import TextAutoencoder
from hf_arae.onnx.runtime import OnnxTextAutoencoder


@dataclass(frozen=True)
class ExportCheck:
    """How far an export is from its model.

    Args:
        code_difference: largest absolute difference of a coordinate of a code.
        logit_difference: largest absolute difference of a logit, along the model's example inputs.
        equal_texts: share of sentences that both write the same, word for word, greedily: rewritten with each
            attribute value, or reconstructed by a model without attributes.
        sentences: their number.
    """

    code_difference: float
    logit_difference: float
    equal_texts: float
    sentences: int


@torch.no_grad()
def check_export(
    model: TextAutoencoder,
    tokenizer: PreTrainedTokenizerBase,
    folder: str | os.PathLike,
    sentences: Sequence[str],
    num_threads: int | None = None,
) -> ExportCheck:
    """Compares an exported folder with its model, on the model's `example_inputs` and on sentences.

    Args:
        model: the model, in float32 and evaluation mode.
        tokenizer: its tokenizer.
        folder: what `export_onnx` wrote, tokenizer included.
        sentences: at least one; longer ones are cut.
        num_threads: of onnxruntime.
    """
    exported = OnnxTextAutoencoder.from_pretrained(folder, num_threads=num_threads)
    inputs = {name: part.cpu().numpy() for name, part in model.example_inputs.items()}
    codes = model.encode(model.example_inputs["input_ids"], model.example_inputs["attention_mask"])
    found = exported.encode_ids(inputs["input_ids"], inputs["attention_mask"])
    code_difference = _largest_difference(codes, found)
    wanted = model(**model.example_inputs).logits
    found = exported.logits(codes.cpu().numpy(), inputs["decoder_input_ids"], inputs.get("attribute"))
    logit_difference = _largest_difference(wanted, found)

    sentences = list(sentences)
    batch = tokenizer(sentences, return_tensors="pt", padding=True, truncation=True).to(model.device)
    codes = model.encode(**batch)
    exported_codes = exported.encode(sentences, truncation=True)
    code_difference = max(code_difference, _largest_difference(codes, exported_codes))
    equal = []
    for value in range(model.config.num_attributes):
        texts = tokenizer.batch_decode(model.decode(codes, value), skip_special_tokens=True)
        others = exported.decode(exported_codes, value)
        equal += [text == other for text, other in zip(texts, others, strict=True)]
    return ExportCheck(code_difference, logit_difference, float(np.mean(equal)), len(sentences))


def _largest_difference(wanted: torch.Tensor, found: np.ndarray) -> float:
    return float(np.abs(wanted.cpu().numpy() - found).max())


__all__ = ["ExportCheck", "check_export"]
