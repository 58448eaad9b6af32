"""What a model card says beside the numbers: a family's texts, and the whole as a template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from transformers import PreTrainedConfig

from hf_arae.metrics.numbers import label_of

# How a model loads where hf_arae is not installed. A revision is named, as transformers otherwise prints a list of all
# code files at each new one.
LOADED = '{}.from_pretrained("{{{{ repository }}}}", revision="main", trust_remote_code=True)'
Suits = Callable[[PreTrainedConfig, str], bool]


@dataclass(frozen=True)
class CardText:
    """A family's part of a card, the constant `CARD` of its file `card_<name>.py`.

    Texts are Jinja templates; see `hf_arae.hub.cards.make_card` for what they are given, the model's `config` and its
    run's `report` among it.

    Args:
        task_type, task_name: for the metadata.
        tags: likewise.
        introduction: the first paragraph and a snippet, in which `example` and `example_2` are Python literals.
        limits: Markdown list.
        citation: BibTeX; empty where nothing was published.
        examples: the snippet's inputs for a model of a built-in corpus.
        placeholders: the snippet's inputs for any other model, whose data are its owner's and not shown.
        samples_title: heading and line above the samples of an evaluation.
        samples: makes rows for their table from the outputs and the labels; `None`: such cards have no such samples.
        without_package: how it loads where hf_arae is not installed, see `LOADED`.
        columns: of the table; `None`: all that the evaluation wrote.
        names: what it calls numbers that no metric and no evaluator has a name for.
        suits: whether it is of a model, told from its config and the name of its class.
        variants: texts for models of the family that are used in another way; the first that suits is taken.
    """

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
    suits: Suits = lambda config, architecture: True
    variants: tuple[CardText, ...] = ()

    def with_variants(self, *variants: CardText) -> CardText:
        """The same, with other texts for some models of the family."""
        return replace(self, variants=variants)

    def only_if(self, suits: Suits) -> CardText:
        """The same, for fewer models."""
        return replace(self, suits=suits)

    def of(self, config: PreTrainedConfig, architecture: str) -> CardText:
        """The text for a model: the first variant that suits it, or this one."""
        return next((variant for variant in self.variants if variant.suits(config, architecture)), self)

    def name_of(self, number: str) -> str:
        """What a number of a report or a table is called in the card."""
        return self.names.get(number) or label_of(number)


def template(text: CardText) -> str:
    """The whole card, for `huggingface_hub.ModelCard.from_template`."""
    citation = f"## Citation\n\n```bibtex\n{text.citation.strip()}\n```\n" if text.citation else ""
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
{{% endif %}}{{% for name in pictures if name.startswith("pictures/") %}}
![{{{{ name[9:-4].replace("-", " ").capitalize() }}}}, as the last evaluation drew them]({{{{ name }}}})
{{% endfor %}}{{% if "samples.md" in pictures %}}
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

{citation}{{% if settings %}}
## Settings

{{{{ settings }}}}
{{% endif %}}"""
