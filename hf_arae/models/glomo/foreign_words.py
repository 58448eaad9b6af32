"""The predictor's words in another tokenizer's token ids, and graphs over words spread to its pieces."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

_UNKNOWN = "\ufffd"  # no vocabulary has it


@dataclass
class Spread:
    """Where the pieces of a batch stand among its words.

    Args:
        input_ids, attention_mask: of the words, `(batch, words)`, as the predictor reads them.
        sources: `(batch, T)`: the word that a piece gives as: its own for the first piece of a word, -1 for others.
        columns: `(batch, T)`: the word whose column a piece draws by; -1 for none.
    """

    input_ids: Tensor
    attention_mask: Tensor
    sources: Tensor
    columns: Tensor

    def __call__(self, graphs: Tensor) -> Tensor:
        """Graphs over pieces `(batch, directions, heads, T, T)` of those over words."""
        found = _taken(graphs, self.columns, -1)
        return _taken(found, self.sources, -2)


def _taken(graphs: Tensor, words: Tensor, dim: int) -> Tensor:
    """Rows (dim -2) or columns (-1) of graphs by the numbers of words; zeros for -1."""
    shape = [*graphs.shape]
    shape[dim] = words.shape[1]
    view = (len(words), 1, 1, 1, -1) if dim == -1 else (len(words), 1, 1, -1, 1)
    places = words.clamp(min=0).view(view).expand(shape)
    return graphs.gather(dim, places).masked_fill(words.view(view) < 0, 0.0)


class ForeignWords:
    """Reads another tokenizer's token ids as text, and finds the predictor's words in it.

    Only ids are needed, so that data and pipelines stay as they are. What the tokenizer does not keep of a text (case,
    accents, words that it does not know) the predictor does not see either.

    Words are found by their offsets in the text. The first piece of a word stands for it: it gives, and it draws what
    the word draws, and so do the word's other pieces. Special tokens before and after the text stand for `<bos>` and
    `<eos>`.

    A model that reads from left to right must learn nothing of what comes later, the end of a word included. There,
    words are found in each run of characters between blanks by itself, and a piece draws by the last word of the runs
    before its own.

    Args:
        tokenizer: of the model.
        words: the predictor's tokenizer, a fast one.
        left_to_right: whether the model reads so.

    Raises:
        ValueError: a tokenizer is missing, or not fast.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, words: PreTrainedTokenizerBase, left_to_right: bool):
        for name, one in (("the model's", tokenizer), ("the predictor's", words)):
            if not getattr(one, "is_fast", False):
                raise ValueError(f"{name} tokenizer must be a fast one, got {type(one).__name__}")
        self.tokenizer, self.words, self.left_to_right = tokenizer, words, left_to_right
        unknown = tokenizer.unk_token_id
        self._special = set(tokenizer.all_special_ids) - {unknown}
        self._surfaces: dict[int, str] = {} if unknown is None else {unknown: f" {_UNKNOWN}"}
        self._anchor, self._anchored = self._find_anchor()

    def __call__(self, input_ids: Tensor, attention_mask: Tensor) -> Spread:
        """Finds the words of `(batch, T)` token ids, padded on either side."""
        rows = [
            [token if there else None for token, there in zip(*pair, strict=True)]
            for pair in zip(input_ids.tolist(), attention_mask.bool().tolist(), strict=True)
        ]
        found = [self._runs(row) if self.left_to_right else self._text(row) for row in rows]
        longest = max(len(ids) for ids, _, _ in found)
        ids = torch.full((len(rows), longest), self.words.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, (own, _, _) in enumerate(found):
            ids[row, : len(own)], mask[row, : len(own)] = torch.tensor(own), 1
        sources, columns = (torch.tensor([one[part] for one in found]) for part in (1, 2))
        return Spread(*(one.to(input_ids.device) for one in (ids, mask, sources, columns)))

    # One sequence: the predictor's ids, and for each piece its source and its column

    def _text(self, row: list[int | None]) -> tuple[list[int], list[int], list[int]]:
        surfaces = [self._surface(token) for token in row]
        starts, text = [], ""
        for surface in surfaces:
            starts.append(len(text) + len(surface) - len(surface.lstrip()))
            text += surface
        read = self.words(text, return_offsets_mapping=True, truncation=False, verbose=False)
        ids, offsets = read["input_ids"], read["offset_mapping"]
        places = [place for place, (begin, end) in enumerate(offsets) if end > begin]
        begins = [offsets[place][0] for place in places]
        columns = []
        for start, surface in zip(starts, surfaces, strict=True):
            number = bisect_right(begins, start) - 1
            inside = surface.strip() and number >= 0 and start < offsets[places[number]][1]
            columns.append(places[number] if inside else -1)
        self._frame(row, columns, ids, both=True)
        return ids, _firsts(columns), columns

    def _runs(self, row: list[int | None]) -> tuple[list[int], list[int], list[int]]:
        # (run, offset in it) of each piece; a run begins after a blank or a special token.
        runs: list[str] = []
        pieces: list[tuple[int, int] | None] = []
        begin = True
        for token in row:
            surface = self._surface(token)
            if not surface.strip():
                begin, _ = True, pieces.append(None)
                continue
            blank = surface[0].isspace()
            surface = surface.lstrip()
            if begin or blank:
                runs.append("")
            pieces.append((len(runs) - 1, len(runs[-1])))
            begin = surface[-1].isspace()
            runs[-1] += surface
        read = self.words(
            runs or [""], is_split_into_words=True, return_offsets_mapping=True, truncation=False, verbose=False
        )
        ids, offsets, owners = read["input_ids"], read["offset_mapping"], read.word_ids()
        ends: dict[int, int] = {}  # the last word of each run
        begins: dict[int, list[tuple[int, int]]] = {}
        for place, (run, (start, _)) in enumerate(zip(owners, offsets, strict=True)):
            if run is not None:
                ends[run] = place
                begins.setdefault(run, []).append((start, place))
        words, columns, last, seen = [], [], 0 if owners and owners[0] is None else -1, -1
        for piece in pieces:
            if piece is None:
                words.append(-1)
                columns.append(-1)
                continue
            run, start = piece
            while seen < run - 1:
                seen += 1
                last = ends.get(seen, last)
            own = [place for at, place in begins.get(run, []) if at <= start]
            words.append(own[-1] if own else -1)
            columns.append(last)
        self._frame(row, words, ids, both=False)
        return ids, _firsts(words), columns

    def _frame(self, row: list[int | None], words: list[int], ids: list[int], both: bool) -> None:
        """Special tokens before the first word, and after the last one, stand for `<bos>` and `<eos>`."""
        there = [place for place, token in enumerate(row) if token is not None]
        if there and row[there[0]] in self._special and ids[:1] == [self.words.bos_token_id]:
            words[there[0]] = 0
        if both and len(there) > 1 and row[there[-1]] in self._special and ids[-1:] == [self.words.eos_token_id]:
            words[there[-1]] = len(ids) - 1

    def _surface(self, token: int | None) -> str:
        """What a token adds to a text, the blank before it included; a blank for special ones."""
        if token is None or token in self._special:
            return " "
        if token not in self._surfaces:
            self._surfaces[token] = self._decoded([self._anchor, token])[len(self._anchored) :]
        return self._surfaces[token]

    def _find_anchor(self) -> tuple[int, str]:
        """A token after which others look as they do inside a text."""
        for token in sorted(self.tokenizer.get_vocab().values()):
            text = self._decoded([token]).strip()
            if token not in self._special and token not in self._surfaces and text.isalnum():
                return token, self._decoded([token])
        raise ValueError("the model's tokenizer has no token of letters: its ids cannot be read as text")

    def _decoded(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def _firsts(words: list[int]) -> list[int]:
    """The words of first pieces, -1 for the others."""
    seen: set[int] = {-1}
    return [word if word not in seen and not seen.add(word) else -1 for word in words]


__all__ = ["ForeignWords", "Spread"]
