"""Batched text in, text out: what the evaluators of text models call.

With several processes each works on its share of the rows, and all get all results.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.data.text.reading import batches_by_length
from hf_arae.data.text.surface import words_of
from hf_arae.metrics.numbers import Number
from hf_arae.utils.distributed import gather_rows, rows_of_this_process

NUMBERS = {
    "reconstruction_bleu": Number(
        "BLEU of greedy reconstructions",
        "BLEU of what the decoder makes of a sentence's code to the sentence; higher is closer.",
        in_metadata=True,
    ),
    "sample_self_bleu": Number(
        "Self-BLEU among new sentences",
        "BLEU of each new sentence to all the others, 0 to 100; lower is more varied.",
        in_metadata=True,
    ),
}


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
    attributes: Sequence[int] | None = None,
    batch_size: int = 256,
    **generate_arguments,
) -> list[str]:
    """Encodes each text and decodes it with the wanted attribute: a transfer, or a reconstruction with its own.

    Unknown words that the model copies are the source's, as in the pipeline.

    Args:
        texts: sentences; longer ones are cut to the limit.
        attributes: wanted value of each text; may be left out with one decoder only.
        generate_arguments: anything that the model's `decode` takes.
    """
    chosen = rows_of_this_process(len(texts))
    mine = [texts[row] for row in chosen]
    wanted = None if attributes is None else torch.as_tensor([attributes[row] for row in chosen], device=model.device)
    outputs = [""] * len(mine)
    for rows, ids, mask in batches_by_length(mine, tokenizer, batch_size, model.device):
        # Of an autoencoder the two are the same; an editor has transfers alone.
        write = model.reconstruct if wanted is None else model.transfer
        written = write(ids, mask, None if wanted is None else wanted[rows], **generate_arguments)
        for row, words in zip(rows, written.tolist(), strict=True):
            outputs[row] = _with_unknown_words(words, mine[row], tokenizer)
    return gather_rows(outputs, len(texts))


def _with_unknown_words(written: list[int], source: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """A text that was written, with the source's unknown words, in their order, where the model copied them."""
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown not in written:
        return tokenizer.decode(written, skip_special_tokens=True)
    words = words_of(tokenizer.backend_tokenizer, source)
    read = tokenizer(source, truncation=True, add_special_tokens=False)["input_ids"]
    missing = iter([word for word, token in zip(words, read, strict=False) if token == unknown])
    parts: list[str] = []
    for place in _pieces(written, unknown):
        parts.append(next(missing, "") if place == [unknown] else tokenizer.decode(place, skip_special_tokens=True))
    return " ".join(part for part in parts if part)


def _pieces(written: list[int], unknown: int) -> list[list[int]]:
    """What stands between unknown words, and these."""
    pieces: list[list[int]] = [[]]
    for token in written:
        if token == unknown:
            pieces += [[token], []]
        else:
            pieces[-1].append(token)
    return [piece for piece in pieces if piece]


def sample_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    num_samples: int,
    seed: int = 0,
    batch_size: int = 512,
    **generate_arguments,
) -> list[str]:
    """Writes new sentences by any model with `sample`, attribute values in turn."""
    values = getattr(model.config, "num_attributes", 1)  # a language model has none
    starts = range(0, num_samples, batch_size)
    batches = []
    for start in (starts[number] for number in rows_of_this_process(len(starts))):
        count = min(batch_size, num_samples - start)
        if values > 1:
            generate_arguments["attribute"] = torch.arange(count, device=model.device) % values
        ids = model.sample(count, seed=seed + start, **generate_arguments)
        batches.append(tokenizer.batch_decode(ids, skip_special_tokens=True))
    return [text for batch in gather_rows(batches, len(starts)) for text in batch]
