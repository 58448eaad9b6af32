"""GLoMo with the decoders of its pre-training: each unit's features predict the units that follow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init
from transformers.utils import ModelOutput

from hf_arae.models.glomo.configuration_glomo import GlomoConfig
from hf_arae.models.glomo.graph_reader import Prediction, Reading
from hf_arae.models.glomo.modeling_glomo import GlomoModel
from hf_arae.nn.text.linear_cross_entropy import linear_cross_entropy, linear_cross_entropy_by_row


@dataclass
class GlomoForPreTrainingOutput(ModelOutput):
    """Output of [`GlomoForPreTraining`].

    Args:
        loss: mean of the two below, in nats.
        forward_loss, backward_loss: -log p of a unit that is predicted, its mean over positions and predictions.
    """

    loss: Tensor | None = None
    forward_loss: Tensor | None = None
    backward_loss: Tensor | None = None


class Decoders(nn.Module):
    """The GRU of each direction that predicts units (equation 7.3), and what they add to the words' scores.

    The output table is the embeddings'.

    Args:
        width: of embeddings and states.
        num_layers: of each GRU.
        vocab_size: number of tokens.
    """

    def __init__(self, width: int, num_layers: int, vocab_size: int):
        super().__init__()
        self.forward_gru, self.backward_gru = (nn.GRU(width, width, num_layers, batch_first=True) for _ in range(2))
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def states(self, direction: str, begin: Tensor, embedded: Tensor) -> Tensor:
        """States that predict the units `(rows, steps)`, `(rows, steps, width)`.

        Args:
            direction: `"forward"` or `"backward"`.
            begin: the features that all layers begin with, `(rows, width)`.
            embedded: the units, `(rows, steps, width)`: each is seen after it was predicted. The first input is zero.
        """
        gru = self.forward_gru if direction == "forward" else self.backward_gru
        inputs = F.pad(embedded[:, :-1], (0, 0, 1, 0))
        return gru(inputs, begin.unsqueeze(0).expand(gru.num_layers, -1, -1).contiguous())[0]


class GlomoForPreTraining(GlomoModel):
    """GLoMo as it is trained: at each unit a decoder, which begins as the unit's top features, predicts the next D.

    The backward network's decoder predicts the D units before, the nearest first.

    Args:
        config: see [`GlomoConfig`].
    """

    auto_classes = ("AutoModelForPreTraining",)
    _own_head = "decoders"
    _other_heads = ()

    def __init__(self, config: GlomoConfig):
        super().__init__(config)
        self.decoders = Decoders(config.hidden_size, config.decoder_layers, config.vocab_size)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, Decoders):
            init.zeros_(module.bias)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> GlomoForPreTrainingOutput | tuple:
        """Returns the losses of predicting sequences from themselves; 0 where there is nothing to predict.

        Args:
            input_ids, attention_mask: see `graphs`.
            return_dict: a tuple instead of a [`GlomoForPreTrainingOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: see `graphs`.
        """
        self._refuse_unknown(kwargs)
        found = self.predictions(input_ids, attention_mask)
        losses = [part.total / max(1, part.count) for part in found.values()]
        output = GlomoForPreTrainingOutput(sum(losses) / len(losses), *losses)
        return output if return_dict is not False else output.to_tuple()

    def predictions(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, chosen: Tensor | None = None
    ) -> dict[str, Prediction]:
        """What each direction, by its name, says of sequences: for training.

        Args:
            input_ids, attention_mask: see `graphs`.
            chosen: `(batch, T)` bool: units, in the order of reading, at which something is predicted; all if `None`.
        """
        found = {}
        for one in self.along_graphs(self._readings(input_ids, attention_mask)):
            begins, targets = self._targets(one.reading, one.features, chosen)
            states = self.decoders.states(one.direction, begins, self.embedded(targets.clamp(min=0)))
            total, count = linear_cross_entropy(states, self.embeddings.weight, self.decoders.bias, targets)
            found[one.direction] = Prediction(total, count, one.columns, one.empty, one.edges)
        return found

    @torch.no_grad()
    def unit_losses(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """-log p of each unit that is predicted from each, `(batch, 2, T, D)`; NaN where there is none.

        Args:
            input_ids, attention_mask: see `graphs`.

        Returns:
            `[:, 0, t, d]` is what the forward network, at position t, says of position t + 1 + d, in nats;
            `[:, 1, t, d]` what the backward one says of position t - 1 - d, where there is no padding in between.

        Raises:
            ValueError: the model predicts no units (`predicts="sentence"`); or see `graphs`.
        """
        if self.config.predicts != "units":
            raise ValueError(f"the model was trained to predict a {self.config.predicts}, not units")
        found = []
        for one in self.along_graphs(self._readings(input_ids, attention_mask)):
            begins, targets = self._targets(one.reading, one.features, None)
            states = self.decoders.states(one.direction, begins, self.embedded(targets.clamp(min=0)))
            there = targets != -100
            losses = states.new_full(targets.shape, torch.nan)
            losses[there] = linear_cross_entropy_by_row(
                states[there], self.embeddings.weight, self.decoders.bias, targets[there]
            ).to(losses.dtype)
            found.append(one.reading.units_in_place(losses.view(*input_ids.shape, -1)))
        return torch.stack(found, 1)

    def _targets(self, reading: Reading, features: Tensor, chosen: Tensor | None) -> tuple[Tensor, Tensor]:
        """What decoders begin with, `(rows, width)`, and what they predict, `(rows, steps)`, -100 for nothing."""
        ids = reading.names.masked_fill(~reading.mask, -100)
        if self.config.predicts == "sentence":
            return _sentence_targets(ids, reading.mask, features)
        steps = self.config.prediction_length
        targets = F.pad(ids, (0, steps), value=-100).unfold(1, steps, 1)[:, 1:]
        if chosen is None:
            return features.flatten(0, 1), targets.flatten(0, 1)
        rows = (chosen & (targets[:, :, 0] != -100)).flatten().nonzero().squeeze(1)
        return features.flatten(0, 1)[rows], targets.flatten(0, 1)[rows]

    def _word_tables(self) -> list[tuple[nn.Module, str]]:
        return [*super()._word_tables(), (self.decoders, "bias")]


def _sentence_targets(ids: Tensor, mask: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """The mean feature of each sequence's first half, and the second one."""
    place, half = torch.arange(ids.shape[1], device=ids.device), (mask.sum(1, keepdim=True) + 1) // 2
    first = (place < half) & mask
    means = (features * first.unsqueeze(2)).sum(1) / first.sum(1, keepdim=True).clamp(min=1)
    there = place + half
    targets = F.pad(ids, (0, ids.shape[1]), value=-100).gather(1, there)
    return means, targets


__all__ = ["GlomoForPreTraining", "GlomoForPreTrainingOutput"]
