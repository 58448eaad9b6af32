"""Greedy decoding and sampling with LSTMs: what `generate()` does in these two cases, many times as fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

PRECISIONS = ("float32", "bfloat16", "int8")
MAX_ROWS = 1024  # rows that are written at once; more are slower, and their logits take 40 MB a thousand
_BLOCK = 96  # words whose largest logit is found at once


@dataclass
class WriterCell:
    """One decoder: its `(vocabulary, input)` table, its LSTM, and a factor on the context that the LSTM reads."""

    table: Tensor
    lstm: nn.LSTM
    context_gain: float = 1.0


class RecurrentWriter:
    """Writes token after token with one or several LSTM decoders that share an output projection.

    Rows that have ended leave the batch, and the context is projected once instead of at each step. An LSTM reads
    [embedding of the previous token ; context].

    Args:
        cells: the decoders, of equal sizes.
        bottleneck: map of the states before the projection, `(width, hidden)`, or `None`.
        weight, bias: output projection, `(vocabulary, width)` and `(vocabulary,)`.
        end: token that ends a row; `None` if none does.
        padding: token that fills ended rows.
        suppressed: tokens that are never written.
        precision: `"float32"`: the weights' own, as `generate()`; `"bfloat16"`: everything in that dtype; `"int8"`:
            the output projection with 8-bit weights and inputs, on CPUs only.

    Raises:
        ValueError: unknown precision, or int8 elsewhere than on a CPU.
    """

    def __init__(
        self,
        cells: Sequence[WriterCell],
        bottleneck: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        end: int | None,
        padding: int,
        suppressed: Sequence[int] = (),
        precision: str = "float32",
    ):
        if precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}; got {precision!r}")
        self.dtype = torch.bfloat16 if precision == "bfloat16" else weight.dtype
        self.end, self.padding = end, padding
        self.cells = [_Cell(cell, self.dtype) for cell in cells]
        self.bottleneck = None if bottleneck is None else bottleneck.detach().to(self.dtype)
        forbidden = torch.tensor(list(suppressed), dtype=torch.int64, device=bias.device)
        bias = bias.detach().index_fill(0, forbidden, -torch.inf)
        if precision == "int8":
            self.project = _quantized_projection(weight.detach(), bias)
        else:
            self.project = _projection(weight.detach(), bias, self.dtype)

    @torch.no_grad()
    def write(
        self,
        begin: Tensor,
        max_new_tokens: int,
        context: Tensor | None = None,
        attribute: Tensor | None = None,
        temperature: float | None = None,
    ) -> Tensor:
        """Writes until every row has ended or has `max_new_tokens`.

        Args:
            begin: first token of each row, `(batch,)`.
            max_new_tokens: at least 1.
            context: `(batch, context)`, where the decoders read one.
            attribute: number of each row's decoder, `(batch,)`; the first one for all if `None`.
            temperature: draw from softmax(logits / temperature), by torch's global generator. `None`: the likeliest.

        Returns:
            Token ids `(batch, sequence)`, `begin` first, as wide as the longest row.
        """
        parts = [
            self._write(
                begin[rows],
                max_new_tokens,
                None if context is None else context[rows],
                torch.zeros_like(begin[rows]) if attribute is None else attribute[rows],
                temperature,
            )
            for rows in (slice(start, start + MAX_ROWS) for start in range(0, len(begin), MAX_ROWS))
        ]
        width = max(part.shape[1] for part in parts)
        return torch.cat([nn.functional.pad(part, (0, width - part.shape[1]), value=self.padding) for part in parts])

    def _write(
        self, begin: Tensor, max_new_tokens: int, context: Tensor | None, attribute: Tensor, temperature: float | None
    ) -> Tensor:
        rows = attribute.argsort(stable=True)  # each decoder's rows stand together
        attribute, token = attribute[rows], begin[rows]
        bounds = self._bounds(attribute)
        constant = torch.cat(
            [
                cell.constant(len(begin[a:b]), None if context is None else context[rows[a:b]])
                for cell, (a, b) in zip(self.cells, bounds, strict=True)
            ]
        )
        layers, width = self.cells[0].num_layers, self.cells[0].hidden_size
        hidden = [constant.new_zeros(len(rows), width) for _ in range(layers)]
        memory = [constant.new_zeros(len(rows), width) for _ in range(layers)]
        written = begin.new_full((len(rows), max_new_tokens + 1), self.padding)
        written[:, 0] = begin
        alive = torch.ones_like(rows, dtype=torch.bool)
        # New numbers of rows mean new kernels in bfloat16, so only few numbers occur there; ended rows fill up.
        multiple = 1 if self.dtype == torch.float32 else max(16, 1 << max(0, len(rows).bit_length() - 5))
        for position in range(1, max_new_tokens + 1):
            states = self._step(token, constant, hidden, memory, bounds)
            token = _choose(self.project(self._narrow(states)), temperature)
            written[rows, position] = torch.where(alive, token, self.padding)
            if self.end is None:
                continue
            alive &= token != self.end
            left = int(alive.sum())
            if not left:
                return written[:, : position + 1]
            size = -(-left // multiple) * multiple
            if size <= 0.9 * len(rows):  # a few ended rows cost less than taking them out
                kept = alive.nonzero().squeeze(1)
                if left < size:
                    kept = torch.cat([kept, (~alive).nonzero().squeeze(1)[: size - left]]).sort().values
                rows, attribute, token, alive, constant = (
                    part.index_select(0, kept) for part in (rows, attribute, token, alive, constant)
                )
                hidden = [part.index_select(0, kept) for part in hidden]
                memory = [part.index_select(0, kept) for part in memory]
                bounds = self._bounds(attribute)
        return written

    def _bounds(self, attribute: Tensor) -> list[tuple[int, int]]:
        ends = torch.bincount(attribute, minlength=len(self.cells)).cumsum(0).tolist()
        return list(zip([0, *ends[:-1]], ends, strict=True))

    def _step(
        self,
        token: Tensor,
        constant: Tensor,
        hidden: list[Tensor],
        memory: list[Tensor],
        bounds: list[tuple[int, int]],
    ) -> Tensor:
        """Updates hidden and memory cells in place of the lists' entries; returns the last layer's states."""
        below = None
        for layer in range(len(hidden)):
            parts = []
            for cell, (a, b) in zip(self.cells, bounds, strict=True):
                if a == b:
                    continue
                inputs = cell.embed(token[a:b]) if below is None else below[a:b]
                offset = constant[a:b] if layer == 0 else cell.offsets[layer]
                parts.append(torch.addmm(offset, torch.cat([inputs, hidden[layer][a:b]], dim=1), cell.weights[layer]))
            gates = parts[0] if len(parts) == 1 else torch.cat(parts)
            width = hidden[layer].shape[1]
            gates[:, : 3 * width].sigmoid_()  # input, forget, output
            gates[:, 3 * width :].tanh_()
            keep, forget, out, new = gates.split(width, dim=1)
            memory[layer] = torch.addcmul(forget * memory[layer], keep, new)
            below = hidden[layer] = out * memory[layer].tanh()
        return below

    def _narrow(self, states: Tensor) -> Tensor:
        return states if self.bottleneck is None else states @ self.bottleneck.T


class _Cell:
    """A decoder's weights for single steps: [input ; hidden] to gates in the order input, forget, output, new."""

    def __init__(self, cell: WriterCell, dtype: torch.dtype):
        lstm = cell.lstm
        self.hidden_size, self.num_layers = lstm.hidden_size, lstm.num_layers
        self.table = cell.table.detach()
        self.weights, self.offsets = [], []
        own = self.table.shape[1]
        for layer in range(lstm.num_layers):
            read, kept, offset = (
                _reordered(parameter.detach())
                for parameter in (
                    getattr(lstm, f"weight_ih_l{layer}"),
                    getattr(lstm, f"weight_hh_l{layer}"),
                    getattr(lstm, f"bias_ih_l{layer}") + getattr(lstm, f"bias_hh_l{layer}"),
                )
            )
            if layer == 0:
                self.from_context = cell.context_gain * read[:, own:]
                read = read[:, :own]
            self.weights.append(torch.cat([read, kept], dim=1).to(dtype).T.contiguous())
            self.offsets.append(offset)
        self.dtype = dtype

    def embed(self, tokens: Tensor) -> Tensor:
        """Maps `(rows,)` to `(rows, input)`."""
        return self.table.index_select(0, tokens).to(self.dtype)

    def constant(self, rows: int, context: Tensor | None) -> Tensor:
        """The first layer's gates before any token is read: biases and context, `(rows, 4 * hidden)`."""
        if context is None:
            return self.offsets[0].to(self.dtype).expand(rows, -1)
        return torch.addmm(self.offsets[0], context.to(self.from_context.dtype), self.from_context.T).to(self.dtype)


