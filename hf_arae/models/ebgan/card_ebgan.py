"""The model cards of EBGANs and their rivals, and of ladders."""

from hf_arae.hub.card_text import LOADED, CardText
from hf_arae.models.images.cards import SIZE, image_snippet

_EBGAN = """
@inproceedings{zhao2017energy,
  title={Energy-based Generative Adversarial Networks},
  author={Zhao, Junbo and Mathieu, Michael and LeCun, Yann},
  booktitle={International Conference on Learning Representations},
  year={2017}
}
"""
_LADDER = """
@inproceedings{rasmus2015semi,
  title={Semi-supervised Learning with Ladder Networks},
  author={Rasmus, Antti and Berglund, Mathias and Honkala, Mikko and Valpola, Harri and Raiko, Tapani},
  booktitle={Advances in Neural Information Processing Systems},
  year={2015}
}
"""
_KNOWN = """
- It knows images like those that it was trained on, in their size and kind alone.
"""
_NAMES = {"real_energy": "energy of real images", "fake_energy": "energy of generated images"}

_CRITIC = CardText(
    task_type="unconditional-image-generation",
    task_name="Image generation",
    tags=["gan", "image-generation"],
    introduction=f"""
A generative adversarial network: a generator of images of {SIZE} values, which was trained against a critic that
tells real images from generated ones.

{image_snippet(rebuilds=False)}
""",
    limits=_KNOWN
    + """- Kinds of images of the training data can be missing from its own, or rare there.
""",
    citation=_EBGAN,
    without_package=LOADED.format("AutoModel"),
    suits=lambda config, architecture: config.discriminator == "critic",
)
_CLASSIFIER = CardText(
    task_type="image-classification",
    task_name="Classification of images, learnt from few labels",
    tags=["ladder-network", "semi-supervised-learning", "image-classification"],
    introduction=f"""
A ladder network: a classifier of images of {SIZE} values that learnt from few labels, and from many images without.
Its noisy encoder and its decoder learn to take noise away, which needs no label.

```python
import hf_arae
from transformers import pipeline

classify = pipeline("image-classification", model="{{{{ repository }}}}")
print(classify("picture.png"))
```
""",
    limits=_KNOWN
    + """- It sees an image as a list of pixels: one that is moved or turned is another one to it.
- Its probabilities were not calibrated.
""",
    citation=_LADDER + _EBGAN,
    without_package=LOADED.format("AutoModelForImageClassification"),
    names=_NAMES,
    suits=lambda config, architecture: config.backbone == "ladder",
)
CARD = CardText(
    task_type="unconditional-image-generation",
    task_name="Image generation",
    tags=["ebgan", "image-generation", "anomaly-detection"],
    introduction=f"""
An energy-based generative adversarial network (EBGAN): a generator of images of {SIZE} values, and a discriminator
that is an autoencoder. An image's energy is how far it is from what the autoencoder makes of it.

{image_snippet()}

The model itself (`AutoModel`) has the verbs `sample`, `energy`, `encode`, `decode`, `reconstruct` and `interpolate`,
on images as its image processor (`AutoImageProcessor`) makes them.
""",
    limits=_KNOWN
    + """- Kinds of images of the training data can be missing from its own, or rare there.
- A discriminator at the end of its training need not tell real images from generated ones. How well its energy tells
  odd images is to be measured on such images; images with little ink have low energies of their own.
""",
    citation=_EBGAN,
    without_package=LOADED.format("AutoModel"),
    names=_NAMES,
).with_variants(_CRITIC, _CLASSIFIER)

__all__ = ["CARD"]
