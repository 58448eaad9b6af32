"""What the cards of all image models say of their pipelines."""

from __future__ import annotations

_DRAW = """draw = pipeline("unconditional-image-generation", model=name)
images = draw(num_images=16, seed=0)  # pictures of PIL
"""
_OWN = """images = ["picture.png"]  # paths, or pictures of PIL
"""
_DETECT = """detect = pipeline("image-anomaly-detection", model=name)
scores = detect.scores(images)  # detect.calibrate(usual_images) finds the score from which on one counts as odd
codes = pipeline("image-feature-extraction", model=name)(images)
"""
SIZE = "{{ config.num_channels }} x {{ config.image_size }} x {{ config.image_size }}"


def image_snippet(draws: bool = True, rebuilds: bool = True) -> str:
    """Returns the snippet of a card, a template: the pipelines that run the model.

    Args:
        draws: it has images of its own to draw.
        rebuilds: it has codes, and rebuilds images.
    """
    lines = (_DRAW if draws else _OWN) + _DETECT * rebuilds
    return f"""```python
import hf_arae
from transformers import pipeline

name = "{{{{ repository }}}}"
{lines}```"""


__all__ = ["SIZE", "image_snippet"]
