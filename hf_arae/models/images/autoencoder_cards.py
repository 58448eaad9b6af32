"""What cards say of image autoencoders."""

from __future__ import annotations

from hf_arae.hub.card_text import LOADED, CardText


def image_autoencoder_card(kind: str, tags: list[str], citation: str, draws: bool = True) -> CardText:
    """Returns the card of an autoencoder of images.

    Args:
        kind: the sentence or two that say what it is.
        tags: of its family.
        citation: BibTeX.
        draws: it makes new images too.
    """
    new, sample, generation = "makes new images, ", "images = model.sample(16, seed=0)\n", ["image-generation"]
    if not draws:
        new, sample, generation = "", "", []
    return CardText(
        task_type="image-feature-extraction",
        task_name="Latent space of images",
        tags=[*tags, "autoencoder", *generation, "interpolation"],
        introduction=f"""
{kind} It {new}morphs one image into another, and gives image vectors.

```python
import hf_arae
from transformers import AutoModel

model = AutoModel.from_pretrained("{{{{ repository }}}}")
{sample}codes = model.encode(images)
again = model.decode(codes)
```

Images are tensors `(batch, {{{{ config.num_channels }}}}, {{{{ config.image_size }}}}, {{{{ config.image_size }}}})`.
""",
        limits="""
- It knows images like those that it was trained on, in their size and kind alone.
- Fine detail is lost: a code is one vector of {{ config.code_size }} numbers.
""",
        citation=citation,
        without_package=LOADED.format("AutoModel"),
    )
