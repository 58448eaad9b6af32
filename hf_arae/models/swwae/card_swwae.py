"""The model cards of stacked what-where autoencoders."""

from hf_arae.hub.card_text import LOADED, CardText
from hf_arae.models.images.cards import SIZE, image_snippet

_CITATION = """
@article{zhao2015stacked,
  title={Stacked What-Where Auto-encoders},
  author={Zhao, Junbo and Mathieu, Michael and Goroshin, Ross and LeCun, Yann},
  journal={arXiv preprint arXiv:1506.02351},
  year={2015}
}
"""
_LIMITS = """
- It knows images like those that it was trained on, in their size and kind alone.
"""
_NAMES = {"middle_variance": "variance of the maps"}

_CLASSIFIER = CardText(
    task_type="image-classification",
    task_name="Classification of images",
    tags=["swwae", "semi-supervised-learning", "image-classification"],
    introduction=f"""
A stacked what-where autoencoder with labels: a ConvNet that classifies images of {SIZE} values, and that learnt to
rebuild images, with labels or without, by a decoder that hears from each pooling where its maxima stood.

```python
import hf_arae
from transformers import AutoImageProcessor, AutoModel, pipeline

name = "{{{{ repository }}}}"
classify = pipeline("image-classification", model=name)
print(classify("picture.png"))

model, processor = AutoModel.from_pretrained(name), AutoImageProcessor.from_pretrained(name)
what, wheres = model.encode(processor(images="picture.png", return_tensors="pt")["pixel_values"])
print(processor.post_process(model.decode(what, wheres))[0])  # a picture of PIL
```
""",
    limits=_LIMITS
    + """- Its probabilities were not calibrated.
""",
    citation=_CITATION,
    without_package=LOADED.format("AutoModelForImageClassification"),
    names=_NAMES,
    suits=lambda config, architecture: architecture == "SwwaeForImageClassification",
)
CARD = CardText(
    task_type="image-feature-extraction",
    task_name="Features of images, and images of features",
    tags=["swwae", "image-feature-extraction"],
    introduction=f"""
A stacked what-where autoencoder: a ConvNet of images of {SIZE} values, and a decoder that mirrors it and hears from
each pooling where its maxima stood.

{image_snippet(draws=False)}

The model itself (`AutoModel`) has the verbs `encode`, to what and where, `decode`, of one image's or of two images',
and `reconstruct`, on images as its image processor (`AutoImageProcessor`) makes them.
""",
    limits=_LIMITS
    + """- It draws no images of its own.
""",
    citation=_CITATION,
    without_package=LOADED.format("AutoModel"),
    names=_NAMES,
).with_variants(_CLASSIFIER)

__all__ = ["CARD"]
