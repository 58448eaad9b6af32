"""The model card of the VAE of images."""

from hf_arae.models.images.autoencoder_cards import image_autoencoder_card

_CITATION = """
@inproceedings{kingma2014auto,
  title={Auto-Encoding Variational Bayes},
  author={Kingma, Diederik P. and Welling, Max},
  booktitle={International Conference on Learning Representations},
  year={2014}
}
"""
CARD = image_autoencoder_card(
    "A variational autoencoder (VAE) of images: an encoder to a distribution of codes, and a decoder.",
    ["vae"],
    _CITATION,
)

__all__ = ["CARD"]
