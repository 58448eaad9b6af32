"""The model cards of models of tasks with GLoMo's graphs inside."""

from __future__ import annotations

from hf_arae.hub.card_text import LOADED, CardText
from hf_arae.models.text.cards import WORDS

_GRAPHS = """
{%- if config.graph == "learned" %} Graphs over the words, learned from text without labels, are mixed into its
features.{% elif config.graph != "none" %} Graphs that nobody learned ({{ config.graph }}) are mixed into its features,
as a control.{% endif %}
"""
_PIPELINE = """
```python
import hf_arae
from transformers import pipeline

print(pipeline("TASK", model="{{ repository }}")({{ example }}))
```
"""
_SPANS = """
```python
import hf_arae
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

auto_classes = (AutoModelForQuestionAnswering, AutoTokenizer)
model, tokenizer = (auto_class.from_pretrained("{{ repository }}") for auto_class in auto_classes)
inputs = tokenizer({{ example }}, {{ example_2 }}, return_tensors="pt")
first, last = model.answer_spans(**inputs)
print(tokenizer.decode(inputs["input_ids"][0, first : last + 1]))
```
"""
_LIMITS = f"""
- It knows {WORDS} and texts of up to {{{{ config.context_length }}}} words; other words are unknown to it.
- It is small, and made to compare graphs with: a larger model may well do better.
- It repeats what its training texts say, prejudice included.
"""
_TASKS = (
    ("text-classification", "Text classification", "SequenceClassification", "Labels a text: {{ labels }}."),
    (
        "token-classification",
        "Token classification",
        "TokenClassification",
        "Labels the words of a text: {{ labels }}.",
    ),
    ("question-answering", "Question answering", "QuestionAnswering", "Finds the answer to a question in a passage."),
)


def task_cards(citation: str) -> tuple[CardText, ...]:
    """A card for each class of models.

    Args:
        citation: of the family.
    """
    return tuple(map(_card, *zip(*_TASKS, strict=True), [citation] * len(_TASKS)))


def _card(task_type: str, task_name: str, ending: str, does: str, citation: str) -> CardText:
    answers = task_type == "question-answering"
    shown = _SPANS if answers else _PIPELINE.replace("TASK", task_type)
    questions = ("what was the food like ?", "the food was awful , and the staff was friendly .")
    return CardText(
        task_type=task_type,
        task_name=task_name,
        tags=["glomo", "latent-graphs"],
        introduction=f"\n{does}{_GRAPHS}{shown}",
        examples=questions if answers else ("the food was awful .", "the staff was friendly ."),
        limits=_LIMITS,
        citation=citation,
        suits=lambda config, architecture: architecture == f"GlomoFor{ending}",
        without_package=LOADED.format(f"AutoModelFor{ending}"),
    )


__all__ = ["task_cards"]
