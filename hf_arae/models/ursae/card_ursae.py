"""The model card of URSAE."""

from hf_arae.models.text.cards import summarizer_card

CARD = summarizer_card(
    """
Writes summaries of sentences by URSAE, a frozen language model that is steered by a reader, which reinforcement
learning trained to make the sentence reconstructible. No sentence was seen with its own summary in training.
""",
    ["ursae", "unsupervised"],
    "print(summarize(text))",
    "Unsupervised summarization of sentences",
    "Other words are lost.",
    """
@phdthesis{zhao2019unsupervised,
  title={Unsupervised Learning with Regularized Autoencoders},
  author={Zhao, Junbo},
  school={New York University},
  year={2019}
}
""",
)

__all__ = ["CARD"]
