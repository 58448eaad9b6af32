"""The model card of the recurrent language model."""

from hf_arae.hub.card_text import LOADED, CardText
from hf_arae.models.text.cards import WORDS

CARD = CardText(
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
    limits=f"""
- It knows {WORDS} of the kind it was trained on; other words are unknown to it.
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
    without_package=LOADED.format("AutoModelForCausalLM"),
)

__all__ = ["CARD"]
