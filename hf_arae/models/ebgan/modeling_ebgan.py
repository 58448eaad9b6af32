"""Energy-based generative adversarial networks: a generator, and an autoencoder or a critic to discriminate."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.modeling_outputs import ImageClassifierOutput

from hf_arae.losses.classification import label_loss
from hf_arae.losses.energy import reconstruction_energy
from hf_arae.models.ebgan.configuration_ebgan import EbganConfig
from hf_arae.models.images.image_model import ImageModel, ImageModelOutput, check_rows
from hf_arae.nn.batch_norm import reset_batch_norm
from hf_arae.nn.image.ladder import Combinator, LadderNetwork
from hf_arae.nn.image.layer_strings import read_layers, read_sizes, sizes_down
from hf_arae.nn.image.networks import (
    DISCRIMINATOR_STD,
    GENERATOR_STD,
    conv_decoder,
    conv_encoder,
    conv_generator,
    dense_decoder,
    dense_encoder,
    dense_generator,
    linear,
    squashed,
)


class EbganModel(ImageModel):
    """A generator G of images, and a discriminator D with an energy, low on images like those of the data.

    D is an autoencoder, D(x) = |Dec(Enc(x)) - x| (thesis, equation 3.15), or a ladder network, the same with a
    connection at every layer. Of the rivals, GAN, least squares and Wasserstein, it is a critic: the energy is then
    minus its rating.

    Args:
        config: networks and switches.
    """

    config: EbganConfig
    config_class = EbganConfig

    def __init__(self, config: EbganConfig):
        super().__init__(config)
        shape = config.image_shape
        if config.backbone == "ladder":  # first, so that its first weights are the same with a generator and without
            sizes = read_sizes(config.discriminator_layers)
            self.ladder = LadderNetwork(config.num_pixels, sizes, config.num_labels, config.ladder_noise)
        elif config.backbone == "conv":
            layers, normed = read_layers(config.discriminator_layers), config.discriminator_batch_norm
            autoencoder = config.discriminator == "autoencoder"
            # Without batch norm, or of a critic, so small weights would let the signal vanish.
            std = DISCRIMINATOR_STD if normed and autoencoder else GENERATOR_STD
            self.encoder = conv_encoder(shape, layers, normed, config.dropout, std)
            if autoencoder:
                self.decoder = conv_decoder(shape, layers, normed, squashed(config.value_range), std)
        else:
            sizes = read_sizes(config.discriminator_layers)
            self.encoder = dense_encoder(shape, sizes, config.discriminator_batch_norm, config.dropout)
            if config.discriminator == "autoencoder":
                self.decoder = dense_decoder(sizes[-1], shape, squashed(config.value_range))
        if config.discriminator == "critic":
            self.head = linear(self.code_size, 1)
        with torch.random.fork_rng(devices=[]):  # torch's own first weights, which are drawn again below
            self.generator = self._make_generator()
        self.draws_images, self.rebuilds_images = self.generator is not None, config.discriminator == "autoencoder"
        self.decodes_codes = self.rebuilds_images and config.backbone != "ladder"
        self.post_init()

    def _make_generator(self) -> nn.Module | None:
        config = self.config
        if config.generator_layers is None:
            return None
        normed, last = config.generator_batch_norm, squashed(config.value_range)
        if config.backbone == "conv":
            return conv_generator(config.latent_size, read_layers(config.generator_layers), normed, last)
        sizes = read_sizes(config.generator_layers)
        return dense_generator(config.latent_size, sizes, config.image_shape, normed, last)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Normal weights, of each layer's own deviation, and no bias at first; batch norm changes nothing."""
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            init.normal_(module.weight, 0.0, module.initial_std)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            reset_batch_norm(module)
        elif isinstance(module, Combinator):
            init.copy_(module.weights, module.initial(module.weights))
        elif isinstance(module, LadderNetwork):
            init.ones_(module.scale)
            for shift in module.shifts:
                init.zeros_(shift)

    @property
    def code_size(self) -> int:
        """Width of a code: what the encoder gives, or what a ladder's top layer reads."""
        config = self.config
        if config.backbone != "conv":
            return read_sizes(config.discriminator_layers)[-1]
        layers = read_layers(config.discriminator_layers)
        return layers[-1].maps * sizes_down(layers, config.image_size)[-1] ** 2

    # Verbs

    def encode(self, pixel_values: Tensor) -> Tensor:
        """Maps images to codes `(batch, code size)`; a ladder does it without noise."""
        pixel_values = self.check_pixels(pixel_values)
        return self.ladder.encode(pixel_values.flatten(1)).hidden if self._is_ladder else self.encoder(pixel_values)

    def decode(self, codes: Tensor) -> Tensor:
        """Maps codes `(batch, code size)` to images.

        Raises:
            ValueError: the discriminator is a critic, or a ladder, whose decoder sees each layer, not a code alone; or
                the codes have another shape.
        """
        if self._is_ladder:
            raise ValueError("a ladder's decoder sees each layer of its encoder, not a code alone: reconstruct()")
        self._check_autoencoder()
        return self.decoder(check_rows("codes", codes, self.code_size))

    def reconstruct(self, pixel_values: Tensor) -> Tensor:
        """What the discriminator makes of images.

        Raises:
            ValueError: it is a critic, which makes none.
        """
        return self.autoencode(self.check_pixels(pixel_values))[1]

    def energy(self, pixel_values: Tensor) -> Tensor:
        """The energy of each image, `(batch,)`: high on those unlike the data that it was trained on."""
        return self.rate(self.check_pixels(pixel_values))[1]

    def images_from_z(self, z: Tensor) -> Tensor:
        """Maps noise `(batch, latent_size)` to images.

        Raises:
            ValueError: there is no generator, or z has another shape.
        """
        if self.generator is None:
            raise ValueError(f"this {type(self).__name__} was made without a generator: it has no images of its own")
        return self.generator(check_rows("z", z, self.config.latent_size))

    # The same for training: nothing is looked at on the way

    def autoencode(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Codes `(batch, code size)` and reconstructions.

        Raises:
            ValueError: the discriminator is a critic.
        """
        if self._is_ladder:
            clean = self.ladder.encode(pixel_values.flatten(1))
            rebuilt = self.ladder.decode(clean.laterals, clean.logits)[0]
            return clean.hidden, rebuilt.view_as(pixel_values)
        self._check_autoencoder()
        codes = self.encoder(pixel_values)
        return codes, self.decoder(codes)

    def rate(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Codes `(batch, code size)` and energies `(batch,)`; a critic's are minus its ratings."""
        if self.config.discriminator == "critic":
            codes = self.encoder(pixel_values)
            return codes, -self.head(codes).squeeze(1)
        codes, rebuilt = self.autoencode(pixel_values)
        kind = "mean_squared" if self._is_ladder else self.config.energy
        return codes, reconstruction_energy(pixel_values, rebuilt, kind)

    # transformers' interface

    def forward(
        self, pixel_values: Tensor, return_dict: bool | None = None, **kwargs
    ) -> ImageModelOutput | tuple[Tensor, ...]:
        """Codes, reconstructions (none of a critic) and energies of images; the loss is the mean energy.

        Args:
            pixel_values: `(batch, num_channels, image_size, image_size)`, in the config's range.
            return_dict: a tuple instead of an [`ImageModelOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: the images are not of the model's shape or range.
        """
        self._refuse_unknown(kwargs)
        pixel_values, rebuilt = self.check_pixels(pixel_values), None
        if self.config.discriminator == "critic":
            codes, energies = self.rate(pixel_values)
        else:
            codes, rebuilt = self.autoencode(pixel_values)
            kind = "mean_squared" if self._is_ladder else self.config.energy
            energies = reconstruction_energy(pixel_values, rebuilt, kind)
        output = ImageModelOutput(codes.unsqueeze(1), energies.mean(), rebuilt, energies)
        return output.to_tuple() if return_dict is False else output

    @property
    def _is_ladder(self) -> bool:
        return self.config.backbone == "ladder"

    def _check_autoencoder(self) -> None:
        if self.config.discriminator == "critic":
            raise ValueError("this model's discriminator is a critic, which reconstructs nothing")


class EbganForImageClassification(EbganModel):
    """The ladder as a classifier of images (thesis, section 3.5.2).

    Args:
        config: with `backbone="ladder"`, and names of the labels.

    Raises:
        ValueError: of another backbone.
    """

    auto_classes = ("AutoModelForImageClassification",)

    def __init__(self, config: EbganConfig):
        if config.backbone != "ladder":
            raise ValueError(f"only a ladder has labels: backbone must be 'ladder', got {config.backbone!r}")
        super().__init__(config)

    def forward(
        self, pixel_values: Tensor, labels: Tensor | None = None, return_dict: bool | None = None, **kwargs
    ) -> ImageClassifierOutput | tuple[Tensor, ...]:
        """Logits of the labels, of a pass without noise.

        Args:
            pixel_values: `(batch, num_channels, image_size, image_size)`, in the config's range.
            labels: `(batch,)`, for the mean cross-entropy in nats as the loss; -100: the image has none.
            return_dict: a tuple instead of an `ImageClassifierOutput` if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Raises:
            TypeError: an argument is unknown.
            ValueError: the images are not of the model's shape or range, or a label is none of the model's.
        """
        self._refuse_unknown(kwargs)
        pixels = self.check_pixels(pixel_values).flatten(1)
        if self.training:  # by another loop than this package's, whose phases do it themselves
            self.ladder.track(pixels, 0.1)
        logits = self.ladder.encode(pixels).logits
        loss = None if labels is None else label_loss(logits, labels)
        output = ImageClassifierOutput(loss=loss, logits=logits)
        return output.to_tuple() if return_dict is False else output


__all__ = ["EbganForImageClassification", "EbganModel"]
