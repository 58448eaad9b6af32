"""What model cards say of a family; the numbers come from runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
)

SAMPLES = 10

# What the metadata calls the numbers of a run's report or of an evaluation's table; others are left out of it.
METRIC_NAMES = {
    "transfer_accuracy": "Transfer accuracy (%)",
    "self_bleu": "Self-BLEU",  # to the source, or among new sentences
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


@dataclass(frozen=True)
class CardText:
    """A family's part of a card. Texts are Jinja templates; see `hf_arae.hub.cards.make_card` for what they are given.

    Args:
        auto_class: what loads the family.
        task_type, task_name: for the metadata.
        tags: likewise.
        introduction: the first paragraph and a snippet.
        example: the snippet's sentence.
        limits: Markdown list.
        citation: BibTeX.
        samples_title: heading and line above the samples of an evaluation.
        samples: makes rows for their table from the outputs and the labels; `None`: such cards have no such samples.
        without_package: how it loads where hf_arae is not installed.
        columns: of the table; `None`: all that the evaluation wrote.
    """

    auto_class: type
    task_type: str
    task_name: str
    tags: list[str]
    introduction: str
    example: str
    limits: str
    citation: str
    samples_title: str = ""
    samples: Callable[[Sequence[dict[str, str]], Sequence[str]], list[dict[str, str]]] | None = None
    without_package: str = 'pipeline(model="{{ repository }}", trust_remote_code=True)'
    columns: tuple[str, ...] | None = None


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
```
{{{{ run.command }}}}
```

{{{{ run.updates }}}} updates in {{{{ run.minutes }}}} minutes on {{{{ run.hardware }}}}; seed {{{{ run.seed }}}}.
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

{{{{ samples }}}}

## Limits

{text.limits.strip()}

## Citation

```bibtex
{text.citation.strip()}
```
{{% if settings %}}
## Settings

{{{{ settings }}}}
{{% endif %}}"""


def _transfers(outputs: Sequence[dict[str, str]], labels: Sequence[str]) -> list[dict[str, str]]:
    rows = [row for label in labels for row in [row for row in outputs if row["label"] == label][:SAMPLES]]
    return [{"source": f"({row['label']}) {row['source']}", "output": row["output"]} for row in rows]


def _summaries(outputs: Sequence[dict[str, str]], labels: Sequence[str]) -> list[dict[str, str]]:
    return [{"document": row["document"], "summary": row["summary"]} for row in outputs[:SAMPLES]]


def _ways(outputs: Sequence[dict[str, list[str]]], labels: Sequence[str]) -> list[dict[str, str]]:
    return [{"from the first to the second": "<br>".join(row["way"])} for row in outputs[:SAMPLES]]


_ARAE_CITATION = """
@inproceedings{zhao2018adversarially,
  title={Adversarially Regularized Autoencoders},
  author={Zhao, Junbo and Kim, Yoon and Zhang, Kelly and Rush, Alexander M. and LeCun, Yann},
  booktitle={International Conference on Machine Learning},
  year={2018}
}
"""


