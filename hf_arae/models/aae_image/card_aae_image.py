"""The model card of the AAE of images."""

from hf_arae.models.aae.card_aae import CITATION
from hf_arae.models.images.autoencoder_cards import image_autoencoder_card

CARD = image_autoencoder_card(
    "An adversarial autoencoder (AAE) of images: an encoder whose codes a discriminator holds to a fixed prior,\n"
    "and a decoder.",
    ["aae"],
    CITATION,
)

__all__ = ["CARD"]
