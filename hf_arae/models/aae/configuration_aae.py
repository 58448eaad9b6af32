"""Configuration of the adversarial autoencoder for text."""

from dataclasses import field

from huggingface_hub.dataclasses import strict

from hf_arae.models.recurrent.autoencoder_config import PriorAutoencoderConfig
from hf_arae.utils.validation import check_widths


@strict
class AaeConfig(PriorAutoencoderConfig):
    """Sizes and switches of an adversarial autoencoder for text (Makhzani et al. 2016).

    The default sizes are those of Shen et al. (2020). Beside the fields of [`PriorAutoencoderConfig`]:

    Args:
        discriminator_sizes: hidden widths of the discriminator of codes.
    """

    model_type = "aae"

    embedding_size: int = 512
    hidden_size: int = 1024
    code_size: int = 128
    discriminator_sizes: list[int] | tuple[int, ...] = field(default_factory=lambda: [512])

    def validate_discriminator_sizes(self):
        check_widths(self, "discriminator_sizes")


__all__ = ["AaeConfig"]
