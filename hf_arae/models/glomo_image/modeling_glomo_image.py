"""GLoMo over images: graphs of what each pixel or patch draws from which other, and features computed along them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import initialization as init

from hf_arae.models.glomo.graph_reader import GlomoOutput, GraphReader, Reading, graph_network
from hf_arae.models.glomo_image.configuration_glomo_image import GlomoImageConfig
from hf_arae.models.images.image_config import VALUE_RANGES
from hf_arae.models.images.image_model import ImageModel
from hf_arae.nn.graphs import allowed_edges
from hf_arae.nn.image.raster import RasterConvolutions, patches


@dataclass
class ImageReading(Reading):
    """Images as one direction reads them: in raster order, or mirrored, from the last unit to the first.

    Args:
        units: embedded, `(batch, T, width)`, in the order of reading.
        levels: of the units' values, `(batch, T, values)` int64, in the order of reading.
        mirrored: whether it is the order of the backward network.
    """

    units: Tensor | None = None
    levels: Tensor | None = None
    mirrored: bool = False

    def units_in_place(self, units: Tensor) -> Tensor:
        """See the base."""
        return units.flip(1) if self.mirrored else units

    def graph_in_place(self, graph: Tensor) -> Tensor:
        """See the base."""
        return graph.flip((2, 3)) if self.mirrored else graph


class UnitEmbeddings(nn.Module):
    """Units as vectors: of their values, and of the row and the column in which they stand.

    A unit's values alone say little of where it may want to draw from, as a word does.

    Args:
        values: numbers that a unit is.
        width: of the vectors.
        side: units in a row, and rows.
    """

    def __init__(self, values: int, width: int, side: int):
        super().__init__()
        self.values = nn.Linear(values, width)
        self.rows, self.columns = (nn.Parameter(torch.zeros(side, width)) for _ in range(2))

    def forward(self, values: Tensor) -> Tensor:
        """Maps `(batch, T, values)`, in [-1, 1] and raster order, to `(batch, T, width)`."""
        places = self.rows.unsqueeze(1) + self.columns
        return self.values(values) + places.flatten(0, 1)


class GlomoImageModel(GraphReader, ImageModel):
    """Latent graphs over the units of an image, pixels or patches (thesis, section 7.3), in both directions.

    Units stand in raster order. The forward network sees, at each unit, that unit and those before it, as in PixelCNN;
    the backward one is another network, on the mirrored order. They share the embeddings.

    Args:
        config: see [`GlomoImageConfig`].
    """

    config: GlomoImageConfig
    config_class = GlomoImageConfig
    auto_classes = ("AutoModel",)
    draws_images = decodes_codes = rebuilds_images = False
    _other_heads = ("decoders",)

    def __init__(self, config: GlomoImageConfig):
        super().__init__(config)
        self.embeddings = UnitEmbeddings(config.values_per_unit, config.hidden_size, config.units_size)
        self.forward_network = graph_network(config, RasterConvolutions, config.units_size)
        self.backward_network = graph_network(config, RasterConvolutions, config.units_size)
        if type(self) is GlomoImageModel:
            self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """As the base; rows and columns count as much as values."""
        if isinstance(module, UnitEmbeddings):
            for places in (module.rows, module.columns):
                init.normal_(places, 0.0, 0.5)
        else:
            super()._init_weights(module)

    # Graphs

    def graphs(self, pixel_values: Tensor) -> Tensor:
        """All graphs of images; see `layer_graphs` for one layer at a time, which takes less memory.

        Args:
            pixel_values: `(batch, num_channels, image_size, image_size)`, in the config's range.

        Returns:
            `(batch, 2, layers, heads, T, T)`: `[:, 0]` of the forward network, `[:, 1]` of the backward one;
            `[..., i, j]` is how much unit j draws from unit i, of the T = `config.context_length` units in raster
            order. A column sums to one, or is all zero: at the first unit (forward) or the last one (backward), and
            where no score is positive.

        Raises:
            ValueError: the images are not of the model's shape or range.
        """
        return torch.stack(list(self.layer_graphs(pixel_values)), 2)

    def layer_graphs(self, pixel_values: Tensor) -> Iterator[Tensor]:
        """The graphs of one layer after another, lowest first, each `(batch, 2, heads, T, T)`; see `graphs`."""
        return self.layers_of(self.readings(self.check_pixels(pixel_values)))

    def allowed_edges(self, pixel_values: Tensor) -> Tensor:
        """Which edges there may be, `(batch, 2, T, T)` bool; directions as for `graphs`."""
        return self.edges_of(self.readings(self.check_pixels(pixel_values)))

    def sparsity(self, pixel_values: Tensor) -> dict[str, float]:
        """How sparse the graphs of images are; see `GraphReader.sparsity_of`."""
        return self.sparsity_of(self.readings(self.check_pixels(pixel_values)))

    def readings(self, pixel_values: Tensor) -> tuple[ImageReading, ImageReading]:
        """Images as the two networks read them; they are not looked at."""
        config = self.config
        low, high = VALUE_RANGES[config.value_range]
        shares = (patches(pixel_values, config.patch_size) - low) / (high - low)
        units = self.embeddings((2 * shares - 1).to(self.embeddings.rows.dtype))
        levels = (shares * config.levels).long().clamp(0, config.levels - 1)
        names = (levels * (7919 * torch.arange(config.values_per_unit, device=levels.device) + 1)).sum(2)
        mask = torch.ones_like(names, dtype=torch.bool)
        allowed = allowed_edges(mask[:1], config.strict_mask).expand(len(mask), -1, -1, -1)
        return (
            ImageReading(names, mask, allowed, units=units, levels=levels),
            ImageReading(names.flip(1), mask, allowed, None, units.flip(1), levels.flip(1), True),
        )

    def units_of(self, reading: ImageReading) -> Tensor:
        """See the base."""
        return reading.units

    # transformers' interface

    def features(self, pixel_values: Tensor) -> Tensor:
        """What the networks see in images, `(batch, T, 2 * hidden_size)`."""
        readings = self.readings(self.check_pixels(pixel_values))
        return self.features_of(readings, None, None).last_hidden_state

    def forward(
        self,
        pixel_values: Tensor,
        output_graphs: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> GlomoOutput | tuple:
        """Computes the features of images, along their graphs.

        Args:
            pixel_values: see `graphs`.
            output_graphs: the graphs, too.
            output_hidden_states: the features of all layers, too.
            return_dict: a tuple instead of a [`GlomoOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: see `graphs`.
        """
        self._refuse_unknown(kwargs)
        readings = self.readings(self.check_pixels(pixel_values))
        output = self.features_of(readings, output_graphs, output_hidden_states)
        return output if return_dict is not False else output.to_tuple()


__all__ = ["GlomoImageModel"]
