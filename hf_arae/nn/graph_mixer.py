"""Graphs that were learned elsewhere, mixed into anyone's features (thesis, section 7.3.2).

Shapes: features `(batch, T, width)`; the graphs of a layer `(batch, directions, heads, T, T)`, where
`graphs[..., i, j]` is how much position j draws from position i. A column sums to one or is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from hf_arae.utils.validation import check_number

MIXTURE_WEIGHTS = ("conditioned", "free")
MIXER_OUTPUTS = ("concatenate", "residual")


class LayerGraphs:
    """The graphs of a batch, a layer at a time, as often as they are asked for.

    Args:
        make: gives an iterator of the layers' graphs, lowest first. It is called whenever they are gone through.
    """

    def __init__(self, make: Callable[[], Iterator[Tensor]]):
        self.make = make

    def __iter__(self) -> Iterator[Tensor]:
        return self.make()


class GraphMixer(nn.Module):
    """Mixes graphs into one a direction, draws features along it, and lets a gate say what of them counts.

    With the graphs G^1 ... G^L of each head and Lambda^l = G^1 ... G^l, which is what l rounds of drawing come to, the
    mixture is M = sum m_G^l G^l + sum m_Lambda^l Lambda^l, with weights >= 0 of sum 1 over layers and heads. As
    Lambda^1 is G^1, these are `(2 num_layers - 1) num_heads` graphs a direction. The output is [H; g] or H + g with
    g = W1 z * sigmoid(W2 z), z = [H; H M ...] over directions and mixtures, the H M each times a learned number that
    starts at 1.

    M and Lambda are running sums and products over the layers: no layer's graphs are kept, for the gradient neither,
    which goes through the layers once more. It reaches weights and features, not the graphs.

    Args:
        width: of the features.
        num_layers, num_heads: of the graphs.
        weights: `"conditioned"`: softmax of a linear map of the features, for each position that draws; or `"free"`:
            softmax of parameters.
        output: `"concatenate"`: `(batch, T, width + gate_size)`; or `"residual"`: `(batch, T, width)`, the gate's
            output layer being zero at the start, so that the features come out as they were, bit for bit.
        num_mixtures: mixtures a direction, each with weights of its own.
        num_directions: 2: forward and backward graphs, mixed separately; 1: forward graphs alone.
        gate_size: width of g; `None`: `width`, which "residual" needs.
        dropout: probability, in [0, 1), of dropping a unit of z while training.

    Raises:
        ValueError: a setting is out of range.
    """

    def __init__(
        self,
        width: int,
        num_layers: int,
        num_heads: int,
        weights: str = "conditioned",
        output: str = "concatenate",
        num_mixtures: int = 2,
        num_directions: int = 2,
        gate_size: int | None = None,
        dropout: float = 0.0,
    ):
        super().__init__()
        gate_size = width if gate_size is None else gate_size
        sizes = {"width": width, "num_layers": num_layers, "num_heads": num_heads, "num_mixtures": num_mixtures}
        for name, value in (sizes | {"gate_size": gate_size}).items():
            check_number(name, value, "[1, inf)", True)
        check_number("num_directions", num_directions, "[1, 2]", True)
        check_number("dropout", dropout, "[0, 1)")
        for name, value, accepted in (("weights", weights, MIXTURE_WEIGHTS), ("output", output, MIXER_OUTPUTS)):
            if value not in accepted:
                raise ValueError(f"{name} must be one of {', '.join(accepted)}; got {value!r}")
        if output == "residual" and gate_size != width:
            raise ValueError(f"gate_size must be the width, {width}, of what it is added to; got {gate_size}")
        self.num_layers, self.num_heads, self.output = num_layers, num_heads, output
        self.num_directions, self.num_mixtures = num_directions, num_mixtures
        self.output_width = width if output == "residual" else width + gate_size
        logits = num_directions * num_mixtures * (2 * num_layers - 1) * num_heads
        if weights == "conditioned":
            self.weigh = nn.Linear(width, logits)
        else:
            self.logits = nn.Parameter(torch.zeros(logits))
        self.scales = nn.Parameter(torch.ones(num_directions, num_mixtures))
        self.dropout = nn.Dropout(dropout)
        drawn = (1 + num_directions * num_mixtures) * width
        self.value = nn.Linear(drawn, gate_size)
        self.gate = nn.Linear(drawn, gate_size)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draws the weights anew."""
        for layer in (self.value, self.gate):
            layer.reset_parameters()
        if self.output == "residual":
            self.value.weight.zero_()
            self.value.bias.zero_()
        if hasattr(self, "weigh"):
            self.weigh.reset_parameters()
        else:
            self.logits.zero_()
        self.scales.fill_(1.0)

    def mixture_weights(self, features: Tensor) -> Tensor:
        """How much each graph counts.

        Args:
            features: `(batch, T, width)`.

        Returns:
            `(batch or 1, directions, mixtures, 2 num_layers - 1, heads, T or 1)`, of sum 1 over layers and heads: G^1
            to G^L, then Lambda^2 to Lambda^L.
        """
        logits = self.weigh(features).transpose(1, 2) if hasattr(self, "weigh") else self.logits.view(1, -1, 1)
        # In float32 at least, as graphs are: the softmax of many logits has small parts.
        wide = torch.promote_types(logits.dtype, torch.float32)
        shape = (self.num_directions, self.num_mixtures, -1)
        weights = logits.unflatten(1, shape).softmax(3, dtype=wide)
        return weights.unflatten(3, (2 * self.num_layers - 1, self.num_heads))

    def mix(self, features: Tensor, layer_graphs: Iterable[Tensor], mask: Tensor | None = None) -> Tensor:
        """The mixtures M, `(batch, directions, mixtures, T, T)`; arguments as `forward` takes them.

        Raises:
            ValueError: the graphs are not of these features, or more or fewer than they should be.
        """
        weights = self.mixture_weights(features)
        there = None if mask is None else mask.bool()
        shape = (features.shape[0], self.num_heads, features.shape[1])

        def layers() -> Iterator[Tensor]:
            number = 0
            for number, graphs in enumerate(layer_graphs, 1):
                found = (graphs.shape[0], *graphs.shape[2:4]) if graphs.dim() == 5 else ()
                if number > self.num_layers or found != shape or graphs.shape[1] < self.num_directions:
                    raise ValueError(
                        f"layer {number} of the graphs has the shape {tuple(graphs.shape)}; the mixer takes "
                        f"{self.num_layers} layers of {(shape[0], self.num_directions, *shape[1:], shape[2])}"
                    )
                graphs = graphs[:, : self.num_directions].to(weights.dtype)
                if there is not None:
                    pairs = there[:, None, None, :, None] & there[:, None, None, None, :]
                    graphs = graphs.masked_fill(~pairs, 0.0)
                yield graphs
            if number != self.num_layers:
                raise ValueError(f"there are {number} layers of graphs, and the mixer takes {self.num_layers}")

        with torch.autocast(features.device.type, enabled=False):
            if not (torch.is_grad_enabled() and weights.requires_grad):
                return _mixed(weights, layers(), shape)
            if iter(layer_graphs) is layer_graphs:  # it can be gone through once alone
                layer_graphs = list(layer_graphs)
            return _Mixture.apply(weights, layers, shape)

    def forward(self, features: Tensor, layer_graphs: Iterable[Tensor], mask: Tensor | None = None) -> Tensor:
        """Adds what features draw from one another.

        Args:
            features: `(batch, T, width)`.
            layer_graphs: for each layer, lowest first, `(batch, directions, heads, T, T)`; forward graphs before
                backward ones, of which a mixer of one direction takes no notice. While gradients are wanted, an
                iterator is kept as a list; a [`LayerGraphs`], or anything that can be gone through again, is not.
            mask: `(batch, T)`, true or 1 for positions that are no padding. Padding gives nothing and gets nothing.
                `None`: there is none.

        Returns:
            `(batch, T, width + gate_size)` or, of a residual mixer, `(batch, T, width)`.

        Raises:
            ValueError: as `mix`.
        """
        there = None if mask is None else mask.bool().unsqueeze(2)
        sources = features if there is None else features.masked_fill(~there, 0.0)
        mixture = self.mix(sources, layer_graphs, mask)
        # (batch, directions * mixtures, T, width): position j has the sum over i of M_ij h_i.
        drawn = (mixture.flatten(1, 2).transpose(2, 3).to(sources.dtype) @ sources.unsqueeze(1)).transpose(1, 2)
        drawn = (drawn * self.scales.view(1, 1, -1, 1)).flatten(2)
        joined = self.dropout(torch.cat([sources, drawn.to(sources.dtype)], 2))
        gated = self.value(joined) * self.gate(joined).sigmoid()
        if there is not None:
            gated = gated.masked_fill(~there, 0.0)
        if self.output == "residual":
            return features + gated.to(features.dtype)
        return torch.cat([features, gated.to(features.dtype)], 2)


