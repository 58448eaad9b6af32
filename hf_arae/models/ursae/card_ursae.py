"""The model cards of URSAE."""

from hf_arae.models.recurrent.cards import summarizer_card

_CITATION = """
@phdthesis{zhao2019unsupervised,
  title={Unsupervised Learning with Regularized Autoencoders},
  author={Zhao, Junbo},
  school={New York University},
  year={2019}
}
"""
_WRITER = """URSAE (a frozen
language model, steered by a reader that reinforcement learning trained to make the sentence reconstructible)"""
_WRITE = 'print(summarize(text, strategy="write"))'
_ONLY_WRITES = summarizer_card(
    f"Makes summaries of sentences by {_WRITER}.\nNo sentence was seen with its own summary in training.",
    ["ursae", "unsupervised"],
    _WRITE,
    "Unsupervised summarization of sentences",
    "Other words are lost.",
    _CITATION,
).only_if(lambda config, architecture: not config.selector_size)
CARD = summarizer_card(
    f"""
Makes headlines of sentences such as the first ones of news articles. There are two ways to a summary.
`strategy="search"`, the default, chooses words of the sentence. Its networks learned from unpaired titles, each beside
a like article that is not its own, what a headline keeps, and {{{{ tuning_pairs }}}} of articles and their own
headlines chose nine numbers of the search (eight weights and a threshold): it is **not** unsupervised.
`strategy="write"` is the generator of {_WRITER}.
""",
    ["ursae"],
    f"print(summarize(text))\n{_WRITE}",
    "Headlines by a search that learned from unpaired titles",
    "Other words are kept by the search, judged by their place; the generator loses them.\n"
    "- A verb of the past may be written in the present, which headlines do and other texts do not:\n"
    "  `source_words_only=True` prevents it.",
    _CITATION,
).with_variants(_ONLY_WRITES)

__all__ = ["CARD"]