def _autoencoder(kind: str, tags: list[str], points: str, citation: str) -> CardText:
    """Of an autoencoder without attributes."""
    return CardText(
        auto_class=AutoModel,
        task_type="feature-extraction",
        task_name="Latent space of sentences",
        tags=[*tags, "autoencoder", "sentence-generation", "interpolation"],
        introduction=f"""
{kind} It writes new sentences, morphs one into another, edits by vector arithmetic, and gives sentence vectors.

```python
from hf_arae import LatentSpace
from transformers import AutoModel, AutoTokenizer, pipeline

name = "{{{{ repository }}}}"
latent = LatentSpace(AutoModel.from_pretrained(name), AutoTokenizer.from_pretrained(name))
print(latent.sample(5, seed=0))
print(latent.interpolate("{{{{ example }}}}", "two dogs run on the beach .", steps=5))
codes = pipeline("feature-extraction", model=name)("{{{{ example }}}}")
```
""",
        example="a man is sleeping on a bench .",
        samples_title=f"""
## Unpicked interpolations

The first {SAMPLES} pairs of draws; each sentence is greedy, from a point on the straight line between two {points}.
""",
        samples=_ways,
        limits="""
- It knows {{ vocabulary }} words and sentences of up to {{ config.max_sequence_length }} words of the kind it was
  trained on; other words are unknown to it and are lost.
- A code is one vector: details of a long sentence are replaced by likelier ones.
- It repeats what its training texts say, prejudice included.
""",
        citation=citation,
        without_package='AutoModel.from_pretrained("{{ repository }}", trust_remote_code=True)',
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


CARD_TEXTS = {
    "arae": _autoencoder(
        "An adversarially regularized autoencoder (ARAE): a sentence encoder to one continuous code, a decoder, and\n"
        "a generator that maps noise z to codes.",
        ["arae"],
        "z",
        _ARAE_CITATION,
    ),
    "vae": _autoencoder(
        "A variational autoencoder (VAE): a sentence encoder to a distribution of codes, and a decoder.",
        ["vae"],
        "codes",
        """
@inproceedings{bowman2016generating,
  title={Generating Sentences from a Continuous Space},
  author={Bowman, Samuel R. and Vilnis, Luke and Vinyals, Oriol and Dai, Andrew and others},
  booktitle={Conference on Computational Natural Language Learning},
  year={2016}
}
""",
    ),
    "aae": _autoencoder(
        "An adversarial autoencoder (AAE): a sentence encoder whose codes a discriminator holds to a fixed prior,\n"
        "and a decoder.",
        ["aae"],
        "codes",
        """
@article{makhzani2015adversarial,
  title={Adversarial Autoencoders},
  author={Makhzani, Alireza and Shlens, Jonathon and Jaitly, Navdeep and Goodfellow, Ian and Frey, Brendan},
  journal={arXiv preprint arXiv:1511.05644},
  year={2015}
}
""",
    ),
    "arae-transfer": CardText(
        auto_class=AutoModel,
        task_type="text-generation",
        task_name="Unaligned style transfer",
        tags=["arae", "style-transfer", "autoencoder"],
        introduction="""
An adversarially regularized autoencoder (ARAE) that rewrites a sentence with another attribute value:
{{ labels }}. It was trained without paired sentences.

```python
import hf_arae
from transformers import pipeline

transfer = pipeline("text-style-transfer", model="{{ repository }}")
print(transfer("{{ example }}", target="{{ example_target }}"))
```
""",
        example="the food was awful .",
        samples_title="""
## Unpicked transfers

The first ten test sentences of each label, greedy.
""",
        samples=_transfers,
        limits="""
- It knows {{ vocabulary }} words and sentences of up to {{ config.max_sequence_length }} words of the kind it was
  trained on; other words are unknown to it and are lost.
- A changed sentiment is a changed meaning: do not present its output as what a person said.
- A code is one vector: names, numbers and rare words of a long sentence are often replaced by likelier ones.
- It repeats what its training texts say, prejudice included.
""",
        citation=_ARAE_CITATION,
    ),
    "arae-pairs": CardText(
        auto_class=AutoModelForSequenceClassification,
        task_type="text-classification",
        task_name="Relation of two sentences",
        tags=["arae", "entailment", "semi-supervised"],
        introduction="""
Labels a pair of sentences: {{ labels }}. Its sentence encoder learned from unlabelled sentences too.

```python
import hf_arae
from transformers import pipeline

classify = pipeline("text-classification", model="{{ repository }}")
print(classify({"text": "{{ example }}", "text_pair": "a man sleeps ."}))
```
""",
        example="a man is sleeping on a bench .",
        limits="""
- It knows {{ vocabulary }} words; other words are unknown to it.
- Few labels were used: compare its accuracy above with the share of the most frequent label before you rely on it.
- It repeats what its training texts say, prejudice included.
""",
        citation=_ARAE_CITATION,
    ),
    "rnn_lm": CardText(
        auto_class=AutoModelForCausalLM,
        task_type="text-generation",
        task_name="Language modelling",
        tags=["language-model", "lstm"],
        introduction="""
A recurrent language model, the yardstick beside which the autoencoders of hf_arae are measured.

```python
import hf_arae
from transformers import AutoModelForCausalLM, AutoTokenizer

model, tokenizer = (auto.from_pretrained("{{ repository }}") for auto in (AutoModelForCausalLM, AutoTokenizer))
print(tokenizer.batch_decode(model.sample(3, seed=0), skip_special_tokens=True))
```
""",
        example="",
        limits="""
- It knows {{ vocabulary }} words of the kind it was trained on; other words are unknown to it.
- It repeats what its training texts say, prejudice included.
""",
        citation="""
@inproceedings{mikolov2010recurrent,
  title={Recurrent Neural Network Based Language Model},
  author={Mikolov, Tomas and Karafiat, Martin and Burget, Lukas and Cernocky, Jan and Khudanpur, Sanjeev},
  booktitle={Interspeech},
  year={2010}
}
""",
        without_package='AutoModelForCausalLM.from_pretrained("{{ repository }}", trust_remote_code=True)',
    ),
    "ursae": CardText(
        auto_class=AutoModelForSeq2SeqLM,
        task_type="summarization",
        task_name="Unsupervised summarization of sentences",
        tags=["ursae", "summarization", "headlines", "unsupervised"],
        introduction="""
Makes headlines of the first sentences of news articles. No article was ever seen with its own headline in training.
There are two ways to a summary: `strategy="search"`, the default, chooses words of the sentence by networks that
learned from titles of *other* articles what a headline keeps; `strategy="write"` is the generator of URSAE (a frozen
language model, steered by a reader that reinforcement learning trained to make the sentence reconstructible).

```python
import hf_arae
from transformers import pipeline

summarize = pipeline("text-summarization", model="{{ repository }}")
text = "{{ example }}"
print(summarize(text))
print(summarize(text, target_length=6, strategy="write", source_order=True, longest_gap=3))
```
""",
        example="Japan's central bank said on Monday it would keep interest rates unchanged after a two-day meeting "
        "in Tokyo, surprising markets.",
        samples_title="""
## Unpicked summaries

The first ten test documents, by the search at its own length.
""",
        samples=_summaries,
        limits="""
- Words are dropped, "not" among them, and what is left can say something else than the sentence: a summary is a hint
  at what to read, not a statement of fact. Do not publish it unread.
- A text is cut to its first sentence, of at most {{ config.max_source_length }} words.
- It reads lower case, with `#` for each digit, as the corpora that it is measured on are written, and knows
  {{ vocabulary }} words of English news of the 1980s to 2000s. Other words are kept by the search, judged by their
  place; the generator loses them.
- A verb of the past may be written in the present, which headlines do and other texts do not:
  `source_words_only=True` prevents it.
""",
        citation="""
@phdthesis{zhao2019unsupervised,
  title={Unsupervised Learning with Regularized Autoencoders},
  author={Zhao, Junbo},
  school={New York University},
  year={2019}
}
""",
    ),
}


def card_text(config: PretrainedConfig) -> CardText:
    """What the card of a model with that config says."""
    transfers = config.model_type == "arae" and config.num_attributes > 1
    if (config.architectures or [None])[0] == "AraeForSequenceClassification":
        return CARD_TEXTS["arae-pairs"]
    return CARD_TEXTS["arae-transfer" if transfers else config.model_type]