def _with_products(layers: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Each layer's G^l and Lambda^l; `None` for Lambda^1, which is G^1."""
    product = None
    for graphs in layers:
        product = graphs if product is None else product @ graphs
        yield graphs, None if product is graphs else product


def _mixed(weights: Tensor, layers: Iterable[Tensor], shape: tuple[int, int, int]) -> Tensor:
    """M, from weights as `mixture_weights` gives them; `shape` is (batch, heads, T)."""
    batch, heads, length = shape
    count = (weights.shape[3] + 1) // 2
    mixture = weights.new_zeros(batch, *weights.shape[1:3], length, length)
    for layer, (graphs, product) in enumerate(_with_products(layers)):
        for place, part in ((layer, graphs), (count + layer - 1, product)):
            if part is not None:
                for head in range(heads):
                    mixture.addcmul_(part[:, :, head, None], weights[:, :, :, place, head, None, :])
    return mixture


class _Mixture(torch.autograd.Function):
    """`_mixed`, whose backward pass goes through the layers again in place of keeping them."""

    @staticmethod
    def forward(ctx, weights: Tensor, layers: Callable[[], Iterator[Tensor]], shape: tuple[int, int, int]) -> Tensor:
        ctx.layers, ctx.shape = layers, weights.shape
        return _mixed(weights, layers(), shape)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor):
        rows, _, _, places, heads, columns = ctx.shape
        found = gradient.new_zeros(ctx.shape)
        count = (places + 1) // 2
        with torch.no_grad():
            for layer, (graphs, product) in enumerate(_with_products(ctx.layers())):
                for place, part in ((layer, graphs), (count + layer - 1, product)):
                    if part is None:
                        continue
                    for head in range(heads):
                        # How much M would change with the weight, at each position that draws: (batch, ..., T).
                        change = torch.einsum("bdmij,bdij->bdmj", gradient, part[:, :, head])
                        change = change.sum(0, keepdim=True) if rows == 1 else change
                        found[:, :, :, place, head] = change.sum(-1, keepdim=True) if columns == 1 else change
        return found, None, None


__all__ = ["MIXER_OUTPUTS", "MIXTURE_WEIGHTS", "GraphMixer", "LayerGraphs"]
