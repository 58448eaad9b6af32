"""The model cards of the ARAE: a latent space, style transfer, and pairs of sentences."""

from hf_arae.hub.card_text import CardText
from hf_arae.models.text.cards import SCENES, WORDS, autoencoder_card, transfer_card

CITATION = """
@inproceedings{zhao2018adversarially,
  title={Adversarially Regularized Autoencoders},
  author={Zhao, Junbo and Kim, Yoon and Zhang, Kelly and Rush, Alexander M. and LeCun, Yann},
  booktitle={International Conference on Machine Learning},
  year={2018}
}
"""
_PAIRS = CardText(
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
    examples=SCENES,
    limits=f"""
- It knows {WORDS}; other words are unknown to it.
- Few labels were used: compare its accuracy above with the share of the most frequent label before you rely on it.
- It repeats what its training texts say, prejudice included.
""",
    citation=CITATION,
    suits=lambda config, architecture: architecture == "AraeForSequenceClassification",
)
_TRANSFER = transfer_card("An adversarially regularized autoencoder (ARAE)", ["arae"], "", CITATION)
CARD = autoencoder_card(
    "An adversarially regularized autoencoder (ARAE): a sentence encoder to one continuous code, a decoder, and\n"
    "a generator that maps noise z to codes.",
    ["arae"],
    "z",
    CITATION,
).with_variants(_PAIRS, _TRANSFER)

__all__ = ["CARD", "CITATION"]
