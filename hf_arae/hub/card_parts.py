"""What a model card is made of: a family's texts, the names of the numbers, and the whole as a template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

# What the metadata calls the numbers of a run's report or of an evaluation's table; others are left out of it.
METRIC_NAMES = {
    "transfer_accuracy": "Transfer accuracy (%)",
    "second_transfer_accuracy": "Transfer accuracy by a second judge (%)",
    "judges_agree": "Outputs to which both judges give the same label (%)",
    "self_bleu": "Self-BLEU among new sentences",  # of a transfer: to the source, see CardText.names
    "reference_bleu": "BLEU to the human references",
    "perplexity": "Perplexity",
    "reverse_perplexity": "Reverse perplexity",
    "reconstruction_bleu": "BLEU of greedy reconstructions",
    "reconstruction_nll": "-log p of a sentence given its code (nats)",
    "exact_match": "Sentences reconstructed to the word (%)",
    "probe_accuracy": "Attribute that a fresh probe reads from the codes (%)",
    "nll_0_swaps": "-log p of a sentence given its code (nats)",
    "nll_1_swaps": "The same, two words swapped before it is encoded",
    "nll": "-log p of a sentence (nats)",
    "kl": "KL of the posterior (nats)",
    "mi": "Mutual information of sentence and code (nats)",
    "sample_self_bleu": "Self-BLEU among new sentences",
    "sample_distinct_2": "Distinct bigrams of new sentences (%)",
    "rouge1": "ROUGE-1 F1",
    "rouge2": "ROUGE-2 F1",
    "rougeL": "ROUGE-L F1",
    "mean_length": "Mean length (words)",
    "accuracy": "Accuracy (%)",
}


# What the table of a run's card calls the others.
OTHER_NAMES = {
    "word_overlap": "Words shared with the source (%)",
    "distinct_sentences": "Outputs that differ from one another (%)",
    "transfer_score": "Geometric mean of transfer accuracy and BLEU to the source",
    "bleu_at_floor": "BLEU to the source where accuracy_floor is reached, else the distance to it (negative)",
    "majority_share": "Share of the most frequent attribute (%): what the probe has for nothing",
    "sample_distinct": "New sentences that differ from one another (%)",
    "sample_distinct_1": "Distinct words of new sentences (%)",
    "sample_distinct_sentences": "New sentences that differ from one another (%)",
    "sample_length": "Mean length of new sentences (words)",
    "copy_rate": "Words of the summaries that the document has (%)",
    "code_norm": "Mean norm of codes of sentences",
    "code_variance": "Sum of the variances of coordinates, codes of sentences",
    "drawn_norm": "Mean norm of drawn codes",
    "drawn_variance": "Sum of the variances of coordinates, drawn codes",
    "neighbour_cosine": "Cosine of the codes of sentences a few edits apart",
    "random_cosine": "Cosine of the codes of random pairs of sentences",
    "validation_accuracy": "Accuracy on the validation split (%)",
}


@dataclass(frozen=True)
class CardText:
    """A family's part of a card. Texts are Jinja templates; see `hf_arae.hub.cards.make_card` for what they are given.

    Args:
        auto_class: what loads the family.
        task_type, task_name: for the metadata.
        tags: likewise.
        introduction: the first paragraph and a snippet, in which `example` and `example_2` are Python literals.
        limits: Markdown list.
        citation: BibTeX.
        examples: the snippet's sentences for a model of a built-in corpus.
        placeholders: the snippet's sentences for any other model, whose texts are its owner's and not shown.
        samples_title: heading and line above the samples of an evaluation.
        samples: makes rows for their table from the outputs and the labels; `None`: such cards have no such samples.
        without_package: how it loads where hf_arae is not installed. A revision is named, as transformers otherwise
            prints a list of all code files at each new one.
        columns: of the table; `None`: all that the evaluation wrote.
        names: what it calls numbers otherwise than `METRIC_NAMES`.
    """

    auto_class: type
    task_type: str
    task_name: str
    tags: list[str]
    introduction: str
    limits: str
    citation: str
    examples: tuple[str, str] = ("", "")
    placeholders: tuple[str, str] = ("a sentence like those that it was trained on", "another one of that kind")
    samples_title: str = ""
    samples: Callable[[Sequence[dict], Sequence[str]], list[dict[str, str]]] | None = None
    without_package: str = 'pipeline(model="{{ repository }}", revision="main", trust_remote_code=True)'
    columns: tuple[str, ...] | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def name_of(self, number: str) -> str:
        """What a number of a report or a table is called in the card."""
        return ({**OTHER_NAMES, **METRIC_NAMES, **self.names}).get(number, number)


def template(text: CardText) -> str:
    """The whole card, for `huggingface_hub.ModelCard.from_template`."""
    return f"""---
{{{{ card_data }}}}
---

# {{{{ title }}}}

{text.introduction.strip()}

Without the package: `{text.without_package}`.

## Training

{{{{ training }}}}
{{% for run in runs %}}
{{{{ run.command }}}}

{{{{ run.took }}}}
{{% endfor %}}
The model has {{{{ parameters }}}} parameters{{{{ precision }}}}.
{{% if "curves.png" in pictures %}}
![Training curves](curves.png)
{{% endif %}}{{% if "samples.md" in pictures %}}
How its outputs changed while it was trained: [samples.md](samples.md).
{{% endif %}}
## Results

{{{{ protocol }}}}

{{{{ table }}}}

{{% if reading %}}{{{{ reading }}}}

{{% endif %}}{{{{ samples }}}}

## Limits

{{% if domain %}}- {{{{ domain }}}}
{{% endif %}}{text.limits.strip()}

## Citation

```bibtex
{text.citation.strip()}
```
{{% if settings %}}
## Settings

{{{{ settings }}}}
{{% endif %}}"""
