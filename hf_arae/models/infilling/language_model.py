"""How usual a sentence is for its label: an LSTM over the table that it shares."""

from __future__ import annotations

from torch import Tensor, nn


class LabelledLanguageModel(nn.Module):
    """States from which the next word is predicted, of embedded words whose first one stands for the label.

    Args:
        width: of the embedded words, the state and what is compared with the table.
        dropout: of all three, in [0, 1).
    """

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, embedded: Tensor) -> Tensor:
        """Maps `(batch, sequence, width)` to the same shape."""
        states, _ = self.lstm(self.dropout(embedded))
        return self.dropout(self.output(self.dropout(states)))
