"""The model card of the VAE."""

from hf_arae.models.text.cards import autoencoder_card

_CITATION = """
@inproceedings{bowman2016generating,
  title={Generating Sentences from a Continuous Space},
  author={Bowman, Samuel R. and Vilnis, Luke and Vinyals, Oriol and Dai, Andrew and others},
  booktitle={Conference on Computational Natural Language Learning},
  year={2016}
}
"""
CARD = autoencoder_card(
    "A variational autoencoder (VAE): a sentence encoder to a distribution of codes, and a decoder.",
    ["vae"],
    "codes",
    _CITATION,
)

__all__ = ["CARD"]
