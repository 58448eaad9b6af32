"""The state of a recurrent decoder, in the form that `generate()` hands around."""

from __future__ import annotations

from torch import Tensor
from transformers.cache_utils import Cache


class RecurrentCache(Cache):
    """LSTM state `(hidden, cell)`, each `(num_layers, batch, hidden_size)`, and the number of tokens read so far."""

    is_compileable = False

    def __init__(self):
        super().__init__(layers=[])
        self.state: tuple[Tensor, Tensor] | None = None
        self.tokens_seen = 0

    def advance(self, state: tuple[Tensor, Tensor], tokens: int) -> None:
        """Stores the state after `tokens` more tokens."""
        self.state = state
        self.tokens_seen += tokens

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.tokens_seen

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keeps the states of the chosen beams, `beam_idx` `(batch * num_beams,)`."""
        self.state = tuple(part.index_select(1, beam_idx) for part in self.state)
