"""Configuration of energy-based generative adversarial networks and their rivals."""

from __future__ import annotations

from typing import ClassVar

from huggingface_hub.dataclasses import strict

from hf_arae.losses.energy import ENERGIES
from hf_arae.models.images.image_config import ImageConfig
from hf_arae.nn.image.layer_strings import generator_sizes, read_layers, read_sizes, sizes_down, sizes_up
from hf_arae.utils.validation import WIDTHS, check_choice, check_range

BACKBONES = ("mlp", "conv", "ladder")
DISCRIMINATORS = ("autoencoder", "critic")


@strict
class EbganConfig(ImageConfig):
    """Networks of an EBGAN (thesis, chapter 3), of a GAN of the same form, or of a ladder.

    Beside the fields of [`ImageConfig`]:

    Args:
        backbone: `"mlp"`, dense layers; `"conv"`, convolutions; `"ladder"`: the discriminator is a ladder network,
            which learns labels too, and the generator has dense layers.
        latent_size: width of z.
        generator_layers: `"400-400"` is two hidden layers, which one more follows; of convolutions, the last of which
            gives the image, `"(256)4c-(128)4c2s-(64)4c2s-(3)4c2s"`, with 256 maps of 4 x 4 pixels first. `None`: there
            is no generator.
        discriminator_layers: of its encoder, the last being the code: `"256"`, or `"(64)4c2s-(128)4c2s-(256)4c2s"`,
            whose decoder is the mirror image. A dense decoder has one layer. Of a ladder the hidden layers; the last
            one follows from the labels.
        discriminator: `"autoencoder"`, whose error is the energy; `"critic"`, one number of the code: the log-odds of
            being real, or what else the objective makes of it. Follows from the objective.
        dropout: of the encoder's units, or maps, in [0, 1).
        generator_batch_norm: after all layers of the generator but the last.
        discriminator_batch_norm: after all layers of encoder and decoder but those that read or give pixels.
        energy: of an autoencoder: `"norm"` of its error, `"squared"` or `"mean_squared"`. A ladder's is the mean
            square in any case.
        ladder_noise: deviation of a ladder's noise, in the input and each layer, >= 0.
        id2label: names of the labels of a ladder.
    """

    model_type = "ebgan"
    not_chosen: ClassVar[tuple[str, ...]] = (*ImageConfig.not_chosen, "discriminator", "id2label")

    backbone: str = "mlp"
    latent_size: int = 100
    generator_layers: str | None = "400-400"
    discriminator_layers: str = "256"
    discriminator: str = "autoencoder"
    dropout: float | int = 0.0
    generator_batch_norm: bool = True
    discriminator_batch_norm: bool = False
    energy: str = "norm"
    ladder_noise: float | int = 0.3

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return (self.num_channels, self.image_size, self.image_size)

    def validate_choices(self):
        check_choice(self, "backbone", BACKBONES)
        check_choice(self, "discriminator", DISCRIMINATORS)
        check_choice(self, "energy", ENERGIES)
        check_range(self, WIDTHS, "latent_size")
        check_range(self, "[0, 1)", "dropout")
        check_range(self, "[0, inf)", "ladder_noise")

    def validate_generator_layers(self):
        if self.generator_layers is None:
            return
        try:
            if self.backbone != "conv":
                read_sizes(self.generator_layers)
                return
            layers = read_layers(self.generator_layers)
            size, maps = generator_sizes(layers)[-1], layers[-1].maps
            if (maps, size) != (self.num_channels, self.image_size):
                raise ValueError(
                    f"{self.generator_layers!r} makes {maps} x {size} x {size} numbers, and images are "
                    f"{self.num_channels} x {self.image_size} x {self.image_size}"
                )
        except ValueError as error:
            raise ValueError(f"generator_layers: {error}") from error

    def validate_discriminator_layers(self):
        try:
            if self.backbone != "conv":
                read_sizes(self.discriminator_layers)
                return
            layers = read_layers(self.discriminator_layers)
            sizes = sizes_down(layers, self.image_size)
            if self.discriminator == "autoencoder":
                sizes_up(layers, sizes[-1])
        except ValueError as error:
            raise ValueError(f"discriminator_layers: {error}") from error

    def validate_ladder(self):
        if self.backbone != "ladder":
            return
        if self.num_labels < 2:
            raise ValueError(f"a ladder tells labels apart: it has at least 2, got {self.num_labels}")
        if self.discriminator != "autoencoder":
            raise ValueError("a ladder is an autoencoder: its discriminator cannot be a critic")
        if self.discriminator_batch_norm or self.dropout:
            raise ValueError(
                "a ladder has batch norm of its own, and noise: leave discriminator_batch_norm and dropout alone"
            )


__all__ = ["EbganConfig"]
