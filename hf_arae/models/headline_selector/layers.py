"""Which words of a sentence would a headline keep? A score for each, and the best subsequence of a wanted length."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Signals that are added to the networks' score, each times a weight of its own.
WEIGHTED = (
    "smoothed_ratio",
    "ratio",
    "ratio_to_all",
    "digit",
    "repetition",
    "position",
    "relative_position",
    "pauses",
)
_PLACE_FEATURES = 7
NEVER = -1e4
_MAX_PHRASES = 16
_LARGEST = 4.0  # of a signal; 127 in the table


class _Member(nn.Module):
    """One network of the ensemble: a two-way GRU over the words' signals."""

    def __init__(self, input_size: int, hidden_size: int, dropout: float):
        super().__init__()
        self.inputs = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(input_size, hidden_size), nn.ReLU(), nn.Dropout(dropout)
        )
        self.gru = nn.GRU(hidden_size, hidden_size, bidirectional=True, batch_first=True)
        self.output = nn.Sequential(nn.Dropout(dropout), nn.Linear(3 * hidden_size, 1))

    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        hidden = self.inputs(signals)
        packed = nn.utils.rnn.pack_padded_sequence(hidden, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = self.gru(packed)
        states, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True, total_length=signals.shape[1])
        return self.output(torch.cat([hidden, states], -1)).squeeze(-1)


