"""Between a text as a person types it and the words that a model reads and writes.

A tokenizer lower-cases, splits marks off, and writes `_num_` for numbers and `<unk>` for words that it does not know.
Here is the way back: where each of its words stands in the text, and a text for the words that a model has written,
in which everything that was kept comes back as it stands in the source.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from tokenizers import Tokenizer

from hf_arae.data.text.detokenization import detokenize
from hf_arae.data.text.rules import NUMBER_TOKEN

Span = tuple[int, int]

_NUMBER_SIGN = "\ue000"  # one character for the five of the token
_NUMBER = re.compile(rf"(?<!\w)(?:\d+(?:[.,]\d+)*|{NUMBER_TOKEN})(?!\w)")
_SIGNS = str.maketrans(
    "\u2018\u2019\u201a\u201b\u00b4\u02bc\u201c\u201d\u201e\u201f\u00ab\u00bb", "''''''\"\"\"\"\"\""
)
_MAX_PAIRS = 1_000_000  # of characters that are compared each with each
_LOOK_AHEAD = 100  # characters between two words of a long text
_QUOTES = ("``", "''")  # Penn Treebank's


@dataclass(frozen=True)
class Surface:
    """A text, and where its words stand in it.

    Args:
        text: as it was typed.
        tokens: its words as the model reads them: `unknown` for those outside the vocabulary.
        spans: the first character of each word, and the one after its last. Whatever is seen of the text lies in one
            of them; one that is empty belongs to a word that has no character of its own.
        unknown: the token of unknown words.
    """

    text: str
    tokens: tuple[str, ...]
    spans: tuple[Span, ...]
    unknown: str = "<unk>"

    @property
    def unknown_words(self) -> list[str]:
        """The words that the model does not know, as they are typed, in their order."""
        return [self.shown(place) for place, token in enumerate(self.tokens) if token == self.unknown]

    def write(self, tokens: Sequence[str]) -> str:
        """A text for what a model has written, in the way in which the source is written.

        - Words that the source has at the same place, by an alignment of both, are copied from it: their case, their
          marks, and the spaces between two of them. If all words are the source's, so is the text.
        - `_num_` and unknown words that stand elsewhere take the source's numbers and unknown words that are left, in
          their order. Where none is left they are dropped: neither token is ever in the text, unless it was typed.
        - Other words are joined and capitalised by [`~hf_arae.data.text.detokenization.detokenize`], unless the source
          is written in capitals, in small letters or with spaces between words and marks: then they are as it is. A
          source that begins with a small letter is answered with one.
        - A first word that is elsewhere in the output loses its capital, unless a word with a capital follows it in
          the source ("New York"), or it is an unknown one, mostly a name.

        Args:
            tokens: words, without those that frame a sentence.

        Returns:
            The text; empty if no word is left.
        """
        if tuple(tokens) == self.tokens:
            return self.text
        pieces = self._pieces(tokens)
        if not pieces:
            return ""
        return _Writer(self).joined(pieces)

    def _pieces(self, tokens: Sequence[str]) -> list[_Piece]:
        """The words of an output that are shown, and the places in the source that they are copied from."""
        blocks = SequenceMatcher(None, self.tokens, tokens, autojunk=False).get_matching_blocks()
        kept = {block.b + n: block.a + n for block in blocks for n in range(block.size)}
        left = {
            token: iter(sorted(place for place in range(len(self.tokens)) if self.tokens[place] == token))
            for token in (NUMBER_TOKEN, self.unknown)
        }
        used = set(kept.values())
        pieces = []
        for number, token in enumerate(tokens):
            place = kept.get(number)
            moved = place is None and token in left
            if moved:
                place = next((at for at in left[token] if at not in used and self.shown(at)), None)
            if token in left and place is None:
                continue
            pieces.append(_Piece(token, place, moved))
        return pieces

    def shown(self, place: int) -> str:
        """A word of the source as it is typed."""
        start, end = self.spans[place]
        return self.text[start:end]

    def gap(self, place: int) -> str:
        """What lies between a word and the one before it."""
        return self.text[self.spans[place - 1][1] : self.spans[place][0]]


@dataclass(frozen=True)
class _Piece:
    """A word of an output.

    Args:
        token: as the model writes it.
        place: of the word of the source that it is copied from, if it is one.
        moved: it is a number or an unknown word of another place.
    """

    token: str
    place: int | None
    moved: bool


class _Writer:
    """Joins the words of an output in the way in which a source is written."""

    def __init__(self, source: Surface):
        self.source = source
        plain = [_plain(token, source.unknown) for token in source.tokens]
        self.joints = list(_joined(plain))
        cased = [letter for letter in source.text if letter.isupper() or letter.islower()]
        self.shouts = len(cased) > 1 and all(map(str.isupper, cased))
        first = next(filter(_tells_case, source.text.split()), "")
        self.begins_small = first != first.upper() and first == first.lower()
        has_capitals = any(map(str.isupper, cased))
        self.is_small = not has_capitals and (self.begins_small or "i" in source.text.split())
        at_joints = [source.gap(place) for place in range(1, len(plain)) if not self.joints[place][0]]
        self.is_spaced = bool(at_joints) and all(at_joints)
        self.bent = "\u2019" in source.text and "'" not in source.text
        self.cases = {  # of words that are not at a beginning, such as names
            token: source.shown(place)
            for place, token in enumerate(source.tokens)
            if self.joints[place][1] == token and not source.shown(place).islower()
        }

    def joined(self, pieces: Sequence[_Piece]) -> str:
        source, text, before, broken = self.source, "", None, set()
        joints = list(_joined([_plain(piece.token, source.unknown) for piece in pieces]))
        for piece, (is_apart, word) in zip(pieces, joints, strict=True):
            place = None if piece.moved else piece.place
            if place is not None and not source.shown(place):  # it shares its characters with the one before
                if before is not None and place == before + 1:
                    before = place
                    continue
                if piece.token in (NUMBER_TOKEN, source.unknown):
                    continue
                piece, place = _Piece(piece.token, None, False), None
            if text:
                gap = " " if is_apart or self.is_spaced else ""
                if place and before is not None and place == before + 1:
                    gap = source.gap(place)
                elif before is not None and before + 1 < len(source.spans) and "\n" in source.gap(before + 1):
                    gap = source.gap(before + 1)
                    broken.add(before + 1)
                elif place and place not in broken:
                    gap = source.gap(place) or gap
                text += gap
            elif place == 0:
                text = source.text[: source.spans[0][0]]
            text += self._word(piece, word)
            before = place
        return text + source.text[source.spans[-1][1] :] if before == len(source.spans) - 1 else text

    def _word(self, piece: _Piece, joined: str) -> str:
        """A word as it is shown; `joined` is how it is written where nothing is known of the source."""
        begins = joined != piece.token and piece.token != "i"
        if piece.place is not None:
            return self._copied(piece, begins)
        if self.shouts:
            return joined.upper()
        if piece.token in _QUOTES:
            return '"'
        if piece.token in self.cases:
            return self.cases[piece.token]
        if self.is_small or (begins and self.begins_small):
            joined = piece.token
        return joined.replace("'", "\u2019") if self.bent else joined

    def _copied(self, piece: _Piece, begins: bool) -> str:
        word = self.source.shown(piece.place)
        if piece.moved or self.shouts or self.begins_small or piece.token == self.source.unknown:
            return word
        began = self.joints[piece.place][1] != piece.token and piece.token != "i"
        if begins and not began and word.islower():
            return word[0].upper() + word[1:]
        if began and not begins and word[0].isupper() and not any(map(str.isupper, word[1:])):
            following = self.source.shown(piece.place + 1) if piece.place + 1 < len(self.source.spans) else ""
            return word if following[:1].isupper() and following != "I" else word[0].lower() + word[1:]
        return word


def words_of(tokenizer: Tokenizer, text: str) -> list[str]:
    """A text's words as a tokenizer reads it, those outside its vocabulary included."""
    if tokenizer.normalizer is not None:
        text = tokenizer.normalizer.normalize_str(text)
    if tokenizer.pre_tokenizer is None:
        return text.split()
    return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


