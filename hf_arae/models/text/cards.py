"""What cards say of text families by the tasks of their models: a latent space, style transfer, summaries."""

from __future__ import annotations

from collections.abc import Sequence

from hf_arae.hub.card_text import LOADED, CardText
from hf_arae.utils.escapes import plain

SAMPLES = 10
REVIEWS = ("the food was awful .", "the staff was friendly .")  # of the built-in corpora, which are made up
SCENES = ("a man is sleeping on a bench .", "a man is sleeping .")
_CHANGE = (
    '{% if labels in ("negative / positive", "positive / negative") %}A changed sentiment is a changed meaning'
    "{% else %}A sentence with another label means something else{% endif %}"
)
_ONE_VECTOR = (
    "A code is one vector: names, numbers and rare words of a long sentence are often replaced by likelier ones."
)
WORDS = '{{ "{:,}".format(config.vocab_size) }} words'


def _transfers(outputs: Sequence[dict[str, str]], labels: Sequence[str]) -> list[dict[str, str]]:
    rows = [row for label in labels for row in [row for row in outputs if row["label"] == label][:SAMPLES]]
    return [{"source": plain(f"({row['label']}) {row['source']}"), "output": plain(row["output"])} for row in rows]


def _summaries(outputs: Sequence[dict[str, str]], labels: Sequence[str]) -> list[dict[str, str]]:
    return [{name: plain(row[name]) for name in ("document", "summary")} for row in outputs[:SAMPLES]]


def _ways(outputs: Sequence[dict[str, list[str]]], labels: Sequence[str]) -> list[dict[str, str]]:
    return [{"from the first to the second": "<br>".join(map(plain, row["way"]))} for row in outputs[:SAMPLES]]


def autoencoder_card(kind: str, tags: list[str], points: str, citation: str, draws: bool = True) -> CardText:
    """Returns the card of an autoencoder without attributes.

    Args:
        kind: the sentence or two that say what it is.
        tags: of its family.
        points: what the ends of an interpolation are: "codes", or "z".
        citation: BibTeX.
        draws: it writes new sentences too.
    """
    new, sample, tag = ("writes new sentences, ", "print(latent.sample(5, seed=0))\n", ["sentence-generation"])
    if not draws:
        new, sample, tag = "", "", []
    return CardText(
        task_type="feature-extraction",
        task_name="Latent space of sentences",
        tags=[*tags, "autoencoder", *tag, "interpolation"],
        introduction=f"""
{kind} It {new}morphs one sentence into another, edits by vector arithmetic, and gives sentence vectors.

```python
from hf_arae import LatentSpace
from transformers import AutoModel, AutoTokenizer, pipeline

name = "{{{{ repository }}}}"
latent = LatentSpace(AutoModel.from_pretrained(name), AutoTokenizer.from_pretrained(name))
{sample}print(latent.interpolate({{{{ example }}}}, {{{{ example_2 }}}}, steps=5))
codes = pipeline("feature-extraction", model=name)({{{{ example }}}})
```
""",
        examples=REVIEWS,
        samples_title=f"""
## Unpicked interpolations

The first {SAMPLES} pairs of draws; each sentence is greedy, from a point on the straight line between two {points}.
""",
        samples=_ways,
        limits=f"""
- It knows {WORDS} and sentences of up to {{{{ config.max_sequence_length }}}} words of the kind it was
  trained on; other words are unknown to it and are lost.
- A code is one vector: details of a long sentence are replaced by likelier ones.
- It repeats what its training texts say, prejudice included.
""",
        citation=citation,
        without_package=LOADED.format("AutoModel"),
        columns=(
            "system",
            *(f"nll_{swaps}_swaps" for swaps in range(5)),
            "code_norm",
            "drawn_norm",
            "neighbour_cosine",
            "nll",
            "kl",
            "mi",
            "reverse_perplexity",
            "self_bleu",
            "distinct_2",
        ),
    )


def transfer_card(
    kind: str, tags: list[str], hidden: str, citation: str, loses: str = _ONE_VECTOR, how: str = "greedy"
) -> CardText:
    """Returns the card of an autoencoder with a decoder for each attribute value.

    Args:
        kind: what it is, as the beginning of a sentence.
        tags: of its family.
        hidden: a sentence on how its code loses the attribute; it may be empty.
        citation: BibTeX.
        loses: an item on what becomes of the rest of a sentence.
        how: its outputs were written.
    """
    return CardText(
        task_type="text-generation",
        task_name="Unaligned style transfer",
        tags=[*tags, "style-transfer", "autoencoder"],
        introduction=f"""
{kind} that rewrites a sentence with another attribute value:
{{{{ labels }}}}. It was trained without paired sentences. {hidden}

```python
import hf_arae
from transformers import pipeline

transfer = pipeline("text-style-transfer", model="{{{{ repository }}}}")
print(transfer({{{{ example }}}}, target={{{{ example_target }}}}))
```
""",
        examples=REVIEWS,
        samples_title=f"""
## Unpicked transfers

The first {SAMPLES} test sentences of each label, {how}.
""",
        samples=_transfers,
        limits=f"""
- It knows {WORDS} and sentences of up to {{{{ config.max_sequence_length }}}} words of the kind it was
  trained on; other words are unknown to it and are lost.
- {_CHANGE}: do not present its output as what a person said.
- {loses}
- It repeats what its training texts say, prejudice included.
""",
        citation=citation,
        suits=lambda config, architecture: config.num_attributes > 1,
    )


def summarizer_card(kind: str, tags: list[str], usage: str, task_name: str, limits: str, citation: str) -> CardText:
    """Returns the card of a summarizer of sentences.

    Args:
        kind: the sentences that say what it is.
        tags: of its family.
        usage: the lines of the snippet that summarize `text`.
        task_name: for the metadata.
        limits: a sentence on words that it does not know, and further items of the list.
        citation: BibTeX; empty where nothing was published.
    """
    return CardText(
        task_type="summarization",
        task_name=task_name,
        tags=[*tags, "summarization", "headlines"],
        introduction=f"""
{kind.strip()}

```python
import hf_arae
from transformers import pipeline

summarize = pipeline("text-summarization", model="{{{{ repository }}}}")
text = {{{{ example }}}}
{usage}
```
""",
        examples=(
            "Japan's central bank said on Monday it would keep interest rates unchanged after a two-day meeting "
            "in Tokyo, surprising markets.",
            "",
        ),
        placeholders=("the first sentence of an article like those that it was trained on", ""),
        samples_title=f"""
## Unpicked summaries

The first {SAMPLES} test documents, as in the first of the model's rows above.
""",
        samples=_summaries,
        limits=f"""
- Words are dropped, "not" among them, and what is left can say something else than the sentence: a summary is a hint
  at what to read, not a statement of fact. Do not publish it unread.
- A text is cut to its first sentence, of at most {{{{ config.max_source_length }}}} words.
- It reads lower case, with `#` for each digit, and knows {WORDS} of its training texts.
  {limits.strip()}
- It repeats what its training texts say, prejudice included.
""",
        citation=citation,
    )
