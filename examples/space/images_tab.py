"""New images, what lies between two of them, and how odd a model finds an uploaded picture."""

from __future__ import annotations

import math
from html import escape

import gradio as gr
import torch
from answers import answered, checked_choice, checked_number, checked_real
from checkpoints import checkpoints
from gradio.data_classes import ImageData
from markup import note
from model_choice import ModelChoice, cleared
from pictures import MAX_MEGABYTES, figures, read_picture

MAX_IMAGES = 25
_SPACES = {"z (the noise that images are made of)": "z", "codes of the two images": "code"}


@answered
def draw(name: str, count: int, seed: int) -> str:
    """Returns HTML: new images with their numbers. Image i of a seed is the same for every number of images."""
    count, seed = _number_of_image(count, "the number of images"), checked_number(seed, "the seed")
    with checkpoints.use(name) as checkpoint:
        images = checkpoint.images.sample(count, seed)
    return figures(images, [f"No. {number}" for number in range(1, count + 1)])


@answered
def slide(name: str, seed: int, first: int, second: int, position: float, space: str) -> str:
    """Returns HTML: two images of a seed, and what lies between them at a position, 0 to 100 per cent of the way.

    Args:
        space: "z" or "code", in which the way is a straight line. A code is the encoder's, of the image; so in this
            space the ends are not the two images but what the model makes of their codes.
    """
    seed, space = checked_number(seed, "the seed"), checked_choice(space, _SPACES.values(), "the space")
    numbers = [_number_of_image(first, "the first image"), _number_of_image(second, "the second image")]
    position = checked_real(position, 0, 100, "the position")
    with checkpoints.use(name) as checkpoint:
        latent = checkpoint.images
        if space == "code" and not latent.model.decodes_codes:
            raise ValueError("this model makes no images of codes alone: choose z")
        ends = latent.draw(max(numbers), "z", seed)[[number - 1 for number in numbers]]
        if space == "code":
            ends = latent.encode(latent.pixel_values(ends, "z"))
        shares = torch.tensor([[0.0], [position / 100], [1.0]], device=ends.device, dtype=ends.dtype)
        images = latent.decode(torch.lerp(ends[:1], ends[1:], shares), space)
    return figures(images, [f"No. {numbers[0]}", f"{position:.0f}%", f"No. {numbers[1]}"], large=True)


@answered
def judge(name: str, picture: str | None) -> str:
    """Returns HTML: an uploaded picture as the model reads it, what it makes of it, the difference, and the score."""
    opened = read_picture(picture)
    with checkpoints.use(name) as checkpoint:
        detect, threshold = checkpoint.detect, checkpoint.model.config.anomaly_threshold
        values = detect.image_processor(images=opened, return_tensors="pt")["pixel_values"]
        result = detect(opened, threshold=math.inf if threshold is None else threshold)
        (read,) = detect.image_processor.post_process(values)
        usual, has_energy = checkpoint.model.config.anomaly_quantile, hasattr(checkpoint.model, "energy")
    said = f"{'Energy' if has_energy else 'Mean squared error'} {result['score']:.4g}"
    if threshold is None:
        remark = "This model was not calibrated, so it has no threshold from which on a picture counts as odd."
    else:
        said += f", {'beyond' if result['anomalous'] else 'within'} the threshold of {threshold:.4g}"
        remark = f"{usual:.0%} of the usual images lie within it." if usual is not None else ""
    drawn = [read, result["reconstruction"], result["difference"]]
    shown = figures(drawn, ["As the model reads it", "As it rebuilds it", "Difference"], large=True)
    return f"<section class='result'><p class='best'>{escape(said)}</p>{note(remark)}{shown}</section>"


def _number_of_image(number: int, what: str) -> int:
    return int(checked_real(number, 1, MAX_IMAGES, what))


def _path(uploaded: ImageData | None) -> str | None:
    return uploaded.path if uploaded is not None else None


def build(default: str) -> None:
    model = ModelChoice(default, lambda checkpoint: checkpoint.images, "load_images")
    with gr.Row():
        count = gr.Slider(1, MAX_IMAGES, 10, step=1, precision=0, label="Images")
        seed = gr.Number(0, minimum=0, maximum=2**31, precision=0, label="Seed", min_width=100)
    drawing = gr.Button("Draw new images", variant="primary")
    images = gr.HTML(min_height=60)
    gr.Markdown("## Between two of them", elem_classes="small")
    with gr.Row():
        numbers = {"minimum": 1, "maximum": MAX_IMAGES, "precision": 0, "min_width": 100}
        first, second = gr.Number(1, label="From image No.", **numbers), gr.Number(2, label="To image No.", **numbers)
        space = gr.Radio([*_SPACES.items()], value="z", label="Straight line between")
    position = gr.Slider(0, 100, 50, step=5, precision=0, label="Position in per cent of the way")
    between = gr.HTML(min_height=60)
    gr.Markdown("## How odd is a picture?", elem_classes="small")
    picture = gr.Image(
        type="filepath",
        sources=["upload", "clipboard"],
        label=f"Picture of at most {MAX_MEGABYTES} MB; its middle square is read",
        height=220,
        buttons=[],
    )
    # gradio's own way opens it, of any kind and size, or takes another one's address.
    picture.preprocess = _path
    judging = gr.Button("Compare with what the model knows", variant="primary")
    result = gr.HTML(min_height=60)
    model.draw()
    latest = {"trigger_mode": "always_last"}  # of many positions, or digits of a seed, the last one is what is wanted
    again = [drawing.click, seed.change]  # numbers of images are those of the seed, above and below
    asked = gr.on(again, draw, [model.box, count, seed], images, api_name="draw_images", **latest)
    cleared(asked, images)
    inputs = [model.box, seed, first, second, position, space]
    changed = [*again, position.change, space.change, first.change, second.change]
    moved = gr.on(changed, slide, inputs, between, api_name="slide", **latest)
    cleared(moved, between)
    cleared(judging.click(judge, [model.box, picture], result, api_name="judge"), result)
