"""The model card of the AAE."""

from hf_arae.models.text.cards import autoencoder_card

CITATION = """
@article{makhzani2015adversarial,
  title={Adversarial Autoencoders},
  author={Makhzani, Alireza and Shlens, Jonathon and Jaitly, Navdeep and Goodfellow, Ian and Frey, Brendan},
  journal={arXiv preprint arXiv:1511.05644},
  year={2015}
}
"""
CARD = autoencoder_card(
    "An adversarial autoencoder (AAE): a sentence encoder whose codes a discriminator holds to a fixed prior,\n"
    "and a decoder.",
    ["aae"],
    "codes",
    CITATION,
)

__all__ = ["CARD", "CITATION"]
