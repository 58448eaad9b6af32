"""GLoMo over images with the decoders of its pre-training: each unit's features predict its window's later half."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

from hf_arae.models.glomo.graph_reader import Along, Prediction
from hf_arae.models.glomo.modeling_glomo_pretraining import Decoders, GlomoForPreTrainingOutput
from hf_arae.models.glomo_image.configuration_glomo_image import GlomoImageConfig
from hf_arae.models.glomo_image.modeling_glomo_image import GlomoImageModel
from hf_arae.nn.image.raster import window_after


class ImageDecoders(Decoders):
    """The GRU of each direction that predicts units, and the levels of their values that its states speak for.

    Args:
        width: of features and states.
        num_layers: of each GRU.
        outputs: levels of all values of a unit.
    """

    def __init__(self, width: int, num_layers: int, outputs: int):
        super().__init__(width, num_layers, outputs)
        self.output_layer = nn.Linear(width, outputs, bias=False)


class GlomoImageForPreTraining(GlomoImageModel):
    """GLoMo over images as it is trained: at each unit a decoder, which begins as the unit's top features, predicts
    those units of the window around it that come later in raster order, one after another.

    Of a window of 3 x 3 these are the unit to the right and the three below. A value is one of `levels` levels of
    brightness; those of a unit are predicted at once. The backward network's decoder predicts the window's other half,
    in the mirrored order.

    Args:
        config: see [`GlomoImageConfig`].
    """

    auto_classes = ("AutoModelForPreTraining",)
    _own_head = "decoders"
    _other_heads = ()

    def __init__(self, config: GlomoImageConfig):
        super().__init__(config)
        outputs = config.values_per_unit * config.levels
        self.decoders = ImageDecoders(config.hidden_size, config.decoder_layers, outputs)
        self.register_buffer("later", window_after(config.units_size, config.window), persistent=False)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, ImageDecoders):
            init.zeros_(module.bias)
        elif isinstance(module, GlomoImageForPreTraining):  # a loader leaves what no file holds undefined
            init.copy_(module.later, window_after(module.config.units_size, module.config.window))

    def forward(
        self, pixel_values: Tensor, return_dict: bool | None = None, **kwargs
    ) -> GlomoForPreTrainingOutput | tuple:
        """Returns the losses of predicting images from themselves, in nats a value.

        Args:
            pixel_values: see `graphs`.
            return_dict: a tuple instead of a [`GlomoForPreTrainingOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: see `graphs`.
        """
        self._refuse_unknown(kwargs)
        found = self.predictions(self.check_pixels(pixel_values))
        losses = [part.total / max(1, part.count) for part in found.values()]
        output = GlomoForPreTrainingOutput(sum(losses) / len(losses), *losses)
        return output if return_dict is not False else output.to_tuple()

    def predictions(self, pixel_values: Tensor, chosen: Tensor | None = None) -> dict[str, Prediction]:
        """What each direction, by its name, says of images, which are not looked at: for training.

        Args:
            pixel_values: see `graphs`.
            chosen: `(batch, T)` bool: units, in the order of reading, at which something is predicted; all if `None`.
        """
        found = {}
        for one in self.along_graphs(self.readings(pixel_values)):
            losses, targets = self._losses(one, chosen)
            found[one.direction] = Prediction(
                losses.sum(), int((targets >= 0).sum()), one.columns, one.empty, one.edges
            )
        return found

    @torch.no_grad()
    def unit_losses(self, pixel_values: Tensor) -> Tensor:
        """-log p of each unit that is predicted from each, `(batch, 2, T, D)`; NaN where there is none.

        Args:
            pixel_values: see `graphs`.

        Returns:
            `[:, 0, t, d]` is what the forward network, at unit t, says of the d-th later unit of the window around it,
            in nats a value, the mean over its values; `[:, 1, t, d]` what the backward one says of the d-th earlier
            unit, the nearest in raster order first.

        Raises:
            ValueError: see `graphs`.
        """
        found = []
        for one in self.along_graphs(self.readings(self.check_pixels(pixel_values))):
            losses, targets = self._losses(one, None)
            losses = losses.mean(2).masked_fill(targets[..., 0] < 0, torch.nan)
            found.append(one.reading.units_in_place(losses.unflatten(0, (len(pixel_values), -1))))
        return torch.stack(found, 1)

    def _losses(self, one: Along, chosen: Tensor | None) -> tuple[Tensor, Tensor]:
        """-log p and level of each value, `(rows, D, values)`: of all units, or the chosen ones; 0 and -100: none."""
        config, reading = self.config, one.reading
        nothing, place = (self.later < 0).unsqueeze(2), self.later.clamp(min=0).flatten()
        targets = reading.levels[:, place].unflatten(1, self.later.shape).masked_fill(nothing, -100).flatten(0, 1)
        units = reading.units[:, place].unflatten(1, self.later.shape).masked_fill(nothing, 0.0).flatten(0, 1)
        begins = one.features.flatten(0, 1)
        if chosen is not None:
            rows = chosen.flatten().nonzero().squeeze(1)
            begins, units, targets = begins[rows], units[rows], targets[rows]
        states = self.decoders.states(one.direction, begins, units)
        logits = F.linear(states, self.decoders.output_layer.weight, self.decoders.bias).float()
        logits = logits.unflatten(2, (config.values_per_unit, config.levels))
        losses = F.cross_entropy(logits.flatten(0, 2), targets.flatten(), ignore_index=-100, reduction="none")
        return losses.view(targets.shape), targets


__all__ = ["GlomoImageForPreTraining"]
