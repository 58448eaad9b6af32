"""The model card of the ARAE of images."""

from hf_arae.models.images.autoencoder_cards import image_autoencoder_card

_CITATION = """
@inproceedings{zhao2018adversarially,
  title={Adversarially Regularized Autoencoders},
  author={Zhao, Junbo and Kim, Yoon and Zhang, Kelly and Rush, Alexander M. and LeCun, Yann},
  booktitle={International Conference on Machine Learning},
  year={2018}
}
"""
CARD = image_autoencoder_card(
    "An adversarially regularized autoencoder (ARAE) of images: an encoder to one continuous code, a decoder, and\n"
    "a generator that maps noise z to codes.",
    ["arae"],
    _CITATION,
)

__all__ = ["CARD"]
