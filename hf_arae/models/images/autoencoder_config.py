"""What the configs of image autoencoders share: the layers of encoder and decoder, and the loss of a pixel."""

from __future__ import annotations

from dataclasses import field

from huggingface_hub.dataclasses import strict

from hf_arae.models.images.image_config import ImageConfig
from hf_arae.utils.validation import WIDTHS, check_choice, check_range, check_widths

PIXEL_LOSSES = ("bernoulli", "squared_error")


@strict
class ImageAutoencoderConfig(ImageConfig):
    """Sizes and switches of an autoencoder of images by fully connected layers.

    The default sizes are those of the published ARAE for binarised digits of 28 x 28 pixels. Beside the fields of
    [`ImageConfig`]:

    Args:
        encoder_sizes: hidden widths of the encoder, with ReLU.
        decoder_sizes: hidden widths of the decoder, with ReLU.
        code_size: width of the code.
        layer_batch_norm: normalise after each hidden layer of encoder and decoder.
        amplify_code: the decoder reads the code times `sqrt(code_size)`, which puts the coordinates of a code of norm
            1 at the size of 1. It helps where the noise on codes is small.
        pixel_loss: bernoulli, the cross-entropy of each pixel with the probability that the decoder gives it, for
            black and white or, as it is, for grey values; or squared_error, on values in [0, 1].
    """

    encoder_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [800, 400])
    decoder_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [400, 800, 1000])
    code_size: int = 100
    layer_batch_norm: bool = True
    amplify_code: bool = True
    pixel_loss: str = "bernoulli"

    def validate_layers(self):
        check_range(self, WIDTHS, "code_size")
        check_widths(self, "encoder_sizes", "decoder_sizes")

    def validate_pixel_loss(self):
        check_choice(self, "pixel_loss", PIXEL_LOSSES)


__all__ = ["PIXEL_LOSSES", "ImageAutoencoderConfig"]
