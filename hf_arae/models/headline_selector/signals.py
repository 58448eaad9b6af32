"""What is known of each word of the vocabulary from unpaired titles and articles: how headline-like it is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from hf_arae.utils.extras import import_extra

# The first four are those that `hf_arae.models.headline_selector.layers.WEIGHTED` begins with.
SIGNALS = (
    "smoothed_ratio",
    "ratio",
    "ratio_to_all",
    "digit",
    "smoothed_ratio_to_all",
    "suffix_ratio",
    "log_frequency",
    "rare",
)
_CONTEXT_WORDS = 1500  # the most frequent words, whose places around a word make its vector
_OFFSETS = (-2, -1, 1, 2)
_KERNEL_SHARPNESS = 12.0  # weights of neighbours: exp(12 * (cosine - 1)), those below exp(-5) left out
_SUFFIX = 3
_RARE = 3  # a word seen at most so often in the articles


def headline_signals(
    articles: Sequence[str],
    titles: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    title_articles: Sequence[str] | None = None,
    vector_size: int = 32,
) -> tuple[Tensor, Tensor]:
    """Computes signals for every token.

    The ratio is log of a word's rate in titles over its rate in articles. Most words are too rare in the titles for
    it, so it is also smoothed over words of like use: each word's counts are those of its neighbours in a space of
    vectors (truncated SVD of positive pointwise mutual information with the words around it), weighted by nearness.

    Args:
        articles: normalised sentences.
        titles: normalised titles, of any documents.
        tokenizer: gives the vocabulary; one token a word.
        vector_size: width of the words' vectors.

    Returns:
        Signals `(vocab_size, len(SIGNALS) + vector_size)`, each of mean 0 and deviation 1 over the words of the
        articles, clipped to [-4, 4]; and which tokens may stand in a headline `(vocab_size,)` bool: words, not
        punctuation and special tokens.

    Raises:
        ImportError: scikit-learn is not installed (the `metrics` extra).
        ValueError: there are no articles, or no titles.
    """
    if not articles or not titles:
        raise ValueError(f"headline signals need articles and titles, got {len(articles)} and {len(titles)}")
    words = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    special = set(tokenizer.all_special_ids)

    def encode(texts: Sequence[str]) -> list[list[int]]:
        return tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False)[
            "input_ids"
        ]

    sentences = encode(articles)
    in_all, in_titles = _counts(sentences, len(words)), _counts(encode(titles), len(words))
    in_own = in_all if title_articles is None else _counts(encode(title_articles), len(words))
    vectors = _vectors(sentences, in_all, vector_size)
    counts = np.stack([in_titles, in_own, in_all], axis=1).astype(float)
    smoothed = np.empty_like(counts)
    for start in range(0, len(words), 2000):
        kernel = np.exp(_KERNEL_SHARPNESS * (vectors[start : start + 2000] @ vectors.T - 1))
        kernel[kernel < np.exp(-5)] = 0
        smoothed[start : start + 2000] = kernel @ counts
    by_suffix: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(3))
    for word, count in zip(words, counts, strict=True):
        by_suffix[word[-_SUFFIX:]] += count
    suffixed = np.stack([by_suffix[word[-_SUFFIX:]] for word in words])
    totals = counts.sum(0)

    def ratio(table: np.ndarray, to: int, smoothing: float) -> np.ndarray:
        return np.log((table[:, 0] + smoothing) / totals[0]) - np.log((table[:, to] + smoothing) / totals[to])

    table = np.stack(
        [
            ratio(smoothed, 1, 0.2),
            ratio(counts, 1, 1.0),
            ratio(counts, 2, 5.0),
            np.array([float("#" in word or any(map(str.isdigit, word))) for word in words]),
            ratio(smoothed, 2, 0.2),
            ratio(suffixed, 1, 5.0),
            np.log1p(in_all),
            (in_all <= _RARE).astype(float),
        ],
        axis=1,
    )
    table = np.concatenate([table, vectors], axis=1)
    total = in_all.sum()
    mean = in_all @ table / total
    deviation = np.sqrt(in_all @ np.square(table - mean) / total) + 1e-6
    selectable = [
        index not in special and bool(re.search(r"[^\W_]|#", word)) and word not in ("-lrb-", "-rrb-")
        for index, word in enumerate(words)
    ]
    selectable[tokenizer.unk_token_id] = True
    table = torch.from_numpy(np.clip((table - mean) / deviation, -4, 4)).float()
    return table, torch.tensor(selectable)


def _counts(sentences: Iterable[list[int]], size: int) -> np.ndarray:
    return np.bincount(np.fromiter((token for ids in sentences for token in ids), dtype=np.int64), minlength=size)


def _vectors(sentences: Sequence[list[int]], counts: np.ndarray, size: int) -> np.ndarray:
    """Unit vectors `(vocab_size, size)`; 0 for words that are not in the articles."""
    sparse = import_extra("scipy.sparse")
    context = np.full(len(counts), _CONTEXT_WORDS)
    frequent = np.argsort(-counts, kind="stable")[:_CONTEXT_WORDS]
    context[frequent] = np.arange(len(frequent))
    width = _CONTEXT_WORDS + 2  # the others together, and the outside of a sentence
    rows, columns = [], []
    for ids in sentences:
        tokens = np.asarray(ids)
        padded = np.concatenate([[width - 1] * 2, context[tokens], [width - 1] * 2])
        for number, offset in enumerate(_OFFSETS):
            rows.append(tokens)
            columns.append(number * width + padded[2 + offset : 2 + offset + len(tokens)])
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    table = sparse.coo_matrix(
        (np.ones(len(rows)), (rows, columns)), shape=(len(counts), len(_OFFSETS) * width)
    ).tocsr()
    by_word, by_context = np.asarray(table.sum(1)).ravel(), np.asarray(table.sum(0)).ravel() ** 0.75
    by_context /= by_context.sum()
    table = table.tocoo()
    information = np.maximum(np.log(table.data / (by_word[table.row] * by_context[table.col])), 0)
    table = sparse.coo_matrix((information, (table.row, table.col)), shape=table.shape).tocsr()
    svd = import_extra("sklearn.decomposition").TruncatedSVD(min(size, len(counts) - 1), random_state=0)
    vectors = svd.fit_transform(table)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-6
    return np.pad(vectors, ((0, 0), (0, size - vectors.shape[1])))
