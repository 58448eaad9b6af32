"""The first weights of text autoencoders, after those that every recurrent text model gets."""

from __future__ import annotations

import torch
from torch import nn
from transformers import initialization as init

from hf_arae.nn.batch_norm import reset_batch_norm


@torch.no_grad()
def initialize(module: nn.Module, published: bool) -> None:
    """Fills a module's own parameters and statistics, if it is a table, an LSTM, a linear layer or batch norm.

    Args:
        published: linear layers normal(0, 0.02), and what a `RecurrentTextModel` has done to the others; else with
            variances that keep signals at their size.
    """
    if isinstance(module, nn.Embedding) and not published:
        init.normal_(module.weight, 0.0, 0.5)
        if module.padding_idx is not None:
            init.zeros_(module.weight[module.padding_idx])
    elif isinstance(module, nn.LSTM) and not published:
        for name, parameter in module.named_parameters():
            if name.startswith("weight_ih"):
                init.uniform_(parameter, -(parameter.shape[1] ** -0.5), parameter.shape[1] ** -0.5)
            elif name.startswith("weight_hh"):
                for gate in parameter.chunk(4):
                    init.orthogonal_(gate)
            else:
                init.zeros_(parameter)
                if name.startswith("bias_ih"):
                    init.ones_(parameter.chunk(4)[1])  # the forget gate begins open
    elif isinstance(module, nn.Linear):
        init.normal_(module.weight, 0.0, 0.02 if published else (2 / module.in_features) ** 0.5)
        if module.bias is not None:
            init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm1d):
        reset_batch_norm(module)


__all__ = ["initialize"]
