"""One interface to the latent space of every family: texts or images in, the same out, vectors in between."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedModel

from hf_arae.latent.images import LatentImages
from hf_arae.latent.points import LatentPoints
from hf_arae.latent.texts import LatentTexts


class LatentSpace(LatentPoints):
    """Walks through the latent space of an autoencoder of texts or of images, or of a GAN's images.

    ```python
    latent = LatentSpace(AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
    latent.interpolate("a man is sleeping .", "two dogs run .", steps=7)[0]  # seven sentences
    latent.interpolate(latent.draw(5, "z", seed=0), latent.draw(5, "z", seed=1), space="z")  # five lines
    latent.arithmetic("a man is sleeping .", minus=sleeping, plus=walking, wanted=lambda text: "walking" in text)

    latent = LatentSpace(AutoModel.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder))
    latent.interpolate(picture, other_picture, steps=7)[0]  # seven pictures
    latent.sample(16, seed=0)
    latent.arithmetic(picture, minus=ones, plus=sevens)
    ```

    Every method takes a batch and returns one result a row. Where it takes points, these are texts or images (one or
    many, which are encoded first) or a tensor of rows, with `space` to say whether they are codes or z.

    What is made is a [`~hf_arae.latent.texts.LatentTexts`] or a [`~hf_arae.latent.images.LatentImages`], as the model
    reads words or pixels; the further arguments, and the errors, are theirs.

    Args:
        model: the model. It is put in evaluation mode.
        processor: its tokenizer or image processor.
    """

    def __new__(cls, model: PreTrainedModel, processor: Any, *arguments: Any, **options: Any) -> LatentPoints:
        images = getattr(model, "main_input_name", None) == "pixel_values"
        return (LatentImages if images else LatentTexts)(model, processor, *arguments, **options)


__all__ = ["LatentSpace"]
