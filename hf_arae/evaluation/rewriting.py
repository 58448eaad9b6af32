"""Batched text in, text out: what the evaluators of text models call.

With several processes each works on its share of the rows, and all get all results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.training.distributed import gather_rows, rows_of_this_process


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
    mine = [texts[row] for row in rows_of_this_process(len(texts))]
    codes = torch.empty(len(mine), model.config.code_size)
    for rows, ids, mask in batches_by_length(mine, tokenizer, batch_size, model.device):
        codes[rows] = model.encode(ids, mask).float().cpu()
    return torch.stack(gather_rows(list(codes), len(texts)))


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
    chosen = rows_of_this_process(len(texts))
    mine, wanted = [texts[row] for row in chosen], torch.as_tensor([attributes[row] for row in chosen])
    outputs = [""] * len(mine)
    for rows, ids, mask in batches_by_length(mine, tokenizer, batch_size, model.device):
        written = model.reconstruct(ids, mask, wanted[rows].to(model.device), **generate_arguments)
        for row, text in zip(rows, tokenizer.batch_decode(written, skip_special_tokens=True), strict=True):
            outputs[row] = text
    return gather_rows(outputs, len(texts))


def sample_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    num_samples: int,
    seed: int = 0,
    batch_size: int = 512,
    **generate_arguments,
) -> list[str]:
    """Writes sentences from z ~ N(0, I), attribute values in turn."""
    values = model.config.num_attributes
    starts = range(0, num_samples, batch_size)
    batches = []
    for start in (starts[number] for number in rows_of_this_process(len(starts))):
        count = min(batch_size, num_samples - start)
        attribute = torch.arange(count, device=model.device) % values if values > 1 else None
        ids = model.sample(count, attribute, seed=seed + start, **generate_arguments)
        batches.append(tokenizer.batch_decode(ids, skip_special_tokens=True))
    return [text for batch in gather_rows(batches, len(starts)) for text in batch]
