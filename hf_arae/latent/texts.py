"""Texts to points of a latent space and back, with the checks of both, and arithmetic on sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.data.text.attribute_labels import AttributeLabels
from hf_arae.data.text.characters import whole_characters
from hf_arae.data.text.cutting import cut_ids
from hf_arae.data.text.inputs import check_arguments, check_inputs, check_length, check_text, place_of
from hf_arae.data.text.reading import batches_by_length
from hf_arae.latent.paths import check_min
from hf_arae.latent.points import LatentPoints
from hf_arae.models.text.text_model import GENERATE_ARGUMENTS
from hf_arae.models.text.tokenizer_check import check_tokenizer
from hf_arae.models.text.writing_settings import check_writing
from hf_arae.nn.text.decoding import MAX_ROWS
from hf_arae.utils.display import progress, shown
from hf_arae.utils.seeding import seeded

# One point gives one text here; `decode_samples` draws several, and faster than `generate` does.
_REFUSED = ("num_return_sequences", "return_dict_in_generate")
_ACCEPTED = ("precision", *(name for name in GENERATE_ARGUMENTS if name not in _REFUSED))

Texts = str | Iterable[str]


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


class LatentTexts(LatentPoints):
    """The latent space of a text autoencoder, see [`~hf_arae.LatentSpace`], which makes it.

    Generation arguments go to the model's `decode`; greedy decoding and plain sampling take its fast path. The same
    call with the same seed gives the same texts, whatever was drawn before, and leaves torch's own generators as they
    were; with a seed of `None` draws are torch's own. Unless `max_new_tokens` or `max_length` is given, what is
    written is never longer than what can be encoded. Lists are shown as tables.

    Args:
        model: a model with `encode`, `decode` and `sample_codes`, as an `AraeModel` has. It is put in evaluation mode.
        tokenizer: its tokenizer.
        attribute: label (name or id) that everything is written with, for a model with several decoders.
        batch_size: sentences that are read or written at once.

    Raises:
        TypeError: the model lacks one of these methods; the label is neither a name nor an id.
        ValueError: the tokenizer is not the model's, or the model does not have that label.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        attribute: str | int | None = None,
        batch_size: int = MAX_ROWS,
    ):
        missing = [name for name in ("encode", "decode", "sample_codes") if not callable(getattr(model, name, None))]
        if missing:
            raise TypeError(f"a {type(model).__name__} has no {' and no '.join(missing)}: it is no text autoencoder")
        check_tokenizer(tokenizer, model.config)
        if attribute is not None:
            if getattr(model.config, "num_attributes", 1) < 2:
                raise ValueError(f"this model has no attributes, got {attribute!r}")
            attribute = AttributeLabels(model.config.id2label).id_of("attribute", attribute)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.model, self.tokenizer, self.attribute, self.batch_size = model.eval(), tokenizer, attribute, batch_size

    # Between texts and vectors

    @property
    def has_generator(self) -> bool:
        """Whether the model maps z to codes."""
        return callable(getattr(self.model, "generate_codes", None))

    def encode(self, texts: Texts, truncation: bool = False) -> Tensor:
        """Returns the codes of texts, `(rows, code_size)`, on the model's device.

        Args:
            texts: a sentence, or any collection of sentences.
            truncation: cut sentences that are too long, instead of raising.

        Raises:
            TypeError: a text is no string.
            ValueError: a text is empty or too long; it is named.
        """
        return self._encode(self._checked_texts(texts, truncation))

    def decode(self, points: Tensor, space: str = "code", seed: int | None = 0, **generate_arguments) -> list[str]:
        """Writes a text from each row of `points`, `(rows, width)`; greedily, unless told otherwise.

        Args:
            points: codes or z.
            space: which of them, "code" or "z".
            seed: of the draws, with `do_sample`.
            generate_arguments: `do_sample`, `temperature`, `num_beams`, `precision`, ...

        Raises:
            TypeError: an argument is unknown.
            ValueError: the width is wrong, a value is not finite, or there is no such space.
        """
        return shown(self._write(self._points(points, space, "points"), space, seed, 1, generate_arguments))

    def decode_samples(
        self, points: Tensor, num_samples: int = 100, space: str = "code", seed: int | None = 0, **generate_arguments
    ) -> list[list[str]]:
        """Draws several texts from each row of `points`: a list of `num_samples` for each row.

        The arguments are those of `decode`; `do_sample` is on.
        """
        check_min("num_samples", num_samples, 1)
        arguments = {"do_sample": True} | generate_arguments
        points = self._points(points, space, "points")
        texts = self._write(points, space, seed, num_samples, arguments)
        return in_groups(texts, num_samples)

    @torch.no_grad()
    def draw(self, num_samples: int, space: str = "code", seed: int | None = 0) -> Tensor:
        """Draws points of new sentences, `(num_samples, width)`: z ~ N(0, I), or codes as the model has them.

        The codes of a model with a generator are those of the z of the same seed, and its `draw_noise`.

        Raises:
            ValueError: the model has not learned what its codes are drawn from (a plain autoencoder).
        """
        check_min("num_samples", num_samples, 1)
        width = self.width(space)
        source = None if seed is None else torch.Generator().manual_seed(seed)
        if space == "code":
            return self.model.sample_codes(num_samples, source)
        return torch.randn(num_samples, width, generator=source).to(self.model.device, self.model.dtype)

    def sample(self, num_samples: int, seed: int | None = 0, **generate_arguments) -> list[str]:
        """Writes new sentences from drawn codes, see `draw`; 100 000 of them in one call are fine."""
        return self.decode(self.draw(num_samples, "code", seed), "code", seed, **generate_arguments)

    def as_read(self, texts: Texts) -> list[str]:
        """Texts in the words that the model reads, separated by spaces as those it writes; unknown words are left out.

        Longer texts are cut to the limit.
        """
        texts = [whole_characters(text) for text in ([texts] if isinstance(texts, str) else texts)]
        if not texts:
            return []
        read = self.tokenizer(texts, verbose=False)["input_ids"]
        limit = self.tokenizer.model_max_length - 2
        return self.tokenizer.batch_decode([cut_ids(ids, limit) for ids in read], skip_special_tokens=True)

    # Arithmetic

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

    # Inside

    def _checked_texts(self, texts: Texts, truncation: bool, name: str | None = None) -> list[str]:
        def place(index: int | None) -> str:
            return place_of("text", index) + (f" of {name}" if name else "")

        def check(text: str, index: int | None) -> str:
            return check_text(text, place(index))

        single = isinstance(texts, str)
        texts = [check_inputs(texts, check)] if single else list(check_inputs(texts, check))
        # Those that are cut anyway are read here only if they may hold nothing that is seen.
        rows = [row for row, text in enumerate(texts) if not truncation or not any(map(str.isalnum, text))]
        if rows:
            frame, limit = self.tokenizer.num_special_tokens_to_add(), None if truncation else self._longest()
            ids = self.tokenizer([texts[row] for row in rows], verbose=False)["input_ids"]
            for row, sentence in zip(rows, ids, strict=True):
                check_length(texts[row], place(None if single else row), len(sentence) - frame, limit)
        return texts

    def _longest(self) -> int:
        """The longest text that can be read, in tokens without special ones."""
        return self.tokenizer.model_max_length - self.tokenizer.num_special_tokens_to_add()

    @torch.no_grad()
    def _encode(self, texts: list[str]) -> Tensor:
        codes = torch.empty(len(texts), self.width(), device=self.model.device, dtype=self.model.dtype)
        with progress(total=len(texts), description="Reading") as bar:
            for rows, ids, mask in batches_by_length(texts, self.tokenizer, self.batch_size, self.model.device):
                codes[rows] = self.model.encode(ids, mask)
                bar.update(len(rows))
        return codes

    def _check_writing(self, generate_arguments: dict) -> None:
        check_arguments(self, generate_arguments, _ACCEPTED)
        check_writing(generate_arguments)
        values = getattr(self.model.config, "num_attributes", 1)
        if values > 1 and self.attribute is None:
            raise ValueError(f"attribute is needed to write: this model has {values} decoders, one a value")

    def _read(self, given: Texts, name: str) -> Tensor:
        return self._encode(self._checked_texts(given, False, name))

    def _drawing(self, seed: int | None) -> dict[str, int | None]:
        return {"seed": seed}

    def _grouped(self, made: list, size: int) -> list[list]:
        return in_groups(made, size)

    def _neighbour(self, item: str, similarity: float, row: int) -> Neighbour:
        return Neighbour(item, similarity, row)

    @torch.no_grad()
    def _write(self, points: Tensor, space: str, seed: int, copies: int, generate_arguments: dict) -> list[str]:
        """Writes each row `copies` times, the copies one after another."""
        self._check_writing(generate_arguments)
        # The model's own limit leaves a token for <eos>; a row that has not ended by then has one word more than fits.
        given = any(generate_arguments.get(name) for name in ("max_new_tokens", "max_length"))
        width = None if given else 1 + self._longest()
        rows, texts = torch.arange(len(points)).repeat_interleave(copies), []
        with seeded(seed, self.model.device), progress(total=len(rows), description="Writing") as bar:
            for part in rows.split(self.batch_size) if len(rows) else ():
                codes = self._codes(points[part.to(points.device)], space)
                written = self.model.decode(codes, attribute=self.attribute, **generate_arguments)
                texts += self.tokenizer.batch_decode(written[:, :width], skip_special_tokens=True)
                bar.update(len(part))
        return texts


def in_groups(texts: list[str], size: int) -> list[list[str]]:
    """Cuts a list into lists of `size` texts."""
    return shown(texts[start : start + size] for start in range(0, len(texts), size))


def word_precision(text: str, original: str) -> float:
    """Share of a text's words that its original has too, in 0..1; each of the original's words counts once.

    "Prec" of Figure 4.4. A text without a word has precision 0.
    """
    words, others = Counter(text.split()), Counter(original.split())
    return (words & others).total() / max(words.total(), 1)


__all__ = ["LatentTexts", "Neighbour", "Texts", "in_groups", "word_precision"]
