"""The model card of GLoMo's graphs over words."""

from hf_arae.hub.card_text import LOADED, CardText
from hf_arae.models.glomo.task_cards import task_cards
from hf_arae.models.text.cards import WORDS

CITATION = """
@inproceedings{yang2018glomo,
  title={GLoMo: Unsupervised Learning of Transferable Relational Graphs},
  author={Yang, Zhilin and Zhao, Junbo and Dhingra, Bhuwan and He, Kaiming and Cohen, William W. and Salakhutdinov,
    Ruslan and LeCun, Yann},
  booktitle={Advances in Neural Information Processing Systems},
  year={2018}
}
"""
CARD = CardText(
    task_type="feature-extraction",
    task_name="Latent graphs over words",
    tags=["glomo", "latent-graphs", "self-supervised"],
    introduction="""
Graphs over the words of a text: how much each word draws from which other, learned from text without labels. They are
made to be used in other models, whose features are mixed along them.

```python
import hf_arae
from transformers import AutoModel, AutoTokenizer

model, tokenizer = (auto.from_pretrained("{{ repository }}") for auto in (AutoModel, AutoTokenizer))
inputs = tokenizer({{ example }}, return_tensors="pt")
print(model.graphs(**inputs).shape)  # (texts, directions, layers, heads, words, words)
```
""",
    examples=("the food was awful .", "the staff was friendly ."),
    limits=f"""
- It knows {WORDS} and sequences of up to {{{{ config.context_length }}}} words of the kind it was trained on; other
  words are unknown to it.
- An edge says what helped to predict the words that follow. It is not a parse of the text, nor an explanation.
- It repeats what its training texts say, prejudice included.
""",
    citation=CITATION,
    without_package=LOADED.format("AutoModel"),
).with_variants(*task_cards(CITATION))

__all__ = ["CARD", "CITATION"]
