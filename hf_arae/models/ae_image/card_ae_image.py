"""The model card of the plain autoencoder of images."""

from hf_arae.models.images.autoencoder_cards import image_autoencoder_card

_CITATION = """
@article{hinton2006reducing,
  title={Reducing the Dimensionality of Data with Neural Networks},
  author={Hinton, Geoffrey E. and Salakhutdinov, Ruslan R.},
  journal={Science},
  year={2006}
}
"""
CARD = image_autoencoder_card(
    "An autoencoder of images: an encoder to one continuous code, and a decoder. Nothing says where its codes lie,\n"
    "so it draws no new images.",
    ["ae"],
    _CITATION,
    draws=False,
)

__all__ = ["CARD"]
