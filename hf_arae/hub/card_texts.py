"""What model cards say of each family, and of what a model of it was trained to do; the numbers come from runs."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
)

from hf_arae.hub.card_parts import CardText
from hf_arae.utils.escapes import plain

SAMPLES = 10


def _transfers(outputs: Sequence[dict[str, str]], labels: Sequence[str]) -> list[dict[str, str]]:
    rows = [row for label in labels for row in [row for row in outputs if row["label"] == label][:SAMPLES]]
    return [{"source": plain(f"({row['label']}) {row['source']}"), "output": plain(row["output"])} for row in rows]


def _summaries(outputs: Sequence[dict[str, str]], labels: Sequence[str]) -> list[dict[str, str]]:
    return [{name: plain(row[name]) for name in ("document", "summary")} for row in outputs[:SAMPLES]]


def _ways(outputs: Sequence[dict[str, list[str]]], labels: Sequence[str]) -> list[dict[str, str]]:
    return [{"from the first to the second": "<br>".join(map(plain, row["way"]))} for row in outputs[:SAMPLES]]


_ARAE_CITATION = """
@inproceedings{zhao2018adversarially,
  title={Adversarially Regularized Autoencoders},
  author={Zhao, Junbo and Kim, Yoon and Zhang, Kelly and Rush, Alexander M. and LeCun, Yann},
  booktitle={International Conference on Machine Learning},
  year={2018}
}
"""


_VAE_CITATION = """
@inproceedings{bowman2016generating,
  title={Generating Sentences from a Continuous Space},
  author={Bowman, Samuel R. and Vilnis, Luke and Vinyals, Oriol and Dai, Andrew and others},
  booktitle={Conference on Computational Natural Language Learning},
  year={2016}
}
"""
_AAE_CITATION = """
@article{makhzani2015adversarial,
  title={Adversarial Autoencoders},
  author={Makhzani, Alireza and Shlens, Jonathon and Jaitly, Navdeep and Goodfellow, Ian and Frey, Brendan},
  journal={arXiv preprint arXiv:1511.05644},
  year={2015}
}
"""
_URSAE_CITATION = """
@phdthesis{zhao2019unsupervised,
  title={Unsupervised Learning with Regularized Autoencoders},
  author={Zhao, Junbo},
  school={New York University},
  year={2019}
}
"""
_ARAE = (
    "An adversarially regularized autoencoder (ARAE): a sentence encoder to one continuous code, a decoder, and\n"
    "a generator that maps noise z to codes."
)
_VAE = "A variational autoencoder (VAE): a sentence encoder to a distribution of codes, and a decoder."
_AAE = (
    "An adversarial autoencoder (AAE): a sentence encoder whose codes a discriminator holds to a fixed prior,\n"
    "and a decoder."
)
_AE = (
    "A sentence autoencoder: an encoder to one continuous code, and a decoder. It was trained without an adversary:\n"
    "the generator of its class (ARAE) has learned nothing, so it draws no new sentences."
)
_REVIEWS = ("the food was awful .", "the staff was friendly .")  # of the built-in corpora, which are made up
_SCENES = ("a man is sleeping on a bench .", "a man is sleeping .")


def _autoencoder(kind: str, tags: list[str], points: str, citation: str, draws: bool = True) -> CardText:
    """Of an autoencoder without attributes; `draws`: new sentences too."""
    new, sample, tag = ("writes new sentences, ", "print(latent.sample(5, seed=0))\n", ["sentence-generation"])
    if not draws:
        new, sample, tag = "", "", []
    return CardText(
        auto_class=AutoModel,
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
        examples=_REVIEWS,
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
        without_package=_LOADED.format("AutoModel"),
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


def _transfer(kind: str, tags: list[str], hidden: str, citation: str) -> CardText:
    """Of an autoencoder with a decoder for each attribute value; `hidden`: how its code loses the attribute."""
    return CardText(
        auto_class=AutoModel,
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
        examples=_REVIEWS,
        samples_title=f"""
## Unpicked transfers

The first {SAMPLES} test sentences of each label, greedy.
""",
        samples=_transfers,
        limits="""
- It knows {{ vocabulary }} words and sentences of up to {{ config.max_sequence_length }} words of the kind it was
  trained on; other words are unknown to it and are lost.
- {{ change }}: do not present its output as what a person said.
- A code is one vector: names, numbers and rare words of a long sentence are often replaced by likelier ones.
- It repeats what its training texts say, prejudice included.
""",
        citation=citation,
        names={"self_bleu": "BLEU to the source"},
    )


def _summarizer(kind: str, usage: str, task_name: str, tags: list[str], limits: str) -> CardText:
    return CardText(
        auto_class=AutoModelForSeq2SeqLM,
        task_type="summarization",
        task_name=task_name,
        tags=["ursae", "summarization", "headlines", *tags],
        introduction=f"""
{kind}

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
- It reads lower case, with `#` for each digit, and knows {{{{ vocabulary }}}} words of its training texts.
  {limits.strip()}
