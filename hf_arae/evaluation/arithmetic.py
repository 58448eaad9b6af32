"""Vector arithmetic on subject, verb and modifier: how often it changes them, and what it changes besides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

import torch
from torch import Tensor

from hf_arae.evaluation.caption_parts import PARTS, CaptionParts, Parser, parse_captions
from hf_arae.latent.texts import LatentTexts, word_precision


class Transform(NamedTuple):
    """A change: the `part` of a sentence ("subject", "verb" or "modifier") becomes `word`."""

    part: str
    word: str


# Figure 4.4: match % and precision of an ARAE on SNLI sentences.
PUBLISHED = {
    Transform("verb", "walking"): (85.0, 79.5),
    Transform("subject", "man"): (92.0, 80.2),
    Transform("modifier", "two"): (86.0, 74.1),
    Transform("subject", "dog"): (88.0, 77.0),
    Transform("verb", "standing"): (89.0, 79.3),
    Transform("modifier", "several"): (70.0, 67.0),
}


class ParsedSentences:
    """Sentences, their points in a latent space and their parts; the means of Section 4.8 are taken over them.

    Make one with `drawn` (the thesis: z and what the model writes from them) or `encoded` (any model: real sentences
    and their codes).

    Args:
        texts: sentences, words separated by spaces.
        points: `(len(texts), width)`.
        parts: of each sentence.
        space: "code" or "z", what the points are.

    Raises:
        ValueError: numbers that differ.
    """

    def __init__(self, texts: Sequence[str], points: Tensor, parts: Sequence[CaptionParts], space: str):
        if not len(texts) == len(points) == len(parts):
            raise ValueError(f"{len(texts)} texts, {len(points)} points and {len(parts)} parsed: they must be as many")
        self.texts, self.points, self.parts, self.space = texts, points.cpu(), parts, space
        self._rows: dict[str, dict[str, list[int]]] = {part: defaultdict(list) for part in PARTS}
        for row, found in enumerate(parts):
            for part, word in zip(PARTS, found, strict=True):
                if word is not None:
                    self._rows[part][word].append(row)
        self._sums: dict[Transform, Tensor] = {}

    @classmethod
    def drawn(
        cls,
        latent: LatentTexts,
        num_sentences: int = 1_000_000,
        seed: int = 0,
        parse: Parser = parse_captions,
        **generate_arguments,
    ) -> ParsedSentences:
        """Draws points and writes a sentence from each, greedily unless told otherwise. The thesis takes 1 million."""
        space = latent.native_space
        points = latent.draw(num_sentences, space, seed)
        texts = latent.decode(points, space, seed, **generate_arguments)
        return cls(texts, points, parse(texts), space)

    @classmethod
    def encoded(
        cls, latent: LatentTexts, texts: Sequence[str], parse: Parser = parse_captions, truncation: bool = False
    ) -> ParsedSentences:
        """Encodes sentences, and keeps them as the model reads them: without the words that it does not know."""
        return cls(latent.as_read(texts), latent.encode(texts, truncation), parse(texts), "code")

    def __len__(self) -> int:
        return len(self.texts)

    def count(self, transform: Transform) -> int:
        """The number of sentences that have the word as that part."""
        return len(self._rows[self._part(transform)].get(transform.word, ()))

    def commonest(self, part: str, number: int) -> list[str]:
        """The words that are that part most often."""
        rows = self._rows[self._part(Transform(part, ""))]
        return sorted(rows, key=lambda word: (-len(rows[word]), word))[:number]

    def originals(self, transform: Transform, limit: int) -> list[int]:
        """The first rows that a transform can be tried on, at most `limit`.

        They have another word as that part, and share it with at least one more sentence, so that a mean over all
        others with it exists.
        """
        rows = self._rows[self._part(transform)]
        chosen = []
        for row, parts in enumerate(self.parts):
            word = getattr(parts, transform.part)
            if word not in (None, transform.word) and len(rows[word]) > 1:
                chosen.append(row)
            if len(chosen) == limit:
                break
        return chosen

    def moved(self, rows: Sequence[int], transform: Transform) -> Tensor:
        """The points of sentences after a transform, `(len(rows), width)` (Section 4.8).

        The mean of all *other* sentences with the same word as that part is subtracted, and the mean of those with
        the wanted word is added.

        Raises:
            ValueError: no sentence has the wanted word as that part, or no other one has a row's own.
        """
        plus = self._mean(transform)
        moved = []
        for row in rows:
            own = Transform(transform.part, getattr(self.parts[row], transform.part))
            moved.append(self.points[row].double() - self._mean(own, row) + plus)
        return torch.stack(moved).to(self.points.dtype)

    def _mean(self, feature: Transform, without: int | None = None) -> Tensor:
        members = self._rows[self._part(feature)].get(feature.word, [])
        others = len(members) - (without is not None)
        if others < 1:
            common = ", ".join(self.commonest(feature.part, 8))
            raise ValueError(
                f"no {'other ' if members else ''}sentence of {len(self)} has {feature.word!r} as its {feature.part}; "
                f"the commonest ones: {common or 'none'}"
            )
        if feature not in self._sums:
            self._sums[feature] = self.points[members].double().sum(0)
        total = self._sums[feature]
        return (total if without is None else total - self.points[without].double()) / others

    def _part(self, transform: Transform) -> str:
        if transform.part not in PARTS:
            raise ValueError(f"part must be one of {', '.join(PARTS)}; got {transform.part!r}")
        return transform.part


@dataclass
class TransformScore:
    """How a transform went.

    Args:
        transform: the change.
        match: share of originals, in %, with at least one sample that has the wanted word as that part.
        precision: in %, mean word precision of matching samples against their original: over the matching samples of
            each original, then over the originals that match. `None` without a match.
        originals: number of sentences it was tried on.
        sentences: number of sentences that the wanted word's mean was taken over.
        examples: (original, its matching sample of the highest precision).
    """

    transform: Transform
    match: float
    precision: float | None
    originals: int
    sentences: int
    examples: list[tuple[str, str]]

    def row(self) -> dict[str, str | float]:
        """As a row of a table, with the published values where there are any."""
        row: dict[str, str | float] = {
            "part": self.transform.part,
            "transform": self.transform.word,
            "match %": self.match,
            "precision %": self.precision,
            "originals": self.originals,
            "sentences": self.sentences,
        }
        published = PUBLISHED.get(self.transform)
        return row if published is None else row | {"thesis match %": published[0], "thesis precision %": published[1]}


def score_transform(
    latent: LatentTexts,
    sentences: ParsedSentences,
    transform: Transform,
    num_originals: int = 100,
    num_samples: int = 100,
    seed: int = 0,
    parse: Parser = parse_captions,
    **generate_arguments,
) -> TransformScore:
    """Moves sentences by a transform's offset, draws samples there and looks for the change (Section 4.8, Figure 4.4).

    Args:
        latent: the model's latent space.
        sentences: what means are taken over; the originals are the first of them that the transform applies to.
        transform: the change, such as `Transform("verb", "walking")`; [`PUBLISHED`] has those of the figure.
        num_originals: at most so many sentences are transformed.
        num_samples: texts drawn for each original.
        seed: of the draws.
        parse: finds the parts of the samples; the one that parsed `sentences`.
        generate_arguments: see `LatentTexts.decode`.

    Raises:
        ValueError: no sentence has the wanted word, or none can be transformed; a number is below 1.
    """
    if num_originals < 1:
        raise ValueError(f"num_originals must be at least 1, got {num_originals}")
    rows = sentences.originals(transform, num_originals)
    if not rows:
        raise ValueError(f"no sentence of {len(sentences)} shares a {transform.part} that is not {transform.word!r}")
    moved = sentences.moved(rows, transform)
    samples = latent.decode_samples(moved, num_samples, sentences.space, seed, **generate_arguments)
    precisions, examples = [], []
    for row, texts in zip(rows, samples, strict=True):
        original = sentences.texts[row]
        matches = [
            (word_precision(text, original), text)
            for text, parts in zip(texts, parse(texts), strict=True)
            if getattr(parts, transform.part) == transform.word
        ]
        if matches:
            precisions.append(fmean(precision for precision, _ in matches))
            examples.append((original, max(matches)[1]))
    return TransformScore(
        transform,
        100 * len(precisions) / len(rows),
        100 * fmean(precisions) if precisions else None,
        len(rows),
        sentences.count(transform),
        examples,
    )
