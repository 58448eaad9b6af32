"""Configuration of the adversarial autoencoder of images."""

from dataclasses import field

from huggingface_hub.dataclasses import strict

from hf_arae.models.images.prior_autoencoder import PriorImageAutoencoderConfig
from hf_arae.utils.validation import check_widths


@strict
class AaeImageConfig(PriorImageAutoencoderConfig):
    """Sizes and switches of an adversarial autoencoder of images (Makhzani et al. 2016).

    The default sizes are those of the ARAE that it is compared with. Beside the fields of
    [`PriorImageAutoencoderConfig`]:

    Args:
        discriminator_sizes: hidden widths of the discriminator of codes.
    """

    model_type = "aae_image"

    discriminator_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [100, 60, 20])

    def validate_discriminator_sizes(self):
        check_widths(self, "discriminator_sizes")


__all__ = ["AaeImageConfig"]
