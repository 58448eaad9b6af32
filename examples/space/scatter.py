"""A picture of points on a plane, and the places in it that are clicked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import torch
from torch import Tensor

WIDTH, HEIGHT, _MARGIN = 800, 520, 40
NEAR = 14  # a click this close to a point, in units of the picture, means the point
_LETTER, _LINE, _LONGEST_NAME = 8.5, 16, 24  # of names, in the same units

# Tells where in the picture was clicked, in shares of its size; Enter and space do the same for a point in focus.
CLICKS = """
const tell = (event, x, y) => {
    const picture = event.target.closest('svg').getBoundingClientRect();
    trigger('select', {x: (x - picture.left) / picture.width, y: (y - picture.top) / picture.height});
};
element.addEventListener('click', (event) => {
    if (event.target.closest('svg')) tell(event, event.clientX, event.clientY);
});
element.addEventListener('keydown', (event) => {
    if (!event.target.matches('circle') || !['Enter', ' '].includes(event.key)) return;
    event.preventDefault();
    const point = event.target.getBoundingClientRect();
    tell(event, point.left + point.width / 2, point.top + point.height / 2);
});
"""


@dataclass(frozen=True)
class Frame:
    """Fits places `(rows, 2)` into the picture, with the same scale on both axes."""

    places: Tensor

    @property
    def _fit(self) -> tuple[Tensor, float]:
        low, high = self.places.amin(0), self.places.amax(0)
        width, height = (high - low).clamp(min=1e-9).tolist()
        return (low + high) / 2, min((WIDTH - 2 * _MARGIN) / width, (HEIGHT - 2 * _MARGIN) / height)

    def dots(self) -> list[tuple[float, float]]:
        """Each place in units of the picture, y downwards."""
        centre, scale = self._fit
        return [(WIDTH / 2 + x * scale, HEIGHT / 2 - y * scale) for x, y in (self.places - centre).tolist()]

    def place(self, x: float, y: float) -> Tensor:
        """The place `(1, 2)` at shares of the picture's width and height, each in 0..1.

        Raises:
            ValueError: x or y is no such number.
        """
        for share in (x, y):
            if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
                raise ValueError("a click has an x and a y between 0 and 1")
        centre, scale = self._fit
        offset = torch.tensor([[(x - 0.5) * WIDTH, (0.5 - y) * HEIGHT]], dtype=self.places.dtype) / scale
        return centre + offset

    def touched(self, x: float, y: float) -> int | None:
        """The row of the point that a click at these shares means, if it means one."""
        distances = [math.hypot(x * WIDTH - dot[0], y * HEIGHT - dot[1]) for dot in self.dots()]
        row = min(range(len(distances)), key=distances.__getitem__)
        return row if distances[row] <= NEAR else None


def draw(
    frame: Frame, names: Sequence[str], near: Sequence[int] = (), chosen: tuple[float, float] | None = None
) -> str:
    """Returns an SVG with a dot a name; those in `near` stand out, and a cross marks what was chosen.

    Names are written beside their dots as far as there is room, and are all there to be hovered over.
    """
    dots, labels, circles = frame.dots(), [], []
    for row in sorted(range(len(dots)), key=lambda row: row in near):  # drawn last, they lie on top
        x, y = dots[row]
        kind = " class='near'" if row in near else ""
        circles.append(
            f"<circle{kind} cx='{x:.1f}' cy='{y:.1f}' r='7' tabindex='0' role='button' "
            f"aria-label='{escape(names[row])}'><title>{escape(names[row])}</title></circle>"
        )
    taken = [(x - 8, y - 8, x + 8, y + 8) for x, y in dots]
    for row in sorted(range(len(dots)), key=lambda row: row not in near):
        x, y = dots[row]
        name = names[row] if len(names[row]) <= _LONGEST_NAME else names[row][: _LONGEST_NAME - 1].rstrip() + "…"
        half = len(name) * _LETTER / 2
        middle = min(max(x, half), WIDTH - half)
        for top in (y - 10 - _LINE, y + 10):  # above the dot, or else below
            area = (middle - half, top, middle + half, top + _LINE)
            if not any(area[0] < b[2] and b[0] < area[2] and area[1] < b[3] and b[1] < area[3] for b in taken):
                taken.append(area)
                labels.append(f"<text x='{middle:.1f}' y='{top + _LINE - 4:.1f}'>{escape(name)}</text>")
                break
    if chosen is not None:
        x, y = chosen
        circles.append(f"<path class='chosen' d='M{x - 10:.1f} {y:.1f}h20M{x:.1f} {y - 10:.1f}v20'/>")
    return (
        f"<svg class='map' viewBox='0 0 {WIDTH} {HEIGHT}' role='group' aria-label='Map of sentences'>"
        f"{''.join(labels)}{''.join(circles)}</svg>"
    )
