"""The model cards of the plain autoencoder: a latent space, and sentences written with another label."""

from hf_arae.models.text.cards import autoencoder_card, transfer_card

_CITATION = """
@inproceedings{dai2015semi,
  title={Semi-supervised Sequence Learning},
  author={Dai, Andrew M. and Le, Quoc V.},
  booktitle={Advances in Neural Information Processing Systems},
  year={2015}
}
"""
CARD = autoencoder_card(
    "A sentence autoencoder: an encoder to one continuous code, and a decoder. Nothing says where its codes lie,\n"
    "so it draws no new sentences.",
    ["ae"],
    "codes",
    _CITATION,
    draws=False,
).with_variants(
    transfer_card(
        "A sentence autoencoder with a decoder for each label",
        ["ae"],
        "Nothing in its\ntraining took the label out of the code.",
        _CITATION,
    ),
)

__all__ = ["CARD"]
