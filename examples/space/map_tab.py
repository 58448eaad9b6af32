"""The map of sentences: click on one, or between them."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import gradio as gr
from answers import answered, checked_label, checked_lines, checked_number
from checkpoints import Checkpoint, checkpoints
from markup import note, readable, table
from model_choice import ModelChoice, cleared
from scatter import CLICKS, HEIGHT, WIDTH, Frame, draw

from hf_arae.latent.code_map import CodeMap, principal_map

MAX_LINES, MAX_CHARACTERS, NEIGHBOURS = 200, 30_000, 5
_EXAMPLE = """A man is sleeping on a bench.
A woman sits on a bench in the park.
Two dogs run on the beach.
A dog is running through the snow.
A brown dog jumps over a fence.
Children are playing soccer in a field.
A boy kicks a ball.
A group of people are walking down a street.
People cross a busy street.
A man rides a bicycle.
A man on a motorcycle jumps in the air.
A girl in a pink dress is dancing.
A band is playing music on a stage.
A man plays a guitar.
Two women are talking at a table.
A chef is cooking in a kitchen."""


@dataclass
class Drawn:
    """A map as it was drawn: what a click refers to, whatever the boxes say by then."""

    name: str
    label: str | None
    lines: list[str]
    plane: CodeMap


@answered
def draw_map(name: str, text: str, label: str) -> tuple[str, str, Drawn]:
    """Returns the picture of the text's lines, an empty answer, and what clicks need."""
    label = checked_label(label)
    lines = list(dict.fromkeys(checked_lines(text, MAX_LINES, MAX_CHARACTERS, "the box of sentences")))
    if len(lines) < 3:
        raise ValueError(f"a map needs at least 3 different sentences, got {len(lines)}")
    with checkpoints.use(name) as checkpoint:
        plane = principal_map(checkpoint.latent(label).encode(lines, truncation=True))
    return (
        draw(Frame(plane.places), lines),
        note("Click on a point, or between points."),
        Drawn(name, label, lines, plane),
    )


@answered
def new_sentences(name: str, count: int, seed: int, label: str) -> str:
    """Returns new sentences of the model, a line each."""
    count, seed = checked_number(count, "the number of sentences"), checked_number(seed, "the seed")
    label = checked_label(label)
    with checkpoints.use(name) as checkpoint:
        texts = checkpoint.latent(label).sample(count, seed)
    return "\n".join(map(readable, texts))


@answered
def click(drawn: Drawn | None, event: gr.EventData) -> tuple[str, str]:
    """Returns the picture with what was clicked, and what is written there with its nearest neighbours."""
    if drawn is None:
        raise ValueError("there is no map to click on: draw one first")
    at = event._data if isinstance(event._data, dict) else {}  # sent by the page, and so by anyone
    x, y = at.get("x"), at.get("y")
    frame, plane = Frame(drawn.plane.places), drawn.plane
    place, row = frame.place(x, y), frame.touched(x, y)
    code = plane.codes_at(place) if row is None else plane.codes[row : row + 1]
    with checkpoints.use(drawn.name) as checkpoint:
        latent = checkpoint.latent(drawn.label)
        written = readable(latent.decode(code)[0])
        near = latent.nearest(code, drawn.lines, min(NEIGHBOURS + 1, len(drawn.lines)), plane.codes)[0]
    near = [neighbour for neighbour in near if neighbour.row != row][:NEIGHBOURS]
    if row is None:
        said, remark = written, "written at the cross, between the points"
    else:
        said, remark = drawn.lines[row], f"a point; written from its code: {written}"
    cosines = table(["Cosine", "Nearest"], [(f"{one.similarity:.2f}", one.text) for one in near])
    picture = draw(
        frame,
        drawn.lines,
        [one.row for one in near],
        frame.dots()[row] if row is not None else (x * WIDTH, y * HEIGHT),
    )
    return picture, f"<section class='result'><p class='best'>{escape(said)}</p>{note(remark)}{cosines}</section>"


def build(default: str) -> None:
    model, drawn = ModelChoice(default, Checkpoint.latent, "load_map"), gr.State()
    with gr.Row():
        with gr.Column(scale=2, min_width=260):
            text = gr.Textbox(
                _EXAMPLE,
                label="Sentences",
                info=f"One a line, at most {MAX_LINES}; long ones are cut",
                lines=12,
                max_lines=12,
            )
            with gr.Row():
                count = gr.Number(40, minimum=3, maximum=MAX_LINES, precision=0, label="New sentences", min_width=80)
                seed = gr.Number(0, minimum=0, maximum=2**31, precision=0, label="Seed", min_width=80)
            fill = gr.Button("Fill the box with new sentences")
            model.label.render()
            button = gr.Button("Draw the map", variant="primary")
        with gr.Column(scale=5, min_width=300):
            picture = gr.HTML(note("The map appears here."), js_on_load=CLICKS, elem_id="map", min_height=80)
            answer = gr.HTML(min_height=60)
    model.draw()
    asked = button.click(draw_map, [model.box, text, model.label], [picture, answer, drawn], api_name="draw_map")
    cleared(asked, picture, answer, drawn)
    fill.click(new_sentences, [model.box, count, seed, model.label], text, api_name="new_sentences")
    picture.select(click, drawn, [picture, answer], api_name=False, show_progress="minimal")
