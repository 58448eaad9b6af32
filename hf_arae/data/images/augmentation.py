"""Training images that are shifted and mirrored anew at every visit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from hf_arae.utils.validation import check_choice, check_range

FILLS = ("zero", "edge")


@dataclass(frozen=True)
class ImageAugmentation:
    """How training images are changed; each field is a flag. By default they stay as they are."""

    shift_x: int = field(
        default=0, metadata={"help": "Training images are moved to the left or right by up to so many pixels."}
    )
    shift_y: int = field(default=0, metadata={"help": "Training images are moved up or down by up to so many pixels."})
    shift_fill: str = field(
        default="zero",
        metadata={
            "help": "What a moved image leaves free is black (zero), or goes on as its edge (edge).",
            "choices": FILLS,
        },
    )
    mirror: bool = field(default=False, metadata={"help": "Half of the training images are mirrored, left for right."})

    def __post_init__(self):
        check_range(self, "[0, 1024]", "shift_x", "shift_y", whole=True)
        check_choice(self, "shift_fill", FILLS)

    @property
    def changes(self) -> bool:
        """Whether images are changed at all."""
        return bool(self.shift_x or self.shift_y or self.mirror)

    def check_size(self, image_size: int) -> None:
        """Raises a ValueError if a shift can move images of this height and width out of the picture."""
        for name in ("shift_x", "shift_y"):
            if getattr(self, name) >= image_size:
                raise ValueError(f"{name} must be below the images' {image_size} pixels, got {getattr(self, name)}")

    def __call__(self, pixels: np.ndarray, seed: Sequence[int], visits: Iterable[int]) -> np.ndarray:
        """Returns the images as they are seen at these visits.

        Args:
            pixels: `(n, height, width, channels)`.
            seed: of the draws.
            visits: a number for each image: what is drawn for it depends on this and the seed alone.
        """
        if not self.changes:
            return pixels
        self.check_size(pixels.shape[1])
        pad = ((0, 0), (self.shift_y, self.shift_y), (self.shift_x, self.shift_x), (0, 0))
        padded = np.pad(pixels, pad, mode="constant" if self.shift_fill == "zero" else "edge")
        found = np.empty_like(pixels)
        height, width = pixels.shape[1:3]
        for place, visit in enumerate(visits):
            source = np.random.default_rng((*seed, int(visit)))
            down, right, mirrored = source.integers(0, (2 * self.shift_y + 1, 2 * self.shift_x + 1, 2))
            one = padded[place, down : down + height, right : right + width]
            found[place] = one[:, ::-1] if self.mirror and mirrored else one
        return found

    def describe(self) -> str:
        """All settings in one line."""
        return repr(sorted(asdict(self).items()))


__all__ = ["FILLS", "ImageAugmentation"]
