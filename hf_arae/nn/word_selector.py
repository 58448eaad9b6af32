"""Which words of a sentence would a headline keep? A score for each, and the best subsequence of a wanted length."""

from __future__ import annotations

import torch
from torch import Tensor, nn

POSITION_FEATURES = 7
WEIGHTS = ("smoothed_ratio", "position", "repetition")  # of the signals beside the network's score
_NEVER = -1e4


class _Member(nn.Module):
    """One network of the ensemble: two-way GRU over the words' signals."""

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

    A word is seen through fixed signals alone (see `headline_signals`), its place, and the words around it; never
    through an embedding of its own. Trained on one agency's news of one year it so carries over to other news.

    score = ensemble's log-odds + w1 * smoothed title/article ratio - w2 * position / 10 - w3 * [said before]

    Args:
        vocab_size: number of tokens.
        signal_size: width of the table of signals.
        hidden_size: of the networks.
        members: networks whose scores are averaged.
        dropout: while training, in [0, 1).
    """

    def __init__(
        self, vocab_size: int, signal_size: int, hidden_size: int = 64, members: int = 3, dropout: float = 0.25
    ):
        super().__init__()
        self.register_buffer("signals", torch.zeros(vocab_size, signal_size))
        self.register_buffer("selectable", torch.zeros(vocab_size, dtype=torch.bool))
        self.register_buffer("weights", torch.tensor([0.1, 0.5, 0.5]))
        self.register_buffer("threshold", torch.zeros(()))
        size = signal_size + POSITION_FEATURES
        self.members = nn.ModuleList(_Member(size, hidden_size, dropout) for _ in range(members))

    def features(self, words: Tensor, mask: Tensor) -> Tensor:
        """Maps words `(batch, words)` without `<bos>` and `<eos>` to the networks' inputs `(batch, words, size)`."""
        count = mask.sum(1, keepdim=True).clamp(min=1)
        place = torch.arange(words.shape[1], device=words.device).expand_as(words).float()
        pauses = (~self.selectable[words] & mask).long()
        pauses = (pauses.cumsum(1) - pauses).clamp(max=3).float()
        places = torch.stack(
            [place / 10, place / count, place.log1p(), pauses, self.repeated(words).float(), place == 0, place < 3], -1
        )
        return torch.cat([self.signals[words], places], -1)

    def repeated(self, words: Tensor) -> Tensor:
        """Whether each word stands in the sentence before, `(batch, words)` bool."""
        before = torch.ones(words.shape[1], words.shape[1], dtype=torch.bool, device=words.device).tril(-1)
        return ((words.unsqueeze(2) == words.unsqueeze(1)) & before).any(2)

    def member_scores(self, words: Tensor, mask: Tensor) -> Tensor:
        """Log-odds by each network, `(members, batch, words)`."""
        inputs, lengths = self.features(words, mask), mask.sum(1).clamp(min=1)
        return torch.stack([member(inputs, lengths) for member in self.members])

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """Scores `(batch, words)`; about -1e4 for punctuation, padding and special tokens."""
        return self.combine(self.member_scores(words, mask).mean(0), words, mask)

    def combine(self, log_odds: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """Adds the weighted signals to the networks' log-odds, `(batch, words)`."""
        place = torch.arange(words.shape[1], device=words.device)
        ratio, position, repetition = self.weights
        scores = log_odds + ratio * self.signals[words][..., 0] - position * place / 10
        scores = scores - repetition * self.repeated(words)
        return scores.masked_fill(~(mask & self.selectable[words]), _NEVER)

    @staticmethod
    def best_words(scores: Tensor, shortest: Tensor, longest: Tensor, threshold: Tensor | float = 0.0) -> Tensor:
        """Which words make the subsequence of the highest total score: `(batch, words)` bool.

        The `shortest` best are taken in any case, others up to `longest` where their score is above the threshold. A
        sentence with fewer words than that gives all it has.

        Args:
            scores: `(batch, words)`.
            shortest, longest: numbers of words, `(batch,)`.
            threshold: of the score of a word beyond the shortest length.
        """
        rank = scores.argsort(1, descending=True, stable=True).argsort(1)
        chosen = (rank < shortest.unsqueeze(1)) | ((rank < longest.unsqueeze(1)) & (scores > threshold))
        return chosen & (scores > _NEVER / 2)