def _reordered(gates: Tensor) -> Tensor:
    """From torch's order of gates (input, forget, new, output) to input, forget, output, new."""
    keep, forget, new, out = gates.chunk(4)
    return torch.cat([keep, forget, out, new])


def _projection(weight: Tensor, bias: Tensor, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """Returns a function from states `(rows, width)` to logits `(vocabulary, rows)`: faster that way round.

    Below 32 bits the bias is one more column of the table. In 32 bits the product is twice as fast without.
    """
    if dtype == torch.float32:
        offset = bias.unsqueeze(1)
        return lambda states: torch.mm(weight, states.T).add_(offset)
    width = weight.shape[1]
    columns = -(-(width + 1) // 16) * 16
    table = weight.new_zeros(weight.shape[0], columns, dtype=dtype)
    table[:, :width], table[:, width] = weight, bias

    def project(states: Tensor) -> Tensor:
        inputs = nn.functional.pad(states, (0, columns - width))
        inputs[:, width] = 1.0
        return torch.mm(table, inputs.T)

    return project


def _quantized_projection(weight: Tensor, bias: Tensor) -> Callable[[Tensor], Tensor]:
    """As `_projection`, with weights in 8 bits, one scale a word, and inputs in 8 bits."""
    if weight.device.type != "cpu":
        raise ValueError(f"precision='int8' is for CPUs; the model is on {weight.device}. Accepted there: bfloat16")
    scales = (weight.abs().amax(1) / 127).clamp(min=1e-8)
    table = (weight / scales.unsqueeze(1)).round().to(torch.int8).T

    def project(states: Tensor) -> Tensor:
        scale = (states.abs().amax(1, keepdim=True) / 127).clamp(min=1e-8)
        sums = torch._int_mm((states / scale).round().to(torch.int8), table)
        return torch.addcmul(bias, sums, scale * scales).T

    return project


def _choose(logits: Tensor, temperature: float | None) -> Tensor:
    """Returns the likeliest or a drawn token of each column of `(vocabulary, rows)`."""
    words = logits.shape[0]
    if temperature is not None:
        # Inverse of the distribution function. torch.multinomial takes five times as long.
        totals = torch.softmax(logits.T.float() / temperature, dim=1).cumsum(1)
        draws = torch.rand(len(totals), 1, device=logits.device) * totals[:, -1:] * (1 - 2**-23)
        return torch.searchsorted(totals, draws, right=True).squeeze(1).clamp_(max=words - 1)
    if words < 4 * _BLOCK:
        return logits.argmax(0)
    # torch's argmax over all words takes ten times as long as its amax; and its amax over bfloat16 takes four times as
    # long as over the same bits as integers, whose order is right among positive numbers and above negative ones.
    blocks = words // _BLOCK
    parts = logits[: blocks * _BLOCK].unflatten(0, (blocks, _BLOCK))
    best = None
    if logits.dtype == torch.bfloat16:
        value, best = parts.view(torch.int16).amax(1).max(0)
        best = best if (value > 0).all() else None
    if best is None:
        best = parts.amax(1).T.contiguous().argmax(1)
    # The best block's words, and those after the last whole block.
    places = torch.arange(_BLOCK + words - blocks * _BLOCK, device=logits.device).unsqueeze(1)
    candidates = torch.where(places < _BLOCK, best * _BLOCK + places, places + (blocks - 1) * _BLOCK)
    chosen = logits.gather(0, candidates).T.contiguous().argmax(1)
    return candidates.gather(0, chosen.unsqueeze(0)).squeeze(0)
