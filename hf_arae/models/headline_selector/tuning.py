"""The few numbers of a headline selector that are no network's, chosen on validation pairs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from hf_arae.data.text.reading import batches_by_length
from hf_arae.models.headline_selector.layers import NEVER, WEIGHTED
from hf_arae.models.headline_selector.mining import stems
from hf_arae.models.headline_selector.modeling_headline_selector import HeadlineSelectorForTokenClassification

# Where the ascent begins: little of each, and no word twice.
_START = {"smoothed_ratio": 0.1, "position": -0.5, "repetition": -2.0}
_STEPS = (0.4, 0.2, 0.1)
_SHARES = (0.30, 0.33, 0.36, 0.39, 0.42, 0.45, 0.48)  # of all words, that score above the threshold


@torch.no_grad()
def tune_selection(
    model: HeadlineSelectorForTokenClassification,
    tokenizer: PreTrainedTokenizerBase,
    documents: Sequence[str],
    summaries: Sequence[str],
    target_length: int = 10,
    max_words: float = 11.0,
) -> dict[str, float]:
    """Sets the selector's weights and threshold to what gives the best ROUGE-L F1; len(WEIGHTED) + 1 numbers.

    Weights by coordinate ascent at a fixed length, then the threshold for lengths that the model chooses itself.

    Args:
        model: its networks are trained.
        tokenizer: its tokenizer.
        documents, summaries: validation pairs; documents are cut to the tokenizer's limit.
        target_length: words, for the weights.
        max_words: mean length that the threshold may lead to.

    Returns:
        `rouge_l` (of stems, 0..100) and `mean_length` after tuning, and the numbers that were chosen.
    """
    model.eval()
    selector = model.selector
    parts = []
    for rows, ids, mask in batches_by_length(documents, tokenizer, 256, model.device):
        words, keep = ids[:, 1:], mask[:, 1:].bool() & (ids[:, 1:] != tokenizer.eos_token_id)
        log_odds = selector.member_scores(words, keep).mean(0)
        allowed = selector.allowed(words, keep)
        written = selector.written(words)
        texts = [tokenizer.convert_ids_to_tokens(row) for row in written.tolist()]
        own = [text_words(tokenizer, documents[row]) for row in rows]
        signals = selector.weighted_signals(words, keep)
        parts.append(
            (log_odds, signals, allowed, texts, own, [_all_stems(summaries[row]) for row in rows], written != words)
        )

    def score(weights: Tensor, shortest: int, longest: int, threshold: float) -> tuple[float, float]:
        total = length = 0.0
        for log_odds, signals, allowed, forms, own, references, changed in parts:
            scores = (log_odds + signals @ weights).masked_fill(~allowed, NEVER)
            rows = torch.ones(len(scores), dtype=torch.long)
            chosen = selector.best_words(scores, rows * shortest, rows * longest, threshold)
            for row, reference in enumerate(references):
                places = chosen[row].nonzero().flatten().tolist()
                summary = [forms[row][at] if changed[row, at] else own[row][at] for at in places]
                total += _rouge_l([stem for word in summary for stem in stems(word)], reference)
                length += len(places)
        return 100 * total / len(documents), length / len(documents)

    weights = torch.tensor([_START.get(name, 0.0) for name in WEIGHTED])
    best, _ = score(weights, target_length, target_length, 0.0)
    for step in _STEPS:
        for place in range(len(WEIGHTED)):
            for sign in (1, -1):
                while True:
                    tried = weights.clone()
                    tried[place] += sign * step
                    value, _ = score(tried, target_length, target_length, 0.0)
                    if value <= best:
                        break
                    weights, best = tried, value
    selector.weights.copy_(weights)

    everything = torch.cat([(log_odds + signals @ weights)[allowed] for log_odds, signals, allowed, *_ in parts])
    lengths = model.config.shortest_headline, model.config.longest_headline
    found = []
    for share in _SHARES:
        threshold = everything.quantile(1 - share).item() if len(everything) < 2**24 else 0.0
        value, mean = score(weights, *lengths, threshold)
        if mean <= max_words:
            found.append((value, mean, threshold))
    value, mean, threshold = max(found) if found else (*score(weights, lengths[0], lengths[0], 0.0), 1e4)
    selector.threshold.fill_(threshold)
    numbers = dict(zip(WEIGHTED, weights.tolist(), strict=True))
    return {"rouge_l": value, "mean_length": mean, "threshold": threshold, **numbers}


def text_words(tokenizer: PreTrainedTokenizerBase, text: str) -> list[str]:
    """A text's words as the tokenizer takes them apart, those outside its vocabulary too."""
    return tokenizer.backend_tokenizer.normalizer.normalize_str(text).split()


def _all_stems(text: str) -> list[str]:
    return [stem for word in text.split() for stem in stems(word)]


def _rouge_l(summary: list[str], reference: list[str]) -> float:
    """F1 of the longest common subsequence."""
    before = [0] * (len(reference) + 1)
    for word in summary:
        now = [0]
        for place, other in enumerate(reference):
            now.append(before[place] + 1 if word == other else max(before[place + 1], now[place]))
        before = now
    return 2 * before[-1] / (len(summary) + len(reference)) if before[-1] else 0.0


__all__ = ["text_words", "tune_selection"]
