# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/nn/mlp.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""Multi-layer perceptrons: generators, critics and classifiers of codes."""

from __future__ import annotations

from torch import Tensor, nn


class Mlp(nn.Module):
    """Fully connected layers with an activation between them.

    Args:
        input_size: width of the input.
        hidden_sizes: widths of the hidden layers.
        output_size: width of the output.
        activation: `"relu"` (generators) or `"leaky_relu"` with slope 0.2 (critics, classifiers).
        batch_norm: normalise after each hidden layer. Never in a critic that is trained with a gradient penalty: the
            penalty is per example, and batch norm ties the examples of a batch together.
        bounded: end with tanh, so that the output lies in (-1, 1).

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
    ):
        super().__init__()
        layers: list[nn.Module] = []
        width = input_size
        for size in hidden_sizes:
            layers.append(nn.Linear(width, size))
            if batch_norm:
                layers.append(nn.BatchNorm1d(size))
            layers.append(nn.ReLU() if activation == "relu" else nn.LeakyReLU(0.2))
            width = size
        layers.append(nn.Linear(width, output_size))
        if bounded:
            layers.append(nn.Tanh())
        self.layers = nn.Sequential(*layers)
        self.bounded = bounded

    @property
    def output_layer(self) -> nn.Linear:
        """The last linear layer."""
        return self.layers[-2] if self.bounded else self.layers[-1]

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)
