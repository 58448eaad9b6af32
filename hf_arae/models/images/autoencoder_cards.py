"""What cards say of image autoencoders."""

from __future__ import annotations

from hf_arae.hub.card_text import LOADED, CardText
from hf_arae.models.images.cards import SIZE, image_snippet


def image_autoencoder_card(kind: str, tags: list[str], citation: str, draws: bool = True) -> CardText:
    """Returns the card of an autoencoder of images.

    Args:
        kind: the sentence or two that say what it is.
        tags: of its family.
        citation: BibTeX.
        draws: it makes new images too.
    """
    new, generation = ("makes new images, ", ["image-generation"]) if draws else ("", [])
    return CardText(
        task_type="image-feature-extraction",
        task_name="Latent space of images",
        tags=[*tags, "autoencoder", *generation, "interpolation"],
        introduction=f"""
{kind} It {new}morphs one image into another, and gives image vectors.

{image_snippet(draws)}

The model itself (`AutoModel`) has the verbs `encode`, `decode`, `reconstruct`{", `sample`" if draws else ""} and
`interpolate`, on images of {SIZE} values as its image processor (`AutoImageProcessor`) makes them.
""",
        limits="""
- It knows images like those that it was trained on, in their size and kind alone.
- Fine detail is lost: a code is one vector of {{ config.code_size }} numbers.
""",
        citation=citation,
        without_package=LOADED.format("AutoModel"),
    )