def surface_of(text: str, words: Sequence[str], tokens: Sequence[str], unknown: str = "<unk>") -> Surface:
    """Finds the words of a text in it.

    Args:
        text: as it was typed.
        words: as the tokenizer splits and spells them, unknown ones included; at least one.
        tokens: as the model reads them, one for each of the first words. Where there are fewer, the text is cut
            behind the last one.
        unknown: the token of unknown words.
    """
    spans = _attached(text, _spans(text, words))[: len(tokens)]
    text = text if len(tokens) == len(words) else text[: spans[-1][1]]
    return Surface(text, tuple(tokens), tuple(spans), unknown)


def _spans(text: str, words: Sequence[str]) -> list[Span | None]:
    """Where words stand in a text, by an alignment of their characters; `None` for one without any of its own."""
    typed = list(_characters(text, NUMBER_TOKEN in words))
    spelt = [_NUMBER_SIGN if word == NUMBER_TOKEN else word for word in words]
    letters, seen = "".join(spelt), "".join(letter for letter, _ in typed)
    places: list[Span | None] = [None] * len(letters)
    for seen_from, seen_to, from_, to in _aligned(seen, letters, spelt):
        has, wants = seen_to - seen_from, to - from_
        for number in range(wants):
            start = seen_from + number * has // wants
            end = max(start + 1, seen_from + -(-(number + 1) * has // wants))
            places[from_ + number] = (typed[start][1][0], typed[end - 1][1][1])
    spans, at = [], 0
    for word in spelt:
        found = [place for place in places[at : at + len(word)] if place is not None]
        spans.append((found[0][0], found[-1][1]) if found else None)
        at += len(word)
    return spans


def _aligned(seen: str, letters: str, words: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Pieces of a text's characters and of its words' that belong to one another: from and to in each."""
    pairs = enumerate(zip(seen, letters, strict=False))
    before = next((place for place, (one, other) in pairs if one != other), min(len(seen), len(letters)))
    yield 0, before, 0, before
    left, right = seen[before:], letters[before:]  # not the same at the end: of "!!!" the first is the word "!"
    if len(left) * len(right) <= _MAX_PAIRS:
        for kind, seen_from, seen_to, from_, to in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
            if kind in ("equal", "replace"):
                yield seen_from + before, seen_to + before, from_ + before, to + before
        return
    # Too long for the time, which grows with the square: each word is looked for behind the one before.
    place = at = 0
    for word in words:
        found = seen.find(word, place, place + len(word) + _LOOK_AHEAD)
        if at >= before and found >= before:
            yield found, found + len(word), at, at + len(word)
        place, at = place if found < 0 else found + len(word), at + len(word)


def _characters(text: str, has_numbers: bool) -> Iterator[tuple[str, Span]]:
    """What is seen of a text, one small letter after the other as tokenizers spell it, each with its place."""
    numbers = {match.start(): match.end() for match in _NUMBER.finditer(text)} if has_numbers else {}
    place = 0
    while place < len(text):
        end = numbers.get(place, place + 1)
        if place in numbers:
            yield _NUMBER_SIGN, (place, end)
        else:
            for letter in unicodedata.normalize("NFKC", text[place]).lower().translate(_SIGNS):
                if not letter.isspace():
                    yield letter, (place, end)
        place = end


def _attached(text: str, spans: Sequence[Span | None]) -> list[Span]:
    """The spans in their order, without overlaps, and with what is seen between them given to a neighbour."""
    ordered, last = [], 0
    for span in spans:
        start, end = span or (last, last)
        start = max(start, last)
        last = max(start, end)
        ordered.append((start, last))
    filled = [number for number, (start, end) in enumerate(ordered) if start < end]
    if not filled:
        return [(0, len(text)), *((len(text), len(text)) for _ in spans[1:])]
    ordered[filled[0]] = (len(text) - len(text.lstrip()), ordered[filled[0]][1])
    ordered[filled[-1]] = (ordered[filled[-1]][0], max(ordered[filled[-1]][1], len(text.rstrip())))
    for left, right in pairwise(filled):
        between = text[ordered[left][1] : ordered[right][0]]
        if between[:1].isspace() and between.strip() and not between[-1].isspace():
            ordered[right] = (ordered[right][0] - len(between.lstrip()), ordered[right][1])
        elif between.strip():
            ordered[left] = (ordered[left][0], ordered[left][1] + len(between.rstrip()))
    last = 0
    for number, (start, end) in enumerate(ordered):  # empty ones follow their neighbours
        ordered[number] = (last, last) if start >= end else (start, end)
        last = ordered[number][1]
    return ordered


def _tells_case(word: str) -> bool:
    """Whether a word that begins a text says how texts begin: no mark, and none that is written in its own way."""
    return any(map(str.isalnum, word)) and not word.startswith(("@", "#", "www.")) and "://" not in word


def _plain(token: str, unknown: str) -> str:
    """A token that is joined as it should be in its place."""
    if token in (unknown, NUMBER_TOKEN):
        return "0"
    return '"' if token in _QUOTES else token


def _joined(words: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """For each word, whether a space goes before it, and how `detokenize` spells it."""
    text, place = detokenize(" ".join(words)), 0
    for word in words:
        is_apart = text[place : place + 1] == " "
        place += is_apart
        capital = word[:1].upper() + word[1:]
        if not text.startswith(word, place):
            # A quotation mark or bracket before it may be part of the word, and the capital behind that.
            capital = capital if text.startswith(capital, place) else text[place : place + len(word)]
            word = capital
        place += len(word)
        yield is_apart, word


__all__ = ["Surface", "surface_of", "words_of"]
