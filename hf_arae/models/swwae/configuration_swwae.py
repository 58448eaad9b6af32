"""Configuration of stacked what-where autoencoders."""

from __future__ import annotations

from math import isfinite
from typing import ClassVar

from huggingface_hub.dataclasses import strict

from hf_arae.models.images.image_config import ImageConfig
from hf_arae.nn.image.layer_strings import ConvLayer, LinearLayer, PoolLayer, pooled_sizes, read_pooled
from hf_arae.nn.image.what_where import WHERES
from hf_arae.utils.validation import check_choice, check_range

STARTS = ("features", "logits")


@strict
class SwwaeConfig(ImageConfig):
    """A ConvNet and its mirror image (thesis, chapter 6).

    Beside the fields of [`ImageConfig`]:

    Args:
        layers: of the ConvNet: `"(64)5c-2p-(64)3c-2p-fc"` is 64 maps by filters of 5 x 5, pooling of 2 x 2, 64 maps by
            filters of 3 x 3, pooling, and a linear layer with as many outputs as there are labels; `10fc` says that
            they are 10, and `256fc-fc` has a hidden layer. Without a linear layer the model knows no labels.
        where: what a pooling hands to its unpooling: `"switches"`, the place of the greatest value; `"phase"`, a soft
            place; `"none"`, nothing, so that the value comes back everywhere.
        phase_beta: of `"phase"`, in [0, 1e6]: how near the soft maximum and its place are to the hard ones.
        decode_from: the decoder begins with the top `"features"`, or with the `"logits"` of the labels, by linear
            layers that mirror the ConvNet's.
        batch_norm: after all convolutions but the decoder's last.
        dropout: of the top features that the linear layers read, in [0, 1).
        width_multiplier: of the numbers of maps, > 0: 0.25 is a quarter of those that `layers` says.
        pixel_mean: of the training images, one number a channel, in the model's range; the networks see pixels without
            it, divided by `pixel_std`.
        pixel_std: their deviation, one number a channel, > 0.
        id2label: names of the labels.
    """

    model_type = "swwae"
    not_chosen: ClassVar[tuple[str, ...]] = (*ImageConfig.not_chosen, "pixel_mean", "pixel_std", "id2label")

    layers: str = "(64)5c-2p-(64)3c-(64)3c-2p-(128)3c-(128)3c-2p-fc"
    where: str = "switches"
    phase_beta: float | int = 10.0
    decode_from: str = "features"
    batch_norm: bool = True
    dropout: float | int = 0.5
    width_multiplier: float | int = 1.0
    pixel_mean: list[float] | None = None
    pixel_std: list[float] | None = None

    @property
    def map_layers(self) -> list[ConvLayer | PoolLayer]:
        """Convolutions, of as many maps as they have, and poolings."""
        layers = read_pooled(self.layers)[0]
        scaled = {layer: max(1, round(layer.maps * self.width_multiplier)) for layer in layers if _is_conv(layer)}
        return [ConvLayer(scaled[layer], layer.kernel) if _is_conv(layer) else layer for layer in layers]

    @property
    def linear_layers(self) -> list[LinearLayer]:
        """The linear layers, the last of which gives the logits; none of a model that knows no labels."""
        return read_pooled(self.layers)[1]

    @property
    def linear_widths(self) -> list[int]:
        """The widths of the linear layers."""
        return [self.num_labels if layer.width is None else layer.width for layer in self.linear_layers]

    @property
    def sizes(self) -> list[int]:
        """Height and width of the maps before the first layer and after each, linear ones left out."""
        return pooled_sizes(self.map_layers, self.image_size)

    @property
    def top_shape(self) -> tuple[int, int, int]:
        """Maps, height and width of the top features."""
        maps = [layer.maps for layer in self.map_layers if _is_conv(layer)][-1]
        return (maps, self.sizes[-1], self.sizes[-1])

    def validate_choices(self):
        check_choice(self, "where", WHERES)
        check_choice(self, "decode_from", STARTS)
        check_range(self, "[0, 1000000]", "phase_beta")
        check_range(self, "[0, 1)", "dropout")
        check_range(self, "(0, 64]", "width_multiplier")

    def validate_layers(self):
        try:
            layers, linear = read_pooled(self.layers)
            pooled_sizes(layers, self.image_size)
        except ValueError as error:
            raise ValueError(f"layers: {error}") from error
        if self.decode_from == "logits" and not linear:
            raise ValueError(
                f"decode_from='logits' takes layers that end in a linear one, such as ...-fc; got {self.layers!r}"
            )

    def validate_pixel_statistics(self):
        if (self.pixel_mean is None) != (self.pixel_std is None):
            raise ValueError("pixel_mean and pixel_std go together: give both or neither")
        for name in ("pixel_mean", "pixel_std"):
            found = getattr(self, name)
            if found is not None and len(found) != self.num_channels:
                raise ValueError(f"{name} must hold a number for each of {self.num_channels} channel(s), got {found}")
        if self.pixel_mean is not None and not all(isfinite(value) for value in self.pixel_mean):
            raise ValueError(f"pixel_mean must hold finite numbers, got {self.pixel_mean}")
        if self.pixel_std is not None and not all(0 < value < float("inf") for value in self.pixel_std):
            raise ValueError(f"pixel_std must hold numbers above 0, got {self.pixel_std}")


def _is_conv(layer: ConvLayer | PoolLayer) -> bool:
    return isinstance(layer, ConvLayer)


__all__ = ["SwwaeConfig"]
