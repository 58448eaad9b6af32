"""Autoencoders of images by fully connected layers: an encoder to one code, a decoder to a probability a pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

from hf_arae.models.images.autoencoder_config import ImageAutoencoderConfig
from hf_arae.models.images.image_config import VALUE_RANGES
from hf_arae.models.images.image_model import ImageModel, ImageModelOutput, check_rows
from hf_arae.nn.batch_norm import reset_batch_norm
from hf_arae.nn.mlp import Mlp


class ImageAutoencoder(ImageModel):
    """Base of the image autoencoders: p(x | c) = prod_j s(h_j)^x_j (1 - s(h_j))^(1 - x_j), h = MLP(c).

    The encoder reads pixels as -1 to 1 whatever the model's range is. A subclass says what the encoder's output means
    (`encode`), if that is not the code; its `__init__` ends with `post_init()`.

    Args:
        config: sizes and switches.
        encoder_outputs: width of what the encoder gives; the code's if `None`.
    """

    config: ImageAutoencoderConfig
    config_class = ImageAutoencoderConfig

    def __init__(self, config: ImageAutoencoderConfig, encoder_outputs: int | None = None):
        super().__init__(config)
        layers = {"activation": "relu", "batch_norm": config.layer_batch_norm}
        outputs = config.code_size if encoder_outputs is None else encoder_outputs
        gain = config.code_size**0.5 if config.amplify_code else 1.0
        self.encoder = Mlp(config.num_pixels, config.encoder_sizes, outputs, **layers)
        self.decoder = Mlp(config.code_size, config.decoder_sizes, config.num_pixels, input_scale=gain, **layers)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """torch's own first weights, drawn by transformers' functions, which leave loaded ones alone."""
        if isinstance(module, nn.Linear):
            init.kaiming_uniform_(module.weight, a=5**0.5)
            if module.bias is not None:
                init.uniform_(module.bias, -(module.in_features**-0.5), module.in_features**-0.5)
        elif isinstance(module, nn.BatchNorm1d):
            reset_batch_norm(module)

    # The parts, on tensors

    def encoder_state(self, pixel_values: Tensor) -> Tensor:
        """What the encoder gives of images, `(batch, encoder_outputs)`."""
        if not self.training:  # the loop's data are the processor's
            self.check_pixels(pixel_values)
        return self.encoder(2 * self._shares(pixel_values) - 1)

    def encode(self, pixel_values: Tensor) -> Tensor:
        """Maps images `(batch, num_channels, image_size, image_size)` to codes `(batch, code_size)`.

        Raises:
            ValueError: their shape or values are not the model's.
        """
        return self.encoder_state(pixel_values)

    def decoder_logits(self, codes: Tensor) -> Tensor:
        """h of each pixel, the log-odds of its being white, `(batch, num_pixels)`, of codes `(batch, code_size)`.

        Raises:
            ValueError: the codes have another shape.
        """
        return self.decoder(check_rows("codes", codes, self.config.code_size))

    def decode(self, codes: Tensor) -> Tensor:
        """Maps codes `(batch, code_size)` to images: each pixel's probability, in the config's value range."""
        return self._as_images(self.decoder_logits(codes).sigmoid())

    def negative_log_likelihood(self, codes: Tensor, pixel_values: Tensor) -> Tensor:
        """-log p(x | c) of each image, summed over pixels, in nats, `(batch,)`; with squared_error that error's sum.

        Args:
            codes: `(batch, code_size)`.
            pixel_values: the images, in the config's value range.

        Raises:
            ValueError: the codes have another shape, or shape or values of the images are not the model's.
        """
        if not self.training:
            self.check_pixels(pixel_values)
        logits = self.decoder_logits(codes)
        wanted = self._shares(pixel_values).to(logits.dtype)
        if self.config.pixel_loss == "squared_error":
            return (logits.sigmoid() - wanted).square().sum(1)
        return F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(1)

    def encoder_inputs(self, batch: dict[str, Tensor]) -> tuple[Tensor]:
        """What `encode` takes of a training's batch.

        Raises:
            ValueError: shape or values of the first batch's images are not the model's.
        """
        return (self.check_first_batch(batch["pixel_values"]),)

    def batch_loss(self, codes: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        """`negative_log_likelihood` of a training's batch, summed over its images, and their number."""
        return self.negative_log_likelihood(codes, batch["pixel_values"]).sum(), len(codes)

    def _shares(self, pixel_values: Tensor) -> Tensor:
        """Pixels in [0, 1], `(batch, num_pixels)`."""
        low, high = VALUE_RANGES[self.config.value_range]
        flat = pixel_values.flatten(1)
        return flat if (low, high) == (0, 1) else (flat - low) / (high - low)

    def _as_images(self, shares: Tensor) -> Tensor:
        """The way back from `_shares`."""
        low, high = VALUE_RANGES[self.config.value_range]
        size = self.config.image_size
        return (low + (high - low) * shares).view(-1, self.config.num_channels, size, size)

    # transformers' interface

    def forward(
        self, pixel_values: Tensor, return_dict: bool | None = None, **kwargs
    ) -> ImageModelOutput | tuple[Tensor, ...]:
        """Encodes and decodes.

        Args:
            pixel_values: `(batch, num_channels, image_size, image_size)`, in the config's value range.
            return_dict: a tuple instead of an [`ImageModelOutput`] if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Returns:
            Codes, `(batch, 1, code_size)`; the loss, -log p(x | enc(x)) in nats, mean over images; reconstructions.

        Raises:
            TypeError: an argument is unknown.
            ValueError: shape or values of the images are not the model's.
        """
        self._refuse_unknown(kwargs)
        codes = self.encode(self.check_pixels(pixel_values))
        loss = self.negative_log_likelihood(codes, pixel_values).mean()
        output = ImageModelOutput(codes.unsqueeze(1), loss, self.decode(codes))
        return output if return_dict is not False else output.to_tuple()


__all__ = ["ImageAutoencoder"]
