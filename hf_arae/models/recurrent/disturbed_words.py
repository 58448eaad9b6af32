"""Sentences with noise on their words, as a denoising autoencoder's encoder reads them."""

from __future__ import annotations

import torch
from torch import Tensor

from hf_arae.nn.text.word_noise import delete_words, shuffle_words
from hf_arae.training.objective import Objective


def disturb_words(
    objective: Objective, ids: Tensor, attention_mask: Tensor, deletion: float, distance: int
) -> tuple[Tensor, Tensor]:
    """Shuffles and deletes words; returns ids and attention mask, `(batch, sequence)`.

    Args:
        objective: draws the random numbers; its model is a text autoencoder.
        ids, attention_mask: of the sentences, `(batch, sequence)`.
        deletion: share of the words that go, in [0, 1) (Shen et al. 2020).
        distance: most places by which a word is displaced (Lample et al. 2018); 0: none is.
    """
    model = objective.model
    longest = model.config.max_sequence_length + 2
    if distance:
        ids = shuffle_words(ids, rand_words(objective, ids, longest), model.words(ids), distance)
    if deletion:
        padding = model.config.pad_token_id
        ids = delete_words(ids, rand_words(objective, ids, longest), model.words(ids), deletion, padding)
        attention_mask = ids != padding
    return ids, attention_mask


def rand_words(objective: Objective, ids: Tensor, longest: int) -> Tensor:
    """Returns a number of the objective's, uniform in [0, 1), for each place of `ids`, `(batch, sequence)`.

    Processes have batches of different widths, so numbers for `longest` places, the most that a sentence of the model
    has, are drawn in each: otherwise they would draw different numbers from then on.
    """
    draws = objective.rand(torch.empty(len(ids), max(longest, ids.shape[1]), device=ids.device))
    return draws[:, : ids.shape[1]]
