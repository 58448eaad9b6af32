"""The model card of the headline selector."""

from hf_arae.models.text.cards import summarizer_card

CARD = summarizer_card(
    """
Makes headlines of sentences such as the first ones of news articles: it chooses words of the sentence and keeps their
order. Its networks learned from unpaired titles, each beside a like article that is not its own, what a headline
keeps, and {{ tuning_pairs }} of articles and their own headlines chose nine numbers (eight weights and a threshold):
it is **not** unsupervised.
""",
    ["headline-selector"],
    "print(summarize(text))\nprint(summarize(text, target_length=8))",
    "Headlines by a choice of words that learned from unpaired titles",
    "Other words are kept, judged by their place.\n"
    "- A verb of the past may be written in the present, which headlines do and other texts do not:\n"
    "  `source_words_only=True` prevents it.",
    "",
)

__all__ = ["CARD"]
