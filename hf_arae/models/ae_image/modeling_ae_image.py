"""Plain autoencoder of images: one continuous code, and a probability of each pixel."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from hf_arae.models.ae_image.configuration_ae_image import AeImageConfig
from hf_arae.models.images.autoencoder import ImageAutoencoder


class AeImageModel(ImageAutoencoder):
    """An image x is encoded to c = enc(x), and p(x | c) draws it back (thesis, section 4.2).

    Nothing says where codes lie, so it has none to draw for new images. They have norm 1 if `normalize_code`.

    Args:
        config: sizes and switches.
    """

    config: AeImageConfig
    config_class = AeImageConfig
    draws_images = False

    def __init__(self, config: AeImageConfig):
        super().__init__(config)
        self.post_init()

    def encode(self, pixel_values: Tensor) -> Tensor:
        """Codes as the base's, of norm 1 if `normalize_code`."""
        codes = self.encoder_state(pixel_values)
        return F.normalize(codes, dim=1) if self.config.normalize_code else codes


__all__ = ["AeImageModel"]
