"""A square to draw on: what is drawn comes as numbers of a fixed count, and not as a file."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

SIDE = 32  # pixels of a drawing's height and width
_DRAWN = 8 * SIDE  # pixels that are drawn on
PAD = (
    f"<canvas class='pad' width='{_DRAWN}' height='{_DRAWN}' aria-label='Square to draw on, white on black'></canvas>"
)

# At the end of each line the page tells how bright each of SIDE x SIDE squares is: a hexadecimal digit each.
DRAWS = f"""
const canvas = element.querySelector('canvas'), pen = canvas.getContext('2d', {{willReadFrequently: true}});
const wipe = () => {{ pen.fillStyle = 'black'; pen.fillRect(0, 0, canvas.width, canvas.height); }};
let drawing = false;
const at = (event) => {{
    const box = canvas.getBoundingClientRect();
    const share = canvas.width / box.width;
    return [(event.clientX - box.left) * share, (event.clientY - box.top) * share];
}};
const tell = () => {{
    const side = canvas.width / {SIDE}, pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
    let digits = '';
    for (let row = 0; row < {SIDE}; row++) for (let column = 0; column < {SIDE}; column++) {{
        let sum = 0;
        for (let y = row * side; y < (row + 1) * side; y++) for (let x = column * side; x < (column + 1) * side; x++)
            sum += pixels[4 * (y * canvas.width + x)];
        digits += Math.round(sum / (side * side) / 17).toString(16);
    }}
    trigger('select', {{pixels: digits}});
}};
wipe();
pen.strokeStyle = 'white'; pen.lineWidth = canvas.width / 11; pen.lineCap = pen.lineJoin = 'round';
canvas.addEventListener('pointerdown', (event) => {{
    drawing = true; canvas.setPointerCapture(event.pointerId); event.preventDefault();
    pen.beginPath(); pen.moveTo(...at(event)); pen.lineTo(...at(event)); pen.stroke();
}});
canvas.addEventListener('pointermove', (event) => {{
    if (!drawing) return;
    pen.lineTo(...at(event)); pen.stroke();
}});
for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, () => {{
    if (drawing) {{ drawing = false; tell(); }}
}});
canvas.addEventListener('dblclick', wipe);
"""


def read_drawing(told: Any) -> Image.Image:
    """The picture of what the page tells, and so of what anyone may send.

    Args:
        told: `{"pixels": ...}`, SIDE x SIDE hexadecimal digits, row by row.

    Raises:
        ValueError: it is something else, or nothing was drawn.
    """
    digits = told.get("pixels") if isinstance(told, dict) else None
    if not isinstance(digits, str) or len(digits) != SIDE * SIDE or not set(digits) <= set("0123456789abcdef"):
        raise ValueError(f"a drawing has {SIDE} x {SIDE} pixels")
    if not digits.strip("0"):
        raise ValueError("nothing is drawn: draw in the square")
    return Image.fromarray(17 * np.array([int(digit, 16) for digit in digits], np.uint8).reshape(SIDE, SIDE))
