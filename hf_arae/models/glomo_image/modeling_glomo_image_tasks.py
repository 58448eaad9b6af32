"""A classifier of images into which GLoMo's graphs are mixed: a baseline with the frozen predictor inside."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import ImageClassifierOutput

from hf_arae.losses.classification import label_loss
from hf_arae.models.glomo.graph_cache import GraphCache
from hf_arae.models.glomo.graph_reader import FrozenPredictor
from hf_arae.models.glomo_image.configuration_glomo_image import GlomoImageConfig
from hf_arae.models.glomo_image.modeling_glomo_image import GlomoImageModel
from hf_arae.models.images.image_config import VALUE_RANGES
from hf_arae.models.images.image_model import ImageModel
from hf_arae.nn.batch_norm import reset_batch_norm
from hf_arae.nn.graph_mixer import GraphMixer
from hf_arae.nn.image.residual import ResidualNetwork, read_stages


class ImageTaskNetwork(nn.Module):
    """A feature map of units, the mixer, a residual network, and the labels' logits.

    Args:
        config: see [`GlomoImageConfig`]; with `graph="none"` there is no mixer.
    """

    def __init__(self, config: GlomoImageConfig):
        super().__init__()
        maps, patch = config.task_maps, config.patch_size
        # Each unit and the pixels around it.
        self.units = nn.Conv2d(config.num_channels, maps, patch + 2, patch, 1, bias=False)
        self.norm = nn.BatchNorm2d(maps)
        self.mixer = None
        if config.graph != "none":
            self.mixer = GraphMixer(
                maps,
                config.num_graph_layers,
                config.num_heads,
                weights=config.mixture_weights,
                num_mixtures=config.num_mixtures,
                gate_size=config.gate_size,
                dropout=config.task_dropout,
            )
            maps = self.mixer.output_width
        self.residual = ResidualNetwork(maps, read_stages(config.task_stages))
        self.dropout = nn.Dropout(config.task_dropout)
        self.output_layer = nn.Linear(self.residual.output_size, config.num_labels)

    def forward(self, values: Tensor, layer_graphs: Iterable[Tensor]) -> Tensor:
        """Logits, `(batch, labels)`.

        Args:
            values: `(batch, channels, size, size)`, in [-1, 1].
            layer_graphs: see `GraphMixer`; may be gone through again.
        """
        maps = self.norm(self.units(values)).relu()
        if self.mixer is not None:
            mixed = self.mixer(maps.flatten(2).transpose(1, 2), layer_graphs)
            maps = mixed.transpose(1, 2).unflatten(2, maps.shape[2:])
        return self.output_layer(self.dropout(self.residual(maps)))


class GlomoImageForImageClassification(FrozenPredictor, ImageModel):
    """Labels images: features of their units draw from one another along the graphs of a frozen [`GlomoImageModel`],
    and a small residual network reads the result (thesis, section 7.4.3).

    A checkpoint of pre-trained graphs loads into it, with a new `task`. Which graphs they are says the config's
    `graph`: `"learned"`, or a control in their place; `"none"` is the same model without them.

    Args:
        config: see [`GlomoImageConfig`].
    """

    config: GlomoImageConfig
    config_class = GlomoImageConfig
    auto_classes = ("AutoModelForImageClassification",)
    draws_images = decodes_codes = rebuilds_images = False

    def __init__(self, config: GlomoImageConfig):
        super().__init__(config)
        self.glomo = GlomoImageModel(config)
        self.task = ImageTaskNetwork(config)
        # The graphs of a batch of images are large, and one mixer alone asks for them.
        self.graph_cache = GraphCache(keep=False)
        self.post_init()
        self._freeze()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """As the base; batch norm changes nothing."""
        if isinstance(module, nn.BatchNorm2d):
            reset_batch_norm(module)
        else:
            super()._init_weights(module)

    def features(self, pixel_values: Tensor) -> Tensor:
        """What the frozen predictor sees in images, `(batch, T, 2 * hidden_size)`."""
        return self.glomo.features(pixel_values)

    def classify(self, pixel_values: Tensor) -> Tensor:
        """Logits of the labels, `(batch, labels)`, of images that are not looked at."""
        low, high = VALUE_RANGES[self.config.value_range]
        values = 2 * (pixel_values - low) / (high - low) - 1
        return self.task(values, () if self.task.mixer is None else self._graphs(pixel_values))

    def _graphs(self, pixel_values: Tensor) -> Iterable[Tensor]:
        return self.graph_cache.graphs(
            self.glomo, lambda images: self.glomo.layers_of(self.glomo.readings(images)), pixel_values
        )

    def forward(
        self, pixel_values: Tensor, labels: Tensor | None = None, return_dict: bool | None = None, **kwargs
    ) -> ImageClassifierOutput | tuple[Tensor, ...]:
        """Logits of the labels.

        Args:
            pixel_values: `(batch, num_channels, image_size, image_size)`, in the config's range.
            labels: `(batch,)`, for the mean cross-entropy in nats as the loss; -100: the image has none.
            return_dict: a tuple instead of an `ImageClassifierOutput` if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: the images are not of the model's shape or range.
        """
        self._refuse_unknown(kwargs)
        logits = self.classify(self.check_pixels(pixel_values))
        loss = None if labels is None else label_loss(logits, labels)
        output = ImageClassifierOutput(loss, logits)
        return output.to_tuple() if return_dict is False else output


__all__ = ["GlomoImageForImageClassification"]
