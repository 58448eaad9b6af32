"""Batched text in, text out: what the evaluators of text models call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase


def batches_by_length(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, batch_size: int, device: torch.device
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Yields (row numbers, `input_ids`, `attention_mask`), sentences of like length together."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row].split()))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        batch = tokenizer([texts[row] for row in rows], return_tensors="pt", padding=True, truncation=True)
        yield rows, batch["input_ids"].to(device), batch["attention_mask"].to(device)


@torch.no_grad()
def encode_texts(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], batch_size: int = 256
) -> Tensor:
    """Returns the codes of the texts, `(len(texts), code_size)`, on the CPU. Longer texts are cut to the limit."""
    codes = torch.empty(len(texts), model.config.code_size)
    for rows, ids, mask in batches_by_length(texts, tokenizer, batch_size, model.device):
        codes[rows] = model.encode(ids, mask).float().cpu()
    return codes


@torch.no_grad()
def rewrite_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    attributes: Sequence[int],
    batch_size: int = 256,
    **generate_arguments,
) -> list[str]:
    """Encodes each text and decodes it with the wanted attribute: a transfer, or a reconstruction with its own.

    Args:
        texts: sentences; longer ones are cut to the limit.
        attributes: wanted value of each text.
        generate_arguments: anything that the model's `decode` takes.
    """
    wanted, outputs = torch.as_tensor(attributes), [""] * len(texts)
    for rows, ids, mask in batches_by_length(texts, tokenizer, batch_size, model.device):
        written = model.reconstruct(ids, mask, wanted[rows].to(model.device), **generate_arguments)
        for row, text in zip(rows, tokenizer.batch_decode(written, skip_special_tokens=True), strict=True):
            outputs[row] = text
    return outputs


def sample_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    num_samples: int,
    seed: int = 0,
    batch_size: int = 512,
    **generate_arguments,
) -> list[str]:
    """Writes sentences from z ~ N(0, I), attribute values in turn."""
    texts: list[str] = []
    values = model.config.num_attributes
    while len(texts) < num_samples:
        count = min(batch_size, num_samples - len(texts))
        attribute = torch.arange(count, device=model.device) % values if values > 1 else None
        ids = model.sample(count, attribute, seed=seed + len(texts), **generate_arguments)
        texts += tokenizer.batch_decode(ids, skip_special_tokens=True)
    return texts