- It repeats what its training texts say, prejudice included.
""",
        citation=_URSAE_CITATION,
        names={
            "compression": "Words of the summaries over words of the documents (%)",
            "novel_bigrams": "Pairs of neighbouring words that do not stand so in the document (%)",
            "prefix_overlap": "Words that are the document's at the same place (%)",
            "distinct": "Summaries that differ from one another (%)",
            "empty": "Summaries without a word (%)",
            "reconstruction": "-log p of the document given its summary (nats a token)",
            "language_model": "-log p of the summary by the frozen language model (nats a token)",
            "writer_minutes": "Training of the language model (minutes)",
        },
    )


_LOADED = '{}.from_pretrained("{{{{ repository }}}}", revision="main", trust_remote_code=True)'
_WRITER = """URSAE (a frozen
language model, steered by a reader that reinforcement learning trained to make the sentence reconstructible)"""
_WRITE = 'print(summarize(text, strategy="write"))'

CARD_TEXTS = {
    "ae": _autoencoder(_AE, ["arae"], "codes", _ARAE_CITATION, draws=False),
    "arae": _autoencoder(_ARAE, ["arae"], "z", _ARAE_CITATION),
    "vae": _autoencoder(_VAE, ["vae"], "codes", _VAE_CITATION),
    "aae": _autoencoder(_AAE, ["aae"], "codes", _AAE_CITATION),
    "ae-transfer": _transfer(
        "A sentence autoencoder with a decoder for each label",
        ["arae"],
        "It has no generator: that of its class (ARAE)\nwas not trained.",
        _ARAE_CITATION,
    ),
    "arae-transfer": _transfer(
        "An adversarially regularized autoencoder (ARAE)",
        ["arae"],
        "",
        _ARAE_CITATION,
    ),
    "vae-transfer": _transfer(
        "A variational autoencoder (VAE) with a decoder for each label",
        ["vae"],
        "Nothing in its\ntraining took the label out of the code.",
        _VAE_CITATION,
    ),
    "aae-transfer": _transfer(
        "An adversarial autoencoder (AAE) with a decoder for each label",
        ["aae"],
        "Nothing in its\ntraining took the label out of the code.",
        _AAE_CITATION,
    ),
    "arae-pairs": CardText(
        auto_class=AutoModelForSequenceClassification,
        task_type="text-classification",
        task_name="Relation of two sentences",
        tags=["arae", "entailment", "semi-supervised"],
        introduction="""
Labels a pair of sentences: {{ labels }}.
{%- if report.method != "supervised" %} Its sentence encoder learned from unlabelled sentences too.{% endif %}

```python
import hf_arae
from transformers import pipeline

classify = pipeline("text-classification", model="{{ repository }}")
print(classify({"text": {{ example }}, "text_pair": {{ example_2 }}}))
```
""",
        examples=_SCENES,
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
        without_package=_LOADED.format("AutoModelForCausalLM"),
    ),
    "ursae": _summarizer(
        f"""
Makes headlines of sentences such as the first ones of news articles. There are two ways to a summary.
`strategy="search"`, the default, chooses words of the sentence. Its networks learned from unpaired titles, each beside
a like article that is not its own, what a headline keeps, and {{{{ tuning_pairs }}}} of articles and their own
headlines chose nine numbers of the search (eight weights and a threshold): it is **not** unsupervised.
`strategy="write"` is the generator of {_WRITER}.
""".strip(),
        f"print(summarize(text))\n{_WRITE}",
        "Headlines by a search that learned from unpaired titles",
        [],
        "Other words are kept by the search, judged by their place; the generator loses them.\n"
        "- A verb of the past may be written in the present, which headlines do and other texts do not:\n"
        "  `source_words_only=True` prevents it.",
    ),
    "ursae-writer": _summarizer(
        f"Makes summaries of sentences by {_WRITER}.\nNo sentence was seen with its own summary in training.",
        _WRITE,
        "Unsupervised summarization of sentences",
        ["unsupervised"],
        "Other words are lost.",
    ),
}


def card_kind(config: PretrainedConfig, architecture: str | None = None) -> str:
    """Which of the texts suits a model.

    Args:
        config: the model's.
        architecture: name of its class; that of the config, which only a saved model's has, if `None`.

    Raises:
        ValueError: its family has no texts; it is named.
    """
    family = "ae" if config.model_type == "arae" and not config.trained_generator else config.model_type
    if (architecture or (config.architectures or [None])[0]) == "AraeForSequenceClassification":
        family = "arae-pairs"
    elif getattr(config, "num_attributes", 1) > 1:
        family = f"{family}-transfer"
    elif config.model_type == "ursae" and not config.selector_size:
        family = "ursae-writer"
    if family not in CARD_TEXTS:
        raise ValueError(
            f"a model card has no texts for the family {family!r} (model_type {config.model_type!r}), so that such a "
            f"model cannot be pushed. Known: {', '.join(CARD_TEXTS)}"
        )
    return family


def card_text(config: PretrainedConfig) -> CardText:
    """What the card of a saved model says."""
    return CARD_TEXTS[card_kind(config)]
