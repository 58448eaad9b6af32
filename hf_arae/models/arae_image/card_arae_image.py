"""The model card of the ARAE of images."""

from hf_arae.models.arae.card_arae import CITATION
from hf_arae.models.images.autoencoder_cards import image_autoencoder_card

CARD = image_autoencoder_card(
    "An adversarially regularized autoencoder (ARAE) of images: an encoder to one continuous code, a decoder, and\n"
    "a generator that maps noise z to codes.",
    ["arae"],
    CITATION,
)

__all__ = ["CARD"]
