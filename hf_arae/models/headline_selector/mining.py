"""Articles beside titles of *other* articles that tell a like story: labels for the words of a headline, unpaired."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from hf_arae.models.headline_selector.forms import headline_form
from hf_arae.utils.extras import import_extra

_BLOCK_ROWS = 2000  # articles that are compared with all titles at once
_MINIMUM_WORDS = 4  # of a title: a shorter one has no story


@cache
def _stem(word: str) -> str:
    return _stemmer().stem(word) if len(word) > 3 else word  # as rouge_score stems


@cache
def _stemmer():
    return import_extra("nltk.stem.porter").PorterStemmer()


def stems(word: str) -> tuple[str, ...]:
    """The stems of a word's parts, as ROUGE counts them: "tie-up" has two, "," none."""
    return tuple(_stem(part) for part in re.findall(r"[a-z0-9]+", word.lower()))


def mine_titles(
    articles: Sequence[str],
    titles: Sequence[str],
    article_origins: Sequence[str] | None = None,
    title_origins: Sequence[str] | None = None,
    minimum_similarity: float = 0.36,
) -> list[tuple[int, int]]:
    """Finds for each article the most similar title of another document.

    Similarity is the cosine of tf-idf vectors of stems. An article and a title of the same origin are never put
    together: no document meets its own title, so what is learned from the pairs is learned without supervision.

    Args:
        articles: normalised sentences, words separated by spaces.
        titles: likewise.
        article_origins, title_origins: where each comes from (the document's text, say); `None`, or an origin of "",
            says that it is of no document on the other side.
        minimum_similarity: less similar pairs are left out, in [0, 1).

    Returns:
        (row of the article, row of the title), the most similar first.

    Raises:
        ImportError: scikit-learn or nltk is not installed (the `metrics` extra).
        ValueError: there are no articles or no titles, or `minimum_similarity` is out of range.
    """
    if not articles or not titles:
        raise ValueError(f"mining needs articles and titles, got {len(articles)} and {len(titles)}")
    if not 0 <= minimum_similarity < 1:
        raise ValueError(f"minimum_similarity must lie in [0, 1), got {minimum_similarity}")
    vectorizer = import_extra("sklearn.feature_extraction.text").TfidfVectorizer(
        analyzer=lambda text: [stem for word in text.split() for stem in stems(word)], sublinear_tf=True, min_df=2
    )
    try:
        article_vectors = vectorizer.fit_transform(articles)
    except ValueError:  # no stem is in two articles, so that none tells which are alike
        return []
    usable = [row for row, title in enumerate(titles) if len(title.split()) >= _MINIMUM_WORDS]
    if not usable:
        return []
    title_vectors = vectorizer.transform([titles[row] for row in usable]).T.tocsr()
    own: dict[str, list[int]] = {}
    for place, row in enumerate(usable):
        if title_origins is not None and title_origins[row]:
            own.setdefault(title_origins[row], []).append(place)
    found = []
    for start in range(0, len(articles), _BLOCK_ROWS):
        similarity = (article_vectors[start : start + _BLOCK_ROWS] @ title_vectors).tolil()
        if article_origins is not None:
            for row, origin in enumerate(article_origins[start : start + _BLOCK_ROWS]):
                for place in own.get(origin, ()):
                    similarity[row, place] = 0.0
        similarity = similarity.tocsr()
        best, value = np.asarray(similarity.argmax(1)).ravel(), similarity.max(1).toarray().ravel()
        rows = np.flatnonzero(value >= max(minimum_similarity, 1e-9))
        found += [(value[row], start + int(row), usable[best[row]]) for row in rows]
    return [(article, title) for _, article, title in sorted(found, key=lambda pair: (-pair[0], pair[1]))]


def title_words(article: str, title: str) -> list[float]:
    """For each word of the article, 1.0 if its stems are all in the title, or those of its headline form; else 0.0."""
    present = {stem for word in title.split() for stem in stems(word)}

    def is_told(word: str) -> bool:
        return bool(parts := stems(word)) and present.issuperset(parts)

    words = article.split()
    return [float(is_told(word) or is_told(headline_form(words, place))) for place, word in enumerate(words)]
