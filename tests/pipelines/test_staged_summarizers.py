"""The staged summarizers give, word for word, what their cards measured."""

from pathlib import Path

import pytest
from transformers import pipeline

CARDS = Path(__file__).parents[2] / "model_cards"
TEXTS = [
    "Japan's central bank said on Monday it would keep interest rates unchanged after a two-day meeting "
    "in Tokyo, surprising markets.",
    "Heavy rain and strong winds forced the closure of 12 schools in the north of the country on "
    "Tuesday, officials said.",
    "The European Union will discuss the plan, the United Nations said.",
    "Zürich's café reopened on Monday. It was closed.",
]
WANTED = {
    "ursae-news": [
        "japan's central bank said on monday would keep",
        "heavy rain strong winds forced closure schools north country",
        "european union will discuss plan united nations said.",
        "zürich's café reopened on monday.",
    ],
    "headline-selector-news": [
        "japan's central bank on keep interest rates unchanged after in tokyo",
        "heavy rain and strong winds forced closure of schools in north",
        "the eu to discuss plan un say",
        "zürich's café reopened on monday",
    ],
}


@pytest.mark.parametrize("name", WANTED)
def test_summaries_are_those_that_were_measured(name):
    results = pipeline("text-summarization", model=str(CARDS / name))(TEXTS)
    assert [result["summary_text"] for result in results] == WANTED[name]
