"""The model card of the infilling family."""

from hf_arae.models.text.cards import transfer_card

CITATION = ""  # nothing was published: the family is this library's own
CARD = transfer_card(
    "An editor of sentences (infilling autoencoder and rewriter)",
    ["infilling"],
    "It writes anew the words that tell the label and keeps the others.",
    CITATION,
    "It tells a label by words: what is meant and not said, irony say, it rewrites badly or not at all.",
    "by the settings of its config",
)

__all__ = ["CARD", "CITATION"]
