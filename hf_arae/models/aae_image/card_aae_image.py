"""The model card of the AAE of images."""

from hf_arae.models.images.autoencoder_cards import image_autoencoder_card

_CITATION = """
@article{makhzani2015adversarial,
  title={Adversarial Autoencoders},
  author={Makhzani, Alireza and Shlens, Jonathon and Jaitly, Navdeep and Goodfellow, Ian and Frey, Brendan},
  journal={arXiv preprint arXiv:1511.05644},
  year={2015}
}
"""
CARD = image_autoencoder_card(
    "An adversarial autoencoder (AAE) of images: an encoder whose codes a discriminator holds to a fixed prior,\n"
    "and a decoder.",
    ["aae"],
    _CITATION,
)

__all__ = ["CARD"]
