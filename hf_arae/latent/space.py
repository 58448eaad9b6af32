"""One interface to the latent space of every family: texts in, texts out, vectors in between.

A point is a *code*, which the encoder gives and the decoder reads, or, for a model with a generator, a *z*: noise that
the generator maps to a code. The thesis works on z (sections 4.6.3 and 4.8); sentences have codes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F

from hf_arae.latent.paths import check_min, interpolation, random_walk
from hf_arae.latent.texts import LatentTexts, Texts, in_groups
from hf_arae.utils.display import shown


class Neighbour(NamedTuple):
    """A text near another one.

    Args:
        text: the neighbour.
        similarity: cosine of the two codes, in -1..1.
        row: its place among the texts that were searched.
    """

    text: str
    similarity: float
    row: int


class LatentSpace(LatentTexts):
    """Walks through the latent space of a text autoencoder.

    ```python
    latent = LatentSpace(AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
    latent.interpolate("a man is sleeping .", "two dogs run .", steps=7)[0]  # seven sentences
    latent.interpolate(latent.draw(5, "z", seed=0), latent.draw(5, "z", seed=1), space="z")  # five lines
    latent.arithmetic("a man is sleeping .", minus=sleeping, plus=walking, wanted=lambda text: "walking" in text)
    ```

    Every method takes a batch and returns one result a row; lists are shown as tables. Where it takes points, these
    are sentences (one or many, which are encoded first) or a tensor of rows, with `space` to say whether they are
    codes or z. Generation arguments go to the model's `decode`; greedy decoding and plain sampling take its fast path.
    The same call with the same seed gives the same texts, whatever was drawn before, and leaves torch's own generators
    as they were; with a seed of `None` draws are torch's own. Unless `max_new_tokens` or `max_length` is given, what
    is written is never longer than what can be encoded.

    Its arguments and their errors are those of [`~hf_arae.latent.texts.LatentTexts`].
    """

    # What lies between and around points

    def interpolate(
        self,
        a: Texts | Tensor,
        b: Texts | Tensor,
        steps: int = 7,
        method: str = "linear",
        space: str = "code",
        seed: int | None = 0,
        **generate_arguments,
    ) -> list[list[str]]:
        """Writes what lies on the way from each row of `a` to the same row of `b` (Figure 4.3).

        Args:
            a, b: sentences or points, as many of each, or one of either for all of the other.
            steps: texts on each way, at least 2: both ends are among them.
            method: "linear" (the thesis) or "spherical", see [`~hf_arae.latent.paths.interpolation`].
            space: "code" or "z".
            seed, generate_arguments: see `decode`.

        Returns:
            `steps` texts for each pair.
        """
        a, b = self._points(a, space, "a"), self._points(b, space, "b")
        points = interpolation(a, b, steps, method)
        return in_groups(self.decode(points.flatten(0, 1), space, seed, **generate_arguments), steps)

    def walk(
        self,
        start: Texts | Tensor,
        steps: int = 10,
        angle: float = 0.3,
        space: str = "code",
        seed: int | None = 0,
        **generate_arguments,
    ) -> list[list[str]]:
        """Writes what a random walk from each row of `start` passes, see [`~hf_arae.latent.paths.random_walk`].

        Args:
            start: sentences or points.
            steps: texts on each walk, the one at its start included; at least 2.
            angle: turn at each step, in radians.
            space: "code" or "z".
            seed: of the walk, and of the draws with `do_sample`.
            generate_arguments: see `decode`.
        """
        points = random_walk(self._points(start, space, "start"), steps, angle, seed)
        return in_groups(self.decode(points.flatten(0, 1), space, seed, **generate_arguments), steps)

    def nearest(
        self, texts: Texts | Tensor, among: Sequence[str], k: int = 5, codes: Tensor | None = None
    ) -> list[list[Neighbour]]:
        """Finds the texts whose codes have the largest cosine with each given one's, nearest first.

        Args:
            texts: sentences, or codes.
            among: what is searched. A text that is both given and searched is its own first neighbour.
            k: neighbours of each, from 1 to `len(among)`.
            codes: those of `among`, `(len(among), code_size)`, if they are known.
        """
        if not 1 <= k <= len(among):
            raise ValueError(f"k must lie in 1..{len(among)}, the number of texts searched; got {k}")
        codes = self.encode(among) if codes is None else self._points(codes, "code", "codes")
        if len(codes) != len(among):
            raise ValueError(f"codes has {len(codes)} rows for {len(among)} texts")
        codes, found = F.normalize(codes, dim=1), []
        for part in F.normalize(self._points(texts, "code", "texts"), dim=1).split(64):
            similarities, rows = (part @ codes.T).topk(k, dim=1)
            for pairs in zip(similarities.tolist(), rows.tolist(), strict=True):
                found.append([Neighbour(among[row], cosine, row) for cosine, row in zip(*pairs, strict=True)])
        return shown(found)

    # Arithmetic

    def offset(self, minus: Texts | Tensor, plus: Texts | Tensor, space: str = "code") -> Tensor:
        """The mean of the points `plus` less that of the points `minus`, `(width,)` (section 4.8).

        Args:
            minus, plus: sentences or points of one class each, such as those with "sleeping" and those with "walking"
                as their verb.

        Raises:
            ValueError: a class is empty.
        """
        means = []
        for name, given in (("minus", minus), ("plus", plus)):
            points = self._points(given, space, name)
            if not len(points):
                raise ValueError(f"{name} is empty: a mean needs at least one sentence")
            means.append(points.double().mean(0))
        return (means[1] - means[0]).to(self.model.dtype)

    def arithmetic(
        self,
        base: Texts | Tensor,
        minus: Texts | Tensor,
        plus: Texts | Tensor,
        num_samples: int = 100,
        wanted: Callable[[str], bool] | None = None,
        space: str = "code",
        seed: int | None = 0,
        **generate_arguments,
    ) -> list[list[str]]:
        """Moves each row of `base` by `offset(minus, plus)` and draws texts there (section 4.8).

        Args:
            base: sentences or points.
            minus, plus: see `offset`.
            num_samples: texts drawn for each row; the thesis draws 100.
            wanted: tells a text in which the change has happened. Only those are returned, each once, and those that
                keep most of the original's words first: the search of the thesis. The originals of points are what
                they decode to.
            space: "code" or "z".
            seed: of the draws.
            generate_arguments: see `decode`; `do_sample` is on.

        Returns:
            For each row all samples, or, with `wanted`, the matching ones: none where the search failed.
        """
        self._check_writing(generate_arguments)  # before large classes are encoded
        check_min("num_samples", num_samples, 1)
        points = self._points(base, space, "base")
        moved = points + self.offset(minus, plus, space)
        samples = self.decode_samples(moved, num_samples, space, seed, **generate_arguments)
        if wanted is None:
            return samples
        originals = self.decode(points, space) if isinstance(base, Tensor) else self.as_read(base)
        found = []
        for original, texts in zip(originals, samples, strict=True):
            matches = [text for text in dict.fromkeys(texts) if wanted(text)]
            found.append(sorted(matches, key=lambda text, original=original: -word_precision(text, original)))
        return shown(found)


def word_precision(text: str, original: str) -> float:
    """Share of a text's words that its original has too, in 0..1; each of the original's words counts once.

    "Prec" of Figure 4.4. A text without a word has precision 0.
    """
    words, others = Counter(text.split()), Counter(original.split())
    return (words & others).total() / max(words.total(), 1)


__all__ = ["LatentSpace", "Neighbour", "word_precision"]
