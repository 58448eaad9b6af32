"""What swapped words do to a reconstruction (thesis, Table 4.1)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.data.text.reading import batches_by_length
from hf_arae.metrics.numbers import Number
from hf_arae.utils.distributed import gather_rows, rows_of_this_process

NUMBERS = {
    "nll_0_swaps": Number(
        "-log p of a sentence given its code (nats)",
        "How badly the decoder rebuilds a sentence, in nats a sentence; lower is better.",
        in_metadata=True,
    ),
    "nll_1_swaps": Number(
        "The same, two words swapped before it is encoded",
        "-log p of the sentence given the code of the noised one, in nats; near `nll_0_swaps` where codes are smooth.",
        in_metadata=True,
    ),
}
NUMBERS |= {
    f"nll_{swaps}_swaps": Number(
        f"The same after {swaps} swaps", "-log p of the sentence given the code of the noised one, in nats."
    )
    for swaps in (2, 3, 4)
}

_MARKS = (".", "!", "?")


@dataclass
class SwapNoise:
    """What `swap_noise` finds.

    Args:
        losses: by number of swaps, -log p(original | code of the noised sentence) in nats a sentence, mean over
            sentences.
        noised: by number of swaps, the noised sentences.
        written: by number of swaps, their greedy reconstructions.
    """

    losses: dict[int, float]
    noised: dict[int, list[str]]
    written: dict[int, list[str]]


@torch.no_grad()
def swap_noise(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    swaps: Sequence[int] = (0, 1, 2, 3, 4),
    attributes: Sequence[int] | None = None,
    write: bool = True,
    seed: int = 0,
    batch_size: int = 256,
) -> SwapNoise:
    """Encodes sentences with swapped words, and asks the decoder for the originals.

    A swap exchanges two different words, whose places are drawn evenly. The thesis says "swaps" and no more; in its
    examples the mark at the end of a sentence stays, and so it does here. A sentence's swaps are of different pairs of
    places, so that they do not cancel, and its k swaps are the first of its k + 1. With too few words for k pairs it
    gets as many as there are. Which places are swapped depends on `seed` and the sentence's row, and on no model.

    Args:
        model: anything with `encode`, `decode` and `log_probability`.
        texts: original sentences; longer ones are cut to the limit.
        swaps: numbers of swaps, each at least 0.
        attributes: the sentences' own attribute values, for a model with several decoders.
        write: decode the noised sentences too.

    Raises:
        ValueError: there are no texts, or a number of swaps is negative.
    """
    if not texts or min(swaps) < 0:
        raise ValueError(f"give at least one text and numbers of swaps from 0 on; got {len(texts)}, {list(swaps)}")
    chosen = rows_of_this_process(len(texts))
    mine = [texts[row] for row in chosen]
    found: list[list] = [[] for _ in mine]
    for rows, ids, mask in batches_by_length(mine, tokenizer, batch_size, model.device):
        attribute = None if attributes is None else torch.tensor([attributes[chosen[row]] for row in rows])
        attribute = None if attribute is None else attribute.to(model.device)
        sentences = [sentence[:length] for sentence, length in zip(ids.tolist(), mask.sum(1).tolist(), strict=True)]
        pairs = [_places(s, tokenizer, f"{seed} {chosen[row]}") for row, s in zip(rows, sentences, strict=True)]
        for count in swaps:
            noised = ids.clone()
            for row, (sentence, places) in enumerate(zip(sentences, pairs, strict=True)):
                noised[row, : len(sentence)] = ids.new_tensor(_swapped(sentence, places[:count]))
            code = model.encode(noised, mask)
            losses = (-model.log_probability(code, ids, attribute)).tolist()
            written = model.decode(code, attribute) if write else noised[:, :0]
            columns = (tokenizer.batch_decode(part, skip_special_tokens=True) for part in (noised, written))
            for row, *values in zip(rows, losses, *columns, strict=True):
                found[row].append(values)
    everything = gather_rows(found, len(texts))
    by_count = {count: [row[at] for row in everything] for at, count in enumerate(swaps)}
    return SwapNoise(
        {count: sum(loss for loss, _, _ in rows) / len(rows) for count, rows in by_count.items()},
        {count: [noised for _, noised, _ in rows] for count, rows in by_count.items()},
        {count: [written for _, _, written in rows] for count, rows in by_count.items()} if write else {},
    )


def _places(sentence: list[int], tokenizer: PreTrainedTokenizerBase, seed: str) -> list[tuple[int, int]]:
    """All pairs of places that hold different words, in random order."""
    end = len(sentence) - 1  # the place of <eos>
    if end > 2 and tokenizer.convert_ids_to_tokens(sentence[end - 1]) in _MARKS:
        end -= 1
    pairs = [(one, two) for one, two in combinations(range(1, end), 2) if sentence[one] != sentence[two]]
    random.Random(seed).shuffle(pairs)
    return pairs


def _swapped(sentence: list[int], pairs: Sequence[tuple[int, int]]) -> list[int]:
    sentence = list(sentence)
    for one, two in pairs:
        sentence[one], sentence[two] = sentence[two], sentence[one]
    return sentence
