"""What a stacked what-where autoencoder sees in a picture, and where; and the one with another picture's other."""

from __future__ import annotations

from html import escape

import gradio as gr
import numpy as np
import torch
from answers import answered
from checkpoints import checkpoints
from drawing import DRAWS, PAD, read_drawing
from gradio.data_classes import ImageData
from markup import note, table
from model_choice import ModelChoice, cleared
from pictures import MAX_MEGABYTES, figures, read_picture
from PIL import Image

from hf_arae.evaluation.what_where import exchange, middle_wheres, poolings, where_coordinates
from hf_arae.evaluation.what_where_pictures import where_map

_NAMED = 5  # labels that are shown, the likeliest


@answered
def look_at_drawing(name: str, event: gr.EventData) -> tuple[str, Image.Image]:
    """Returns HTML on what was drawn, and the drawing."""
    drawing = read_drawing(event._data)
    return _look(name, drawing), drawing


@answered
def look(name: str, picture: str | None) -> str:
    """Returns HTML on an uploaded picture: its class, what the model makes of it, and where its maxima stood."""
    return _look(name, read_picture(picture))


@answered
def swap(name: str, drawing: Image.Image | None, picture: str | None) -> str:
    """Returns HTML: the drawing's what at the places of the picture, and the other way round."""
    if drawing is None:
        raise ValueError("nothing is drawn: draw in the square")
    opened = [drawing, read_picture(picture)]
    with checkpoints.use(name) as checkpoint, torch.no_grad():
        model, processor = checkpoint.what_where, checkpoint.processor
        values = processor(images=opened, return_tensors="pt")["pixel_values"]
        seen = model.encode(values)
        made = exchange(model, seen, seen).flatten(0, 1)
        images = processor.post_process(torch.cat([values, made]))
    captions = [
        "The drawing",
        "The picture",
        "What and where of the drawing",
        "What of the drawing, where of the picture",
    ]
    captions += ["What of the picture, where of the drawing", "What and where of the picture"]
    return figures(images, captions, large=True)


def _look(name: str, opened: Image.Image) -> str:
    with checkpoints.use(name) as checkpoint, torch.no_grad():
        model, processor = checkpoint.what_where, checkpoint.processor
        values = processor(images=opened, return_tensors="pt")["pixel_values"]
        found = model.encoder(model.normalized(model.check_pixels(values)))
        copies = [model.decode(found.what, wheres) for wheres in (found.wheres, middle_wheres(model, 1))]
        drawn = processor.post_process(torch.cat([values, *copies]))
        captions = ["As the model reads it", "As it rebuilds it", "Rebuilt without where"]
        for level, pooling in enumerate(poolings(model)):
            places = where_coordinates(model, found.wheres[level], level)[0]
            drawn.append(_grey(where_map(places, found.whats[level][0], pooling)))
            captions.append(f"Where, pooling {level + 1} of {pooling.size} x {pooling.size}")
        labels = model.classify(found.what).softmax(1)[0] if model.config.linear_layers else None
        names = model.config.id2label
    said, shown = note("This model knows no labels."), figures(drawn, captions, large=True)
    if labels is not None:
        order = labels.argsort(descending=True)[:_NAMED].tolist()
        said = f"<p class='best'>{escape(str(names[order[0]]))}, {labels[order[0]]:.0%}</p>"
        said += table(["Probability", "Class"], [(f"{labels[at]:.1%}", str(names[at])) for at in order])
    return f"<section class='result'>{said}{shown}</section>"


def _grey(brightness: np.ndarray) -> Image.Image:
    return Image.fromarray((255 * brightness).round().astype(np.uint8))


def _path(uploaded: ImageData | None) -> str | None:
    return uploaded.path if uploaded is not None else None


def build(default: str) -> None:
    model = ModelChoice(default, lambda checkpoint: checkpoint.what_where, "load_where")
    drawing = gr.State()
    gr.Markdown("## A drawing or a picture", elem_classes="small")
    with gr.Row():
        with gr.Column(min_width=260):
            pad = gr.HTML(PAD, js_on_load=DRAWS, elem_id="pad", min_height=80)
            gr.HTML(note("Draw white on black; two clicks wipe it."))
        with gr.Column(min_width=260):
            picture = gr.Image(
                type="filepath",
                sources=["upload", "clipboard"],
                label=f"Picture of at most {MAX_MEGABYTES} MB; its middle square is read",
                height=220,
                buttons=[],
            )
            # gradio's own way opens it, of any kind and size, or takes another one's address.
            picture.preprocess = _path
            looking = gr.Button("Look at the picture", variant="primary")
    result = gr.HTML(min_height=60)
    gr.Markdown("## What of one with where of the other", elem_classes="small")
    swapping = gr.Button("Exchange the drawing's and the picture's")
    swapped = gr.HTML(min_height=60)
    model.draw()
    drawn = pad.select(
        look_at_drawing,
        model.box,
        [result, drawing],
        api_name=False,
        trigger_mode="always_last",
        show_progress="minimal",
    )
    cleared(drawn, result, drawing)
    cleared(looking.click(look, [model.box, picture], result, api_name="look"), result)
    cleared(swapping.click(swap, [model.box, drawing, picture], swapped, api_name="swap"), swapped)
