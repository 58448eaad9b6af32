"""Rounds of rewriting: a model rewrites real sentences, and what it learns from is made of both.

In a pair of *back-translation* the model's sentence is read and the real one is written: what the rewriter learns to
write is always real, and what it reads has the words of the other label in it, which gaps do not show. In a pair of
*distillation* the real sentence is read and the best of many candidates is written, so that one greedy pass comes near
the choice among many.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm.auto import tqdm

from hf_arae.models.infilling.modeling_infilling import InfillingModel
from hf_arae.utils.distributed import gather_rows, rows_of_this_process

_CHUNK = 500  # sentences that are rewritten together
_CONVINCING = 1.0  # log-odds that a sentence must have for its new label, to be learned from
_KEPT = 0.5  # likeness to its source that a rewriting must have, likewise
_DISFLUENCY = 0.5  # nats a word that a rewriting may be less usual than its source, to be written


def rewriting_pairs(
    model: InfillingModel,
    sentences: Sequence[Sequence[int]],
    attributes: Sequence[int],
    num_candidates: int,
    distillation: bool,
    seed: int = 0,
    precision: str = "float32",
    disable_tqdm: bool = False,
) -> Dataset:
    """Rewrites sentences of the training data, and pairs them with what was written.

    With several processes each works on its share, and all get all pairs.

    Args:
        model: in evaluation mode.
        sentences: token ids with `<bos>` and `<eos>`.
        attributes: their labels.
        num_candidates: from so many the best is taken.
        distillation: pairs of both kinds, not of back-translation alone.
        seed: of the labels that are wanted, and of the candidates.
        precision: `"float32"` or `"bfloat16"`.
        disable_tqdm: there is no progress bar.

    Returns:
        Rows with `source_ids`, `input_ids` (what is to be written), `attribute` (the label to write with),
        `real` (whether it is a sentence of the data) and `length`.
    """
    draws, count = np.random.default_rng(seed), model.config.num_attributes
    begin, end = model.config.bos_token_id, model.config.eos_token_id
    starts = range(0, len(sentences), _CHUNK)
    mine, rows_by_chunk = frozenset(rows_of_this_process(len(starts))), []

    def add(read: Sequence[int], written: Sequence[int], label: int, real: bool) -> None:
        ids = [begin, *written, end]
        row = {"source_ids": [begin, *read, end], "input_ids": ids, "attribute": int(label), "length": len(ids)}
        rows_by_chunk[-1].append(row | {"real": real})

    bar = tqdm(total=len(sentences), desc="Rewriting", unit="sentence", disable=disable_tqdm)
    for number, start in enumerate(starts):
        words = [list(sentence[1:-1]) for sentence in sentences[start : start + _CHUNK]]
        own = list(attributes[start : start + _CHUNK])
        wanted = [
            (label + int(step)) % count for label, step in zip(own, draws.integers(1, count, len(own)), strict=True)
        ]
        if number not in mine:
            continue
        rows_by_chunk.append([])
        usual = model.fluency(words, own)
        for source, label, target, least, found in zip(
            words,
            own,
            wanted,
            usual.tolist(),
            model.candidates(words, wanted, num_candidates, seed + start, precision),
            strict=True,
        ):
            if not found.words:
                continue
            at = int(found.scores(model.choice_weights, model.config.style_limit).argmax())
            if found.style[at] < _CONVINCING or found.content[at] < _KEPT:
                continue
            add(found.words[at], source, label, True)
            if distillation and found.fluency[at] > least - _DISFLUENCY:
                add(source, found.words[at], target, False)
        bar.update(len(words))
    bar.close()
    return Dataset.from_list([row for rows in gather_rows(rows_by_chunk, len(starts)) for row in rows])


def collate_pairs(padding: int):
    """What makes a batch of rows of `rewriting_pairs`: `input_ids`, `attention_mask`, `source_ids`, `source_mask`
    `(batch, sequence)`, `attribute` and `real` `(batch,)`."""

    def collate(rows: list[dict]) -> dict[str, Tensor]:
        batch = {name: torch.tensor([row[name] for row in rows]) for name in ("attribute", "real")}
        for name, mask in (("input_ids", "attention_mask"), ("source_ids", "source_mask")):
            ids = [torch.tensor(row[name]) for row in rows]
            batch[name] = pad_sequence(ids, batch_first=True, padding_value=padding)
            batch[mask] = (batch[name] != padding).long()
        return batch

    return collate
