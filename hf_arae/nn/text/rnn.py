"""Recurrent encoder and decoder that the text families share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class RecurrentEncoder(nn.Module):
    """LSTM that turns embedded tokens into one code: the last layer's last hidden state, or a linear map of it.

    Sentences are padded on the right. The state after the last real token is gathered instead of packing the batch:
    the result is the same and the module can be exported.

    Args:
        input_size: width of the embeddings.
        encoder_size: width of the LSTM's state.
        num_layers: stacked LSTM layers.
        normalize: project the code onto the unit sphere (thesis, section 4.3).
        code_size: width of the code, a linear map of the state; `None`: the code is the state.
    """

    main_input_name = "input_ids"  # generate() asks a model's encoder for it

    def __init__(
        self,
        input_size: int,
        encoder_size: int,
        num_layers: int = 1,
        normalize: bool = True,
        code_size: int | None = None,
    ):
        super().__init__()
        self.lstm = nn.LSTM(input_size, encoder_size, num_layers, batch_first=True)
        self.output_layer = nn.Linear(encoder_size, code_size, bias=False) if code_size else None
        self.normalize = normalize

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Maps `(batch, sequence, input_size)` and lengths `(batch,)`, each at least 1, to `(batch, code_size)`."""
        states, _ = self.lstm(embedded)  # (batch, sequence, encoder_size)
        last = (lengths - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, states.shape[-1])
        code = states.gather(1, last)[:, 0]  # (batch, encoder_size)
        if self.output_layer is not None:
            code = self.output_layer(code)  # (batch, code_size)
        code = code.to(torch.promote_types(code.dtype, torch.float32))  # autocast's states are in half precision
        return F.normalize(code, dim=-1) if self.normalize else code


class RecurrentDecoder(nn.Module):
    """LSTM that is fed [embedding of the previous token ; code] at every step, from a zero state.

    Args:
        input_size: width of the embeddings.
        code_size: width of the code.
        hidden_size: width of the state.
        num_layers: stacked LSTM layers.
        code_gain: factor on the code as the LSTM reads it. Coordinates of a code on the unit sphere are of size
            `code_size ** -0.5`, far below an embedding's; a gain of `code_size ** 0.5` puts them at 1.
    """

    def __init__(self, input_size: int, code_size: int, hidden_size: int, num_layers: int = 1, code_gain: float = 1.0):
        super().__init__()
        self.code_gain = code_gain
        self.lstm = nn.LSTM(input_size + code_size, hidden_size, num_layers, batch_first=True)

    def forward(
        self, embedded: Tensor, code: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Runs over the tokens of a prefix, or on from `state`.

        Args:
            embedded: `(batch, sequence, input_size)`.
            code: `(batch, code_size)`.
            state: hidden and cell state, each `(num_layers, batch, hidden_size)`; zeros if `None`.

        Returns:
            Hidden states `(batch, sequence, hidden_size)` and the state after the last token.
        """
        code = self.code_gain * code
        conditioned = torch.cat([embedded, code.unsqueeze(1).expand(-1, embedded.shape[1], -1).to(embedded)], dim=-1)
        return self.lstm(conditioned, state)
