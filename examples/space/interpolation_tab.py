"""What lies between two sentences."""

from __future__ import annotations

import gradio as gr
from answers import answered, checked_choice, checked_label, checked_text
from checkpoints import Checkpoint, checkpoints
from markup import readable, table
from model_choice import ModelChoice, cleared

MAX_CHARACTERS, MAX_STEPS = 500, 15
_METHODS = ("linear", "spherical")
_EXAMPLES = [
    ["A man is sleeping on a bench.", "Two dogs run on the beach."],
    ["A child in a red shirt plays with a ball.", "People are walking down a busy street."],
]


@answered
def interpolate(name: str, a: str, b: str, steps: int, method: str, label: str) -> str:
    """Returns an HTML table with a sentence a step, both ends included."""
    a, b = (
        checked_text(a, MAX_CHARACTERS, "the first sentence"),
        checked_text(b, MAX_CHARACTERS, "the second sentence"),
    )
    method, label = checked_choice(method, _METHODS, "the way"), checked_label(label)
    with checkpoints.use(name) as checkpoint:
        texts = checkpoint.latent(label).interpolate(a, b, steps=steps, method=method)[0]
    return table(
        ["Position", "Sentence"], ((f"{step / (steps - 1):.0%}", readable(text)) for step, text in enumerate(texts))
    )


def build(default: str) -> None:
    model = ModelChoice(default, Checkpoint.latent, "load_interpolation")
    with gr.Row():
        a = gr.Textbox(_EXAMPLES[0][0], label="From", max_lines=3)
        b = gr.Textbox(_EXAMPLES[0][1], label="To", max_lines=3)
    gr.Examples(_EXAMPLES, [a, b], cache_examples=False, label="Examples")
    with gr.Row():
        model.label.render()
        steps = gr.Slider(2, MAX_STEPS, 7, step=1, precision=0, label="Sentences, both ends included")
        method = gr.Radio([*_METHODS], value="linear", label="Way between them (spherical: along an arc)")
    button = gr.Button("Interpolate", variant="primary")
    result = gr.HTML(min_height=60)
    model.draw()
    inputs = [model.box, a, b, steps, method, model.label]
    asked = gr.on([button.click, a.submit, b.submit], interpolate, inputs, result, api_name="interpolate")
    cleared(asked, result)
