"""The model cards of GLoMo's graphs over images."""

from hf_arae.hub.card_text import LOADED, CardText
from hf_arae.models.glomo.card_glomo import CITATION
from hf_arae.models.images.cards import SIZE

_LIMITS = """
- It knows images like those that it was trained on, in their size and kind alone.
"""
_CLASSIFIER = CardText(
    task_type="image-classification",
    task_name="Classification of images",
    tags=["glomo", "latent-graphs", "image-classification"],
    introduction=f"""
A small residual network that classifies images of {SIZE} values.
{{%- if config.graph == "learned" %}} Graphs over their pixels or patches, learned from images without labels, are
mixed into its features.{{% elif config.graph != "none" %}} Graphs that nobody learned ({{{{ config.graph }}}}) are
mixed into its features, as a control.{{% endif %}}

```python
import hf_arae
from transformers import pipeline

print(pipeline("image-classification", model="{{{{ repository }}}}")("picture.png"))
```
""",
    limits=_LIMITS
    + """- It is small, and made to compare graphs with: a larger model may well do better.
- Its probabilities were not calibrated.
""",
    citation=CITATION,
    without_package=LOADED.format("AutoModelForImageClassification"),
    suits=lambda config, architecture: architecture == "GlomoImageForImageClassification",
)
CARD = CardText(
    task_type="image-feature-extraction",
    task_name="Latent graphs over images",
    tags=["glomo", "latent-graphs", "self-supervised"],
    introduction=f"""
Graphs over the units of images of {SIZE} values ({{{{ config.units_size }}}} x {{{{ config.units_size }}}} of them):
how much each draws from which other, learned from images without labels. They are made to be used in other models,
whose features are mixed along them.

```python
import hf_arae
from transformers import AutoImageProcessor, AutoModel

model, processor = (auto.from_pretrained("{{{{ repository }}}}") for auto in (AutoModel, AutoImageProcessor))
inputs = processor(images="picture.png", return_tensors="pt")
print(model.graphs(**inputs).shape)  # (images, directions, layers, heads, units, units)
```
""",
    limits=_LIMITS
    + """- An edge says what helped to predict the units that follow. It is no explanation of the image.
""",
    citation=CITATION,
    without_package=LOADED.format("AutoModel"),
).with_variants(_CLASSIFIER)

__all__ = ["CARD"]
