"""Multi-layer perceptrons: generators, critics and classifiers of codes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hf_arae.nn.batch_norm import BatchNorm


class Mlp(nn.Module):
    """Fully connected layers with an activation between them, in the parameters' precision even under autocast.

    They are small: casting would cost more than the products, and a critic's gradient penalty needs the precision.

    Args:
        input_size: width of the input.
        hidden_sizes: widths of the hidden layers.
        output_size: width of the output.
        activation: `"relu"` (generators) or `"leaky_relu"` with slope 0.2 (critics, classifiers).
        batch_norm: normalise after each hidden layer. Never in a critic that is trained with a gradient penalty: the
            penalty is per example, and batch norm ties the examples of a batch together.
        plain_layers: so many hidden layers, the first ones, are without batch norm.
        bounded: end with tanh, so that the output lies in (-1, 1).
        input_scale: factor on the input, so that inputs of any size meet weights of a usual one.
        output_scale: factor on the output, before tanh.
        shortcut: add a linear map of the input to the output, before its factor. A generator then starts as a linear
            map of its noise, and its layers only have to bend that.

    Shapes: `(batch, input_size)` to `(batch, output_size)`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_sizes: list[int] | tuple[int, ...],
        output_size: int,
        activation: str = "leaky_relu",
        batch_norm: bool = False,
        bounded: bool = False,
        input_scale: float = 1.0,
        output_scale: float = 1.0,
        shortcut: bool = False,
        plain_layers: int = 0,
    ):
        super().__init__()
        layers: list[nn.Module] = []
        width = input_size
        for number, size in enumerate(hidden_sizes):
            normed = batch_norm and number >= plain_layers
            layers.append(nn.Linear(width, size, bias=not normed))  # batch norm takes any offset away again
            if normed:
                layers.append(BatchNorm(size))
            layers.append(nn.ReLU() if activation == "relu" else nn.LeakyReLU(0.2))
            width = size
        layers.append(nn.Linear(width, output_size))
        self.layers = nn.Sequential(*layers)
        self.shortcut = nn.Linear(input_size, output_size, bias=False) if shortcut else None
        self.bounded, self.input_scale, self.output_scale = bounded, input_scale, output_scale

    @property
    def output_layer(self) -> nn.Linear:
        """The last linear layer."""
        return self.layers[-1]

    def forward(self, inputs: Tensor) -> Tensor:
        with torch.autocast(inputs.device.type, enabled=False):
            inputs = self.input_scale * inputs.to(self.output_layer.weight.dtype)
            outputs = self.layers(inputs)
            if self.shortcut is not None:
                outputs = outputs + self.shortcut(inputs)
            outputs = self.output_scale * outputs
            return outputs.tanh() if self.bounded else outputs

    def input_gradient(self, inputs: Tensor) -> Tensor:
        """Gradient of the output by `input_scale * inputs` at each row, differentiable by the parameters.

        The layers are piecewise linear, so the gradient is the product of their matrices, less the units that are
        off: the same as differentiating twice, at half the time.

        Args:
            inputs: `(batch, input_size)`; the result is not differentiable by them (its derivative is zero).

        Returns:
            `(batch, input_size)`.

        Raises:
            ValueError: the output is not one number, or the layers have batch norm, a final tanh, an `output_scale`
                or a shortcut.
        """
        self._check_rating("input_gradient")
        with torch.autocast(inputs.device.type, enabled=False):
            linears, slopes = [], []
            with torch.no_grad():
                states = self.input_scale * inputs.to(self.output_layer.weight.dtype)
                for layer in self.layers[:-1]:
                    if isinstance(layer, nn.Linear):
                        linears.append(layer)
                    else:
                        slopes.append(layer(states.sign()).abs())
                    states = layer(states)
            gradient = self.output_layer.weight
            for layer, slope in zip(reversed(linears), reversed(slopes), strict=True):
                gradient = (gradient * slope) @ layer.weight
            return gradient.expand(len(inputs), -1)

    def mean_difference(self, first: Tensor, second: Tensor) -> Tensor:
        """Mean output over `first` less that over `second`, a scalar; each `(batch, input_size)`.

        The output's offset cancels, and gets no gradient rather than the rounding error of one. With batch norm the
        two have statistics of their own.

        Raises:
            ValueError: as `input_gradient`, but for batch norm.
        """
        self._check_rating("mean_difference", batch_norm=True)
        with torch.autocast(first.device.type, enabled=False):
            if self._has_batch_norm:
                inputs = (self.input_scale * part.to(self.output_layer.weight.dtype) for part in (first, second))
                real, fake = (self.layers[:-1](part).mean(0) for part in inputs)
                return self.output_layer.weight[0] @ (real - fake)
            inputs = torch.cat([first, second]).to(self.output_layer.weight.dtype)
            states = self.layers[:-1](self.input_scale * inputs)
            difference = states[: len(first)].mean(0) - states[len(first) :].mean(0)
            return self.output_layer.weight[0] @ difference

    @property
    def _has_batch_norm(self) -> bool:
        return any(isinstance(layer, BatchNorm) for layer in self.layers)

    def _check_rating(self, name: str, batch_norm: bool = False) -> None:
        bent = self.bounded or self.output_scale != 1 or self.shortcut is not None
        if bent or self.output_layer.out_features != 1 or (self._has_batch_norm and not batch_norm):
            raise ValueError(
                f"{name} is for layers with one output, without {'' if batch_norm else 'batch norm, '}tanh, "
                "output_scale and shortcut"
            )