class WordSelector(nn.Module):
    """Scores the words of sentences by how likely a headline keeps them, and picks the best.

    A word is seen through fixed signals alone (how headline-like it and words of like use are, how frequent, ...), its
    place, and the words around it; never through an embedding of its own. So what is learned on one agency's news of
    one year carries over to other news.

    The score is the networks' mean log-odds plus the signals of `WEIGHTED`, times `weights`.

    Args:
        vocab_size: number of tokens.
        signal_size: columns of the table of signals; the first are those of `WEIGHTED`, up to `digit`.
        hidden_size: of the networks.
        members: networks whose scores are averaged.
        dropout: while training, in [0, 1).
    """

    def __init__(self, vocab_size: int, signal_size: int, hidden_size: int, members: int, dropout: float = 0.25):
        super().__init__()
        # A byte a signal: in 40 000 words' table that is what a model is to be downloaded for.
        self.register_buffer("signals", torch.zeros(vocab_size, signal_size, dtype=torch.int8))
        self.register_buffer("selectable", torch.zeros(vocab_size, dtype=torch.bool))
        self.register_buffer("forms", torch.arange(vocab_size))  # what is written for a word that was selected
        self.register_buffer("phrases", torch.full((_MAX_PHRASES, 3), -1))  # two words, one for both
        self.register_buffer("weights", torch.zeros(len(WEIGHTED)))
        self.register_buffer("threshold", torch.zeros(()))
        size = signal_size + _PLACE_FEATURES
        self.members = nn.ModuleList(_Member(size, hidden_size, dropout) for _ in range(members))

    @torch.no_grad()
    def set_words(self, signals: Tensor, selectable: Tensor, forms: Tensor, phrases: Tensor | None = None) -> None:
        """Sets what is known of each word.

        Args:
            signals: `(vocab_size, signal_size)`, from -4 to 4; kept as whole multiples of 4 / 127.
            selectable: which words a summary may have, `(vocab_size,)` bool.
            forms: the token that is written for each, `(vocab_size,)`.
            phrases: rows of two tokens and a third, that is written where they follow each other, `(phrases, 3)`;
                at most 16.
        """
        self.signals.copy_((signals.clamp(-_LARGEST, _LARGEST) * (127 / _LARGEST)).round())
        self.selectable.copy_(selectable)
        self.forms.copy_(forms)
        self.phrases.fill_(-1)
        if phrases is not None:
            self.phrases[: len(phrases)] = phrases

    def signals_of(self, words: Tensor) -> Tensor:
        """The signals of words `(...)`, `(..., signal_size)`."""
        return self.signals[words].to(self.weights.dtype) * (_LARGEST / 127)

    def member_scores(self, words: Tensor, mask: Tensor) -> Tensor:
        """Log-odds by each network, `(members, batch, words)`, of words without `<bos>` and `<eos>`."""
        place, relative, pauses, repeated = self._places(words, mask)
        places = torch.stack([place / 10, relative, place.log1p(), pauses, repeated, place == 0, place < 3], -1)
        inputs, lengths = torch.cat([self.signals_of(words), places], -1), mask.sum(1).clamp(min=1)
        return torch.stack([member(inputs, lengths) for member in self.members])

    def weighted_signals(self, words: Tensor, mask: Tensor) -> Tensor:
        """The signals of `WEIGHTED`, `(batch, words, len(WEIGHTED))`."""
        place, relative, pauses, repeated = self._places(words, mask)
        places = torch.stack([repeated, place / 10, relative, pauses], -1)
        return torch.cat([self.signals_of(words)[..., : len(WEIGHTED) - places.shape[-1]], places], -1)

    def forward(self, words: Tensor, mask: Tensor, forms: bool = True) -> Tensor:
        """Scores `(batch, words)`; -1e4 for words that are not `allowed`."""
        scores = self.member_scores(words, mask).mean(0) + self.weighted_signals(words, mask) @ self.weights
        return scores.masked_fill(~self.allowed(words, mask, forms), NEVER)

    def allowed(self, words: Tensor, mask: Tensor, forms: bool = True) -> Tensor:
        """Which words a summary may have, `(batch, words)` bool: no punctuation, padding and special tokens.

        Args:
            words, mask: `(batch, words)`.
            forms: words are written as `written` has them: of a phrase the first stands for both.
        """
        allowed = mask & self.selectable[words]
        return allowed & ~nn.functional.pad(self._phrases_at(words).any(2), (1, 0)) if forms else allowed

    def written(self, words: Tensor) -> Tensor:
        """What a summary has for each word, `(batch, words)`: nearly always the word."""
        begins = self._phrases_at(words)
        forms = (begins * self.phrases[:, 2]).sum(2)
        forms = nn.functional.pad(torch.where(begins.any(2), forms, self.forms[words[:, :-1]]), (0, 1))
        forms[:, -1] = self.forms[words[:, -1]]
        return forms

    def _phrases_at(self, words: Tensor) -> Tensor:
        """Which phrase begins at each word but the last, `(batch, words - 1, phrases)` bool."""
        first, second = self.phrases[:, 0], self.phrases[:, 1]
        return (words[:, :-1, None] == first) & (words[:, 1:, None] == second)

    @staticmethod
    def best_words(scores: Tensor, shortest: Tensor, longest: Tensor, threshold: Tensor | float = 0.0) -> Tensor:
        """The subsequence of the highest total score, `(batch, words)` bool.

        The `shortest` best words are taken in any case, others up to `longest` where they score above the threshold.
        A sentence with fewer words gives all it has.

        Args:
            scores: `(batch, words)`.
            shortest, longest: numbers of words, `(batch,)`.
            threshold: what a word beyond the shortest length must score.
        """
        rank = scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        chosen = (rank < shortest.unsqueeze(1)) | ((rank < longest.unsqueeze(1)) & (scores > threshold))
        return chosen & (scores > NEVER / 2)

    def _places(self, words: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Each word's place, share of the sentence before it, number of punctuation marks before it (3 at most), and
        whether it stood before: each `(batch, words)` float."""
        place = torch.arange(words.shape[1], device=words.device).expand_as(words).to(self.weights.dtype)
        count = mask.sum(1, keepdim=True).clamp(min=1)
        marks = (~self.selectable[words] & mask).to(place.dtype)
        before = torch.ones(words.shape[1], words.shape[1], dtype=torch.bool, device=words.device).tril(-1)
        repeated = ((words.unsqueeze(2) == words.unsqueeze(1)) & before).any(2)
        return place, place / count, (marks.cumsum(1) - marks).clamp(max=3), repeated.to(place.dtype)
